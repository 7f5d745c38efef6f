"""Who may ask Salesforce, how it says no, and what its limits are."""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, after_scheme
from crm_sync_assets.sandbox.calls import Answer, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salesforce.knobs import SalesforceKnobs
from crm_sync_assets.sandbox.crms.salesforce.matching import Refused
from crm_sync_assets.sandbox.crms.salesforce.sessions import ORG, Sessions
from crm_sync_assets.sandbox.crms.salesforce.soql import Malformed
from crm_sync_assets.sandbox.crms.salesforce.world import World
from crm_sync_assets.sandbox.faults import HTML, Manner
from crm_sync_assets.sandbox.ledger import Quota

VERSIONS = {f"v{number}.0": label for number, label in (
    (59, "Winter '24"), (60, "Spring '24"), (61, "Summer '24"), (62, "Winter '25"),
    (63, "Spring '25"), (64, "Summer '25"), (65, "Winter '26"), (66, "Spring '26"),
    (67, "Summer '26"), (68, "Winter '27"),
)}  # fmt: skip
DAY_SECONDS = 86_400
_DAY = "salesforce day"
_MISSING = "The requested resource does not exist"


def error(code: str, message: str, **more: Any) -> list[dict[str, Any]]:
    """The body of a refusal."""
    return [{"message": message, "errorCode": code, **more}]


_EXPIRED = error("INVALID_SESSION_ID", "Session expired or invalid")
_LIMIT = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
MANNER = Manner(
    lists=frozenset(["records"]),
    bodies={
        "bad": error("MALFORMED_QUERY", "unexpected token: '<EOF>'"),
        "timeout": error("QUERY_TIMEOUT", "Your query request was running for too long."),
        "locator": error("INVALID_QUERY_LOCATOR", "invalid query locator"),
        "large": error("OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's"),
        "expired": _EXPIRED,
        "limit": _LIMIT,
        "concurrent": error(
            "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        ),
        "long": error("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
        "access": error("INSUFFICIENT_ACCESS", "insufficient access rights on object id"),
        "missing": error("NOT_FOUND", _MISSING),
        "internal": error("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
        "unavailable": error("SERVER_UNAVAILABLE", "Server is temporarily unavailable."),
    },
    usual={400: "bad", 401: "expired", 403: "limit", 404: "missing", 502: "html",
           503: "unavailable"},
)  # fmt: skip


class Entrance(Desk):
    """Sessions, the daily limit, refusals: a list of errors, each with its code."""

    def __init__(
        self, stage: Stage, knobs: SalesforceKnobs, world: World, sessions: Sessions
    ) -> None:
        super().__init__(stage)
        self._knobs, self._world, self._sessions = knobs, world, sessions

    def refusal(self, status: int, message: str) -> Refusal:
        code = {404: "NOT_FOUND", 415: "UNSUPPORTED_MEDIA_TYPE"}.get(status, "JSON_PARSER_ERROR")
        return self.no(status, code, message)

    def no(self, status: int, code: str, message: str, **more: Any) -> Refusal:
        """An answer other than success."""
        return Refusal(status, error(code, message, **more))

    def overlong(self, request: Request) -> Refusal | None:
        """URI and headers together are looked at; the edge says so, and not the API."""
        uri = len(request.scope["raw_path"]) + len(request.scope["query_string"]) + 1
        headers = sum(len(name) + len(value) + 4 for name, value in request.scope["headers"])
        if uri + headers <= self._knobs.salesforce_head_bytes:
            return None
        status = 414 if uri > self._knobs.salesforce_head_bytes else 431
        return Refusal(status, HTML, {"content-type": "text/html; charset=utf-8"})

    def admit(self, request: Request) -> Grant:
        given = request.headers.get("authorization")
        token = after_scheme(request, "bearer", "oauth")
        if given is not None and not token:
            raise self.no(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        grant = self._sessions.alive(token or "")
        if grant is None or self._knobs.salesforce_no_api_scope:
            raise Refusal(401, _EXPIRED)
        if self._knobs.salesforce_api_disabled:
            raise self.no(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization")
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002  all count
        left = self._knobs.salesforce_daily - self._knobs.salesforce_used
        yield Quota(_DAY, grant.account, left, DAY_SECONDS)

    def spent(self, quota: Quota) -> Refusal:  # noqa: ARG002  there is but one
        return Refusal(403, _LIMIT, self.headers(Grant("", ORG), Door(self.nothing)))

    def headers(self, grant: Grant, door: Door) -> dict[str, str]:  # noqa: ARG002  all alike
        usage = f"api-usage={self.used()}/{self._knobs.salesforce_daily}"
        if self._knobs.salesforce_per_app:
            usage += f"; per-app-api-usage={self.used()}/250(appName=crm sync)"
        return {"Sforce-Limit-Info": usage}

    def used(self) -> int:
        """Requests of the org within a day."""
        return self._knobs.salesforce_used + self.ledger.used(_DAY, ORG)

    def nothing(self, call: Call) -> Answer:
        """Paths that there are not, and writing, which nobody does here."""
        if call.request.method == "GET":
            raise self.refusal(404, _MISSING)
        raise self.no_method(call.request.method)

    def no_method(self, method: str) -> Refusal:
        """Of a method that is not for reading."""
        message = f"HTTP Method '{method}' not allowed. Allowed are GET"
        return self.no(405, "METHOD_NOT_ALLOWED", message)

    # -- shared by the endpoints -----------------------------------------------------------------

    def version(self, call: Call) -> str:
        """`v67.0` of the path. Refusal where there is no such version."""
        found = call.path("version")
        if found not in VERSIONS:
            raise self.refusal(404, _MISSING)
        return found

    def versions(self, _: Call) -> Answer:
        """What versions there are, for everybody."""
        return Answer([
            {"label": label, "url": f"/services/data/{name}", "version": name[1:]}
            for name, label in VERSIONS.items()
        ])  # fmt: skip

    def refused(self, why: Exception) -> Refusal:
        """A query that is not carried out."""
        if isinstance(why, Refused):
            return self.no(400, why.code, str(why))
        return self.no(400, "MALFORMED_QUERY", str(why))

    def asked(self, call: Call) -> str:
        """The query of a request. BadRequest where there is none."""
        found = call.query("q")
        if not found:
            raise self.refused(Malformed("q is missing"))
        return found


def options(call: Call) -> Mapping[str, str]:
    """The parts of the header Sforce-Query-Options."""
    given = call.request.headers.get("sforce-query-options", "")
    parts = (part.partition("=") for part in given.split(","))
    return {name.strip().lower(): value.strip() for name, _, value in parts if name.strip()}
