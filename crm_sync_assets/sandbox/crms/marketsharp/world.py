"""What MarketSharp holds, and what happens there."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.marketsharp.knobs import MarketSharpKnobs
from crm_sync_assets.sandbox.crms.marketsharp.sets import (
    PLAIN,
    TYPED,
    key_of,
    kinds_of,
    modified_of,
    stored,
)
from crm_sync_assets.sandbox.crms.marketsharp.values import (
    COMPANY,
    COMPANY_GUID,
    guid_of,
    kind_of,
    maker,
    moment,
)
from crm_sync_assets.sandbox.life import Life, Moment
from crm_sync_assets.sandbox.seeded import Base
from crm_sync_assets.sandbox.store import Table, Version

Row = dict[str, str | None]
HOUR_MS = 3_600_000
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")

# How many there are of each contact, or in all.
SHARES: Mapping[str, float] = {
    "Contacts": 1,
    "ContactPhones": 1,
    "Addresses": 1,
    "Activities": 2,
    "Appointments": 1,
    "CustomFields": 3,
    "Inquiries": 1,
    "Jobs": 0.5,
    "ProductInterests": 1,
}
COUNTS = {
    "Companies": 1,
    "Employees": 12,
    "ActivityReferences": 6,
    "ActivityResults": 6,
    "AppointmentResults": 6,
    "InquirySourcePrimaries": 6,
    "InquirySourceSecondaries": 8,
    "InquiryStatuses": 6,
    "ProductDetails": 8,
    "ProductTypes": 6,
}


class World(Life[Table]):
    """A contact's type, which says in which of the sets it is, is the hidden field `_type`.

    The set of types has a record for each contact.
    """

    def __init__(self, stage: Stage, knobs: MarketSharpKnobs, contacts: int) -> None:
        self._contacts = contacts
        self._knobs = knobs
        # The newest row of each record, as long as it is of this version and the knobs are so.
        self._made: dict[tuple[str, int], tuple[Version | None, tuple[object, ...], Row]] = {}
        super().__init__(stage)

    def begin(self) -> Mapping[str, Table]:
        self._made.clear()
        counts = {name: round(self._contacts * share) for name, share in SHARES.items()} | COUNTS
        return {name: Table(self._base(name, count)) for name, count in counts.items()}

    def _base(self, name: str, count: int) -> Base:
        kind = kind_of(name)
        fields = {
            one: maker(name, one, what)
            for one, what in kinds_of(name).items()
            if one not in kind.system
        }
        if name == "Contacts":
            fields["_type"] = lambda _k, h, _p: str((h >> 11) % 3 + 1)
        return Base(self.seed, kind, count, fields, ())

    def read_only(self, table: Table) -> frozenset[str]:
        return super().read_only(table) | {"_type", "companyId"}

    # -- what happens ----------------------------------------------------------------------------

    def create(
        self, type: str, properties: Mapping[str, Any] | None = None, at: Moment | None = None
    ) -> str:
        """A new record of the company; a contact begins as a prospect."""
        known = self.table(type).base.names()
        always = {"_type": "1", "companyId": COMPANY}
        given = {name: value for name, value in always.items() if name in known}
        return super().create(type, {**given, **(properties or {})}, at)

    def convert(self, id: str, type: str) -> None:
        """A contact is a prospect (1), a lead (2) or a customer (3) from now on."""
        self.edit("Contacts", id, {"_type": type})

    def type_of(self, id: str) -> str:
        """What a contact is, as `convert` has it."""
        return str(self.get("Contacts", id)["properties"]["_type"])

    def ids_of(self, name: str) -> list[str]:
        """The ids of a set's live records, also of one that is a part of another."""
        return [row["key"][0] for row in self.truth(name) if row["state"] == "live"]

    # -- what there is ---------------------------------------------------------------------------

    def rows(self, name: str, now: int) -> Iterator[Row]:
        """The records of a set as lists have them, with their shown names."""
        of = "Contacts" if name == "ContactTypes" else stored(name)
        for number, version in self.table(of).walk(0, False, now):
            if self._belongs(name, number, version):
                yield self.row(name, number, version)

    def row(self, name: str, number: int, version: Version | None) -> Row:
        """A record as the API has it: all in text, its moments as its clock shows them."""
        if name == "ContactTypes":
            return self._type_of(number, version)
        knobs = self._knobs
        odd = (
            knobs.marketsharp_hours,
            knobs.marketsharp_guid_company,
            knobs.marketsharp_plain_names,
        )
        place = (stored(name), number)
        made = self._made.get(place)
        if made is None or made[0] is not version or made[1] != odd:
            made = self._made[place] = (version, odd, self._row(name, number, version))
        return made[2]

    def _row(self, name: str, number: int, version: Version | None) -> Row:
        values = self.table(stored(name)).values(number, version)
        found: Row = {}
        for one, kind in kinds_of(name).items():
            value = values[one]
            if kind == "moment" and value and not one.endswith("Utc"):
                value = self._shown(value)
            if self._knobs.marketsharp_guid_company and value == COMPANY:
                value = COMPANY_GUID if one == "companyId" else value
            found[self.spelled(one)] = value
        if name == "Companies":
            guid = self._knobs.marketsharp_guid_company
            found |= {"id": COMPANY_GUID if guid else COMPANY, "number": COMPANY}
        return found

    def spelled(self, property: str) -> str:
        """How the schema spells it."""
        return PLAIN.get(property, property) if self._knobs.marketsharp_plain_names else property

    def kinds(self, name: str) -> dict[str, str]:
        """The kinds of a set's properties by their shown names."""
        return {self.spelled(one): kind for one, kind in kinds_of(name).items()}

    def _shown(self, value: str) -> str:
        hours = self._knobs.marketsharp_hours
        return moment(epoch_ms(value) + round(hours * HOUR_MS)) if hours else value

    def _type_of(self, number: int, version: Version | None) -> Row:
        values = self.table("Contacts").values(number, version)
        return {
            "id": guid_of("ContactTypes", number + 1),
            "contactId": values["id"],
            "contactType": values["_type"],
            "isActive": "true",
        }

    def _belongs(self, name: str, number: int, version: Version | None) -> bool:
        if name not in TYPED[1:]:
            return True
        return bool(
            self.table("Contacts").values(number, version)["_type"] == str(TYPED.index(name))
        )

    # -- truth -----------------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """Every record of a set that ever existed: {"key", "state", "modified", "record"}.

        One that belongs to another set now is gone from this one. Characters that no XML has are
        in no value.
        """
        table = self.table("Contacts" if what == "ContactTypes" else stored(what))
        modified = modified_of(what)
        for number in range(table.next_number):
            with self.lock:
                state, version = table.state(number, None)
                row = self.row(what, number, version)
                if state == "live" and not self._belongs(what, number, version):
                    state = "purged"
            record = {n: v if v is None else _NO_XML.sub("", v) for n, v in row.items()}
            yield {
                "key": [COMPANY if what == "Companies" else record[key_of(what)]],
                "state": state,
                "modified": record[modified] if modified else None,
                "record": record,
            }
