"""The endpoint of Five9's administrator service, and its WSDL, both behind Basic."""

import re
from collections.abc import Callable, Mapping

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, basic
from crm_sync_assets.sandbox.calls import Answer, Call, Desk, Refusal, content_type
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.five9 import soap
from crm_sync_assets.sandbox.crms.five9.fields import ID
from crm_sync_assets.sandbox.crms.five9.knobs import Five9Knobs
from crm_sync_assets.sandbox.crms.five9.reports import Reports
from crm_sync_assets.sandbox.crms.five9.soap import Asked
from crm_sync_assets.sandbox.crms.five9.world import Row, World, fits
from crm_sync_assets.sandbox.crms.five9.wsdl import document
from crm_sync_assets.sandbox.ledger import Quota

WINDOW = 60
CLASSES = {
    "getListsInfo": "Query",
    "getContactFields": "Query",
    "getContactRecords": "Query",
    "runReport": "ReportRequest",
    "isReportRunning": "ReportRequest",
    "getReportResult": "RetrieveReport",
    "getReportResultCsv": "RetrieveReport",
}
"""What an operation counts as."""


class Five9Desk(Desk):
    """One address for everything; what is wanted stands in the message."""

    media_type = "text/xml"

    def __init__(
        self, stage: Stage, knobs: Five9Knobs, world: World, user: str, password: str
    ) -> None:
        super().__init__(stage)
        self._knobs, self._world = knobs, world
        self._user, self._password = user, password
        self.reports = Reports(world, knobs)
        self._operations: Mapping[str, Callable[[Call, Asked], list[str]]] = {
            "getListsInfo": self._lists,
            "getContactFields": self._fields,
            "getContactRecords": self._records,
            "getCallCountersState": self._counters,
            "runReport": self.reports.run,
            "isReportRunning": self.reports.is_running,
            "getReportResult": self.reports.result,
            "getReportResultCsv": self.reports.csv,
            "closeSession": lambda _call, _asked: [],
        }

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, soap.no_message(message) if status == 500 else message)

    def admit(self, request: Request) -> Grant:
        if basic(request) != (self._user, self._password):
            said = {"WWW-Authenticate": 'Basic realm="Five9"'}
            raise Refusal(401, "Unauthorized", said)
        return Grant(self._user, self._user)

    def parsed(self, request: Request, raw: bytes) -> Asked | None:
        if request.method != "POST":
            return None
        if content_type(request) != "text/xml":
            raise self.refusal(415, "Unsupported Media Type")
        try:
            return soap.asked(raw)
        except soap.Unfit as error:
            raise self.refusal(500, str(error)) from None

    # -- endpoints -------------------------------------------------------------------------------

    def described(self, call: Call) -> Answer:
        """The WSDL."""
        if call.query("wsdl") is None:
            raise self.refusal(405, "Method Not Allowed")
        return Answer(document(str(call.request.url.replace(query=""))))

    def service(self, call: Call) -> Answer:
        """Whatever is asked for."""
        asked = call.body
        assert isinstance(asked, Asked)
        self._count(asked.name)
        return Answer(soap.answer(asked.name, *self._operations[asked.name](call, asked)))

    def _count(self, name: str) -> None:
        kind = CLASSES.get(name)
        if kind is None:
            return
        limit = self._knobs.five9_queries
        quota = Quota(f"five9 {kind}", self._user, limit, WINDOW)
        if self.ledger.spend([quota], enforced=self.common.limits) is not None:
            said = {"limit": str(limit), "operationType": kind}
            body = soap.fault("OperationsLimitExceededFault", "Operations limit exceeded", **said)
            raise Refusal(500, body)

    def _lists(self, call: Call, asked: Asked) -> list[str]:
        pattern = _pattern(asked.text("listNamePattern"))
        return [
            soap.tagged("name", name) + soap.tagged("size", size)
            for name, size in self._world.sizes(call.now).items()
            if pattern.fullmatch(name)
        ]

    def _fields(self, _: Call, asked: Asked) -> list[str]:
        pattern = _pattern(asked.text("namePattern"))
        tagged = soap.tagged
        return [
            tagged("displayAs", "Long")
            + tagged("mapTo", field.map_to)
            + tagged("name", field.name)
            + "".join(
                f"<restrictions>{tagged('type', kind)}{tagged('value', value)}</restrictions>"
                for kind, value in field.restrictions.items()
            )
            + tagged("system", field.system)
            + tagged("type", field.type)
            for field in self._world.fields
            if pattern.fullmatch(field.name)
        ]

    def _counters(self, _: Call, __: Asked) -> list[str]:
        if not self._knobs.five9_counters:
            raise _refused("AccessDisallowedFault", "The user has not the permission")
        states = "".join(
            "<callCounterStates>"
            + soap.tagged("limit", self._knobs.five9_queries)
            + soap.tagged("operationType", kind)
            + soap.tagged("value", self._used(kind))
            + "</callCounterStates>"
            for kind in dict.fromkeys(CLASSES.values())
        )
        return [states + soap.tagged("timeout", WINDOW)]

    def _used(self, kind: str) -> int:
        return self.ledger.used(f"five9 {kind}", self._user) if self.common.limits else 0

    def _records(self, call: Call, asked: Asked) -> list[str]:
        """At most so many, in no order, and without a word on how many there are."""
        criteria = soap.criteria(asked)
        if not criteria:
            raise _refused("MissedArgumentFault", "criteria")
        names = self._world.names
        tests = [(field, self._test(field, value, names)) for field, value in criteria]
        found: list[Row] = []
        for _, row in self._world.shown(call.now):
            if all(test(row.get(field)) for field, test in tests):
                found.append(row)
                if len(found) >= self._knobs.five9_most:
                    break
        if not found:
            return []
        lookup = asked.given["lookupCriteria"]
        id_field = str(lookup.get("contactIdField") or ID) if isinstance(lookup, dict) else ID
        fields = "".join(soap.tagged("fields", id_field if n == ID else n) for n in names)
        rows = "".join(f"<records>{soap.row(self._values(row, names))}</records>" for row in found)
        return [fields + rows]

    def _test(self, field: str, value: str, names: list[str]) -> Callable[[str | None], bool]:
        if field not in names:
            raise _refused("CrmFieldNotFoundFault", f"no field {field}", fieldName=field)
        types = {one.name: one.type for one in self._world.fields}
        if "%" in value:
            if field == ID and not self._knobs.five9_id_wildcards:
                return lambda _: False
            if types.get(field) == "DATE_TIME" and not self._knobs.five9_date_wildcards:
                raise _refused("IncorrectArgumentFault", f"{value} is no date")
        return fits(value, blank=self._knobs.five9_blank_matches)

    def _values(self, row: Row, names: list[str]) -> list[str | None]:
        values = [row.get(name) for name in names]
        if self._knobs.five9_control_characters:
            place = names.index("first_name")
            values[place] = f"{values[place] or ''}\x0b"
        return values


def _pattern(given: str) -> re.Pattern[str]:
    try:
        return re.compile(given or ".*")
    except re.error:
        raise _refused("InvalidRegexpPatternFault", "invalid pattern", pattern=given) from None


def _refused(name: str, message: str, **said: str) -> Refusal:
    return Refusal(500, soap.fault(name, message, **said))
