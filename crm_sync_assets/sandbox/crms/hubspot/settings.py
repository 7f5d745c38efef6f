"""Endpoints of everything that is not a record: owners, pipelines, properties, the account."""

from datetime import datetime
from typing import Any

from crm_sync_assets.sandbox.answers import address, cut
from crm_sync_assets.sandbox.calls import Answer, Call
from crm_sync_assets.sandbox.crms.hubspot.directory import Directory
from crm_sync_assets.sandbox.crms.hubspot.errors import invalid, not_found
from crm_sync_assets.sandbox.crms.hubspot.portal import TIME_ZONE, Portal
from crm_sync_assets.sandbox.crms.hubspot.properties import (
    TYPES,
    ObjectType,
    definition,
    properties,
)
from crm_sync_assets.sandbox.crms.hubspot.render import PORTAL_ID

OWNERS_SCOPE, SCHEMAS_SCOPE = "crm.objects.owners.read", "crm.schemas.custom.read"


class Settings:
    """Owners page by id; the rest comes whole."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    @property
    def _directory(self) -> Directory:
        return self._portal.world.directory

    def owners(self, call: Call) -> Answer:
        """A page of owners, archived or not."""
        self._portal.need(OWNERS_SCOPE)
        limit = call.number("limit", 100, 500)
        after = call.number("after", 0, 10**18)
        owners = self._directory.list_owners(call.flag("archived"))
        email = call.query("email")
        found = [o for o in owners if int(o["id"]) > after and (not email or o["email"] == email)]
        page, last = cut(found, limit)
        answer: dict[str, Any] = {"results": page}
        if last is not None:
            url = address(call.request, after=last["id"])
            answer["paging"] = {"next": {"after": last["id"], "link": url}}
        return Answer(answer)

    def owner(self, call: Call) -> Answer:
        """One owner by `id`, or by `userId` with `idProperty=userId`."""
        self._portal.need(OWNERS_SCOPE)
        key = "userIdIncludingInactive" if call.query("idProperty") == "userId" else "id"
        for owner in self._directory.list_owners(call.flag("archived")):
            if str(owner[key]) == call.path("id"):
                return Answer(owner)
        raise not_found()

    def pipelines(self, call: Call) -> Answer:
        """All pipelines of an object type, stages inside."""
        kind = self._portal.table(call).kind
        return Answer({"results": self._directory.list_pipelines(kind)})

    def pipeline(self, call: Call) -> Answer:
        """One pipeline."""
        return Answer(self._pipeline(call))

    def stages(self, call: Call) -> Answer:
        """The stages of one pipeline."""
        return Answer({"results": self._pipeline(call)["stages"]})

    def stage(self, call: Call) -> Answer:
        """One stage of a pipeline."""
        for stage in self._pipeline(call)["stages"]:
            if stage["id"] == call.path("stage"):
                return Answer(stage)
        raise not_found()

    def _pipeline(self, call: Call) -> dict[str, Any]:
        kind = self._portal.table(call).kind
        for pipeline in self._directory.list_pipelines(kind):
            if pipeline["id"] == call.path("id"):
                return pipeline
        raise not_found()

    def properties(self, call: Call) -> Answer:
        """The property definitions of an object type in one class of sensitivity; none is archived.

        https://developers.hubspot.com/docs/api-reference/latest/crm/properties/sensitive-data
        """
        kind, knobs = self._portal.table(call).kind, self._portal.knobs
        wanted = call.query("dataSensitivity") or "non_sensitive"
        if wanted not in ("non_sensitive", "sensitive", "highly_sensitive"):
            raise invalid(f"dataSensitivity {wanted!r} is not one of non_sensitive, …")
        listed = [] if call.flag("archived") else properties(kind.name)
        found = [self._definition(kind, n) for n in listed if n not in knobs.unlisted_properties]
        return Answer({"results": [one for one in found if one["dataSensitivity"] == wanted]})

    def _definition(self, kind: ObjectType, name: str) -> dict[str, Any]:
        secret = name in self._portal.knobs.sensitive_properties
        found = definition(kind.name, name)
        return {**found, "dataSensitivity": "highly_sensitive"} if secret else found

    def property(self, call: Call) -> Answer:
        """One property definition."""
        kind = self._portal.table(call).kind
        if call.path("name") not in properties(kind.name):
            raise not_found(f"Property {call.path('name')} does not exist")
        return Answer(self._definition(kind, call.path("name")))

    def schemas(self, call: Call) -> Answer:
        """The custom objects."""
        self._portal.need(SCHEMAS_SCOPE)
        custom = [kind for kind in TYPES.values() if kind.custom]
        return Answer({"results": [] if call.flag("archived") else [_schema(k) for k in custom]})

    def schema(self, call: Call) -> Answer:
        """One custom object by any of its names."""
        self._portal.need(SCHEMAS_SCOPE)
        return Answer(_schema(self._portal.table(call).kind))

    def account(self, call: Call) -> Answer:
        """Account details."""
        now = datetime.fromtimestamp(call.now / 1000, TIME_ZONE)
        offset = now.utcoffset()
        assert offset is not None
        return Answer(
            {
                "portalId": PORTAL_ID,
                "accountType": "STANDARD",
                "timeZone": "US/Eastern",
                "companyCurrency": "USD",
                "additionalCurrencies": ["EUR"],
                "utcOffset": f"{now:%z}"[:3] + ":" + f"{now:%z}"[3:],
                "utcOffsetMilliseconds": int(offset.total_seconds() * 1000),
                "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "na1",
            }
        )

    def token(self, call: Call) -> Answer:
        """OAuth: a refresh token for an access token."""
        return Answer(self._portal.auth.refresh(call.body))


def _schema(kind: ObjectType) -> dict[str, Any]:
    label = kind.singular.replace("_", " ").capitalize()
    return {
        "id": kind.type_id.partition("-")[2],
        "objectTypeId": kind.type_id,
        "name": kind.singular,
        "fullyQualifiedName": f"p{PORTAL_ID}_{kind.singular}",
        "labels": {"singular": label, "plural": label + "s"},
        "primaryDisplayProperty": kind.defaults[0],
        "secondaryDisplayProperties": [],
        "searchableProperties": list(kind.defaults),
        "requiredProperties": list(kind.defaults),
        "properties": [definition(kind.name, name) for name in properties(kind.name)],
        "associations": [],
        "archived": False,
        "restorable": True,
        "metaType": "PORTAL_SPECIFIC",
        "createdAt": "2023-06-01T12:00:00.000Z",
        "updatedAt": "2025-02-03T09:12:44.120Z",
    }
