"""What SalesRabbit holds, and what happens there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salesrabbit.knobs import SalesRabbitKnobs
from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.people import address_of, email_of, first_of, last_of, phone_of
from crm_sync_assets.sandbox.seeded import Base, Kind, Maker
from crm_sync_assets.sandbox.store import Table, Version

Row = dict[str, Any]
STATUSES = ("Not Home", "Go Back", "Appointment Set", "Not Interested", "Sold")


def with_offset(milliseconds: int) -> str:
    """2024-04-12T13:12:44+00:00"""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).isoformat()


KINDS = {
    name: Kind(
        name,
        name.removesuffix("s"),
        "dateCreated",
        "dateModified",
        first_id=first,
        id_step=7,
        moment=with_offset,
        archived_every=0,
    )
    for name, first in (("leads", 123_456_000), ("users", 876_000))
}


def _one_of(*values: Any, shift: int = 7) -> Maker:
    return lambda _k, h, _p: values[(h >> shift) % len(values)]


FIELDS: Mapping[str, Mapping[str, Maker]] = {
    "leads": {
        "userName": _one_of("Pat Ng", "Sam Lee", None),
        "userId": lambda _k, h, _p: 876_000 + 7 * (h % 20),
        "firstName": first_of,
        "lastName": last_of,
        "businessName": _one_of(None, "", "Lakeside Roofing"),
        "phonePrimary": phone_of,
        "phoneAlternate": _one_of("", None, "6145550142"),
        "email": email_of,
        "street1": address_of,
        "street2": _one_of("", None, "Apt 2"),
        "city": lambda _k, h, p: p.cities[h % len(p.cities)],
        "state": _one_of("OH", "Ohio", ""),
        "zip": _one_of("43004", "43004-1234", None),
        "country": _one_of("US", None),
        "latitude": _one_of(39.990123, 0.0, None),
        "longitude": _one_of(-82.990456, 0.0, None),
        "status": lambda _k, h, _p: STATUSES[(h >> 5) % len(STATUSES)],
        "statusModified": lambda _k, _h, _p: None,
        "ownerModified": _one_of(None, "", "2024-04-10T18:00:00+00:00"),
        "notes": _one_of("Gate code", 'Said "call back" ☕', None),
        "appointment": _one_of(None, "tomorrow at 3", {"start": "2024-05-01T15:00:00+00:00"}),
        "campaignId": _one_of(3321, None),
        "dateOfBirth": _one_of(None, "", "1980-02-29"),
        "files": _one_of([], [{"name": "roof.jpg"}]),
        "customFields": _one_of({}, {"roofAge": "12", "siding": None, "stories": 2}),
        "integrationData": _one_of({}, {"leadconduit": "66193aba0c8ff20001a2b3c4"}),
        "_statuses": lambda *_: None,
    },
    "users": {
        "firstName": first_of,
        "lastName": last_of,
        "email": email_of,
        "phone": phone_of,
        "active": _one_of(True, True, False),
        "hireDate": _one_of("2023-02-01", None),
        "businessUnit": _one_of(None, "Roofing"),
        "department": _one_of("Sales", "Service"),
        "role": _one_of("Rep", "Manager"),
        "office": _one_of("Columbus", ""),
        "team": _one_of("North", "South", None),
        "region": _one_of("OH", None),
        "orgId": _one_of(4411),
        "supervisorId": _one_of(876_001, None),
        "recruiterId": _one_of(None, 876_008),
        "cmsId": _one_of(None, 12),
        "leadRepCmsId": _one_of(None),
        "photo_url": _one_of(None, "https://photos.example.com/1.jpg"),
        "externalIds": _one_of([], ["a-1"]),
    },
}


class World(Life[Table]):
    """A change of a lead's status is none of the lead, unless the knobs say so."""

    def __init__(self, stage: Stage, knobs: SalesRabbitKnobs, leads: int, users: int) -> None:
        self._counts = {"leads": leads, "users": users}
        self._knobs = knobs
        super().__init__(stage)

    def begin(self) -> Mapping[str, Table]:
        return {
            name: Table(Base(self.seed, kind, self._counts[name], FIELDS[name], ()))
            for name, kind in KINDS.items()
        }

    def dates(self, act: str) -> bool:  # noqa: ARG002  deleting a lead, and taking it back
        return True

    def read_only(self, table: Table) -> frozenset[str]:
        return super().read_only(table) | {"status", "statusModified", "_statuses"}

    # -- what happens ----------------------------------------------------------------------------

    def set_status(self, id: str, status: str) -> None:
        """A lead has another status from now on."""
        with self.lock:
            table, number = self.find("leads", id)
            now = with_offset(self.clock.now_ms())
            before = self.statuses(number, table.record(number).latest)
            changes = {
                "status": status,
                "statusModified": now,
                "_statuses": [*before, (status, now)],
            }
            if self._knobs.salesrabbit_status_dates:
                self.edit("leads", id, changes)
            else:
                self.live("leads", id)
                self.recalculate("leads", [id], changes)

    # -- what there is ---------------------------------------------------------------------------

    def statuses(self, number: int, version: Version | None) -> list[tuple[str, str]]:
        """The statuses that a lead had, each with its moment, the oldest first."""
        table = self.table("leads")
        given = version.changes.get("_statuses") if version else None
        if given:
            return list(given)
        first = table.values(number, None)["status"] if number < table.base.count else "Not Home"
        return [(first or "Not Home", with_offset(table.created(number)))]

    def histories(self, number: int, version: Version | None) -> list[Row]:
        """The entries of a lead's history, as the API has them."""
        table = self.table("leads")
        values = table.values(number, version)
        return [
            {
                "id": STATUSES.index(name) + 1 if name in STATUSES else 99,
                "name": name,
                "abbreviation": "".join(word[0] for word in name.split()),
                "active": True,
                "changedByUserId": values["userId"],
                "statusUpdated": moment,
                "leadCreated": values["dateCreated"],
                "leadModified": values["dateModified"],
            }
            for name, moment in self.statuses(number, version)
        ]

    def row(self, kind: str, number: int, version: Version | None = None) -> Row:
        """A record as the API has it."""
        table = self.table(kind)
        values = table.values(number, version)
        found = {name: value for name, value in values.items() if not name.startswith("_")}
        found["id"] = int(found["id"])
        if kind == "users":
            return found
        found["statusModified"] = self.statuses(number, version)[-1][1]
        archived = table.archived_at(number, version)
        found["deletedAt"] = with_offset(archived) if archived is not None else None
        if self._knobs.salesrabbit_nested:
            names = ("street1", "street2", "city", "state", "zip", "country")
            found["address"] = {name: found.pop(name) for name in names}
            found["coordinates"] = {n: found.pop(n) for n in ("latitude", "longitude")}
        return found

    # -- truth -----------------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[Row]:
        """Every record of a kind that ever existed, as it finally is: {"key", "state", "record"}.

        `histories` are the entries of every lead, with its state.
        """
        kind = "leads" if what == "histories" else what
        table = self.table(kind)
        for number in range(table.next_number):
            with self.lock:
                state, version = table.state(number, None)
                id = table.id_of(number)
                entries = self.histories(number, version) if what == "histories" else []
                record = self.row(kind, number, version)
            if what != "histories":
                yield {"key": [id], "state": state, "record": record}
            for entry in entries:
                moment = entry["statusUpdated"].replace("+00:00", "Z")
                key = [id, f"{entry['id']}-{moment}"]
                yield {"key": key, "state": state, "record": {"leadId": int(id), **entry}}
