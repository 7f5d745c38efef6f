"""What the org holds, and what happens there."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salesforce.catalogue import CHOICES, SPECS
from crm_sync_assets.sandbox.crms.salesforce.fields import Field, Row
from crm_sync_assets.sandbox.crms.salesforce.knobs import SalesforceKnobs
from crm_sync_assets.sandbox.crms.salesforce.objects import Object
from crm_sync_assets.sandbox.crms.salesforce.values import base_of, sample
from crm_sync_assets.sandbox.life import Life, Moment
from crm_sync_assets.sandbox.people import pools
from crm_sync_assets.sandbox.store import Record, Version

_CURRENCY = Field("CurrencyIsoCode", "picklist", choices=CHOICES["CurrencyIsoCode"])


class World(Life[Object]):
    """Deleting, restoring and merging move the stamp of a record; what it is calculated from does
    not. After fifteen days nothing is left of what was deleted but its entry in the log.
    """

    bin_days = 15

    def __init__(self, stage: Stage, knobs: SalesforceKnobs, contacts: int) -> None:
        self._contacts = contacts
        self.knobs = knobs
        super().__init__(stage)

    def begin(self) -> Mapping[str, Object]:
        self.hidden: set[tuple[str, str]] = set()
        self.closed: set[str] = set()
        self.generation = 0
        self._automated = False
        tables: dict[str, Object] = {}
        for name, spec in SPECS.items():
            live = spec.few or max(2, self._contacts * spec.share // 100)
            count = live if spec.few else live + live // 50
            tables[name] = Object(spec, base_of(spec, count, self.seed, tables))
        return tables

    # -- rules -----------------------------------------------------------------------------------

    def dates(self, act: str) -> bool:
        return act == "archive" or not self.knobs.salesforce_quiet_undelete

    def checked(self, table: Object, values: Mapping[str, Any]) -> Row:
        fields = self.fields(table)
        if unknown := [name for name in values if name not in fields or name in table.system]:
            raise ValueError(f"{table.kind.name} has no writable fields {unknown}")
        return dict(values)

    def read_only(self, table: Object) -> frozenset[str]:
        fields = self.fields(table)
        derived = {n for n, f in fields.items() if f.derived or f.type == "reference"}
        return table.system | derived

    def sample(self, table: Object, count: int, rng: random.Random) -> Row:
        """Of fields that were added later, too."""
        fixed, p = self.read_only(table), pools(self.seed)
        names = sorted(name for name in self.fields(table) if name not in fixed)
        chosen = rng.sample(names, min(count, len(names)))
        return {name: sample(self.fields(table)[name], rng, p) for name in chosen}

    def let_go(self, table: Object, gone: int, heir: int | None) -> None:
        """What referred to the loser of a merge refers to the winner, and says that it changed."""
        if heir is None:
            return
        before, after, name = table.id_of(gone), table.id_of(heir), table.kind.name
        for other in self.tables.values():
            for field in other.fields.values():
                if name not in field.refers or field.derived:
                    continue
                for number in other.referring(field.name, before):
                    self.edit(other.kind.name, other.id_of(number), {field.name: after})

    def write(
        self, table: Object, record: Record, version: Version, *, quiet: bool = False
    ) -> None:
        before = record.versions[-1] if record.versions else None
        if version.state == "merged" and before is not None:
            version = replace(version, modified=self.later(before), archived_at=self.clock.now_ms())
        if before is None or before.modified != version.modified:
            moved = {} if self._automated else {"LastModifiedDate": version.modified}
            version = replace(version, changes={**version.changes, **moved})
        table.note(record.number, before, version, self.clock.now_ms())
        super().write(table, record, version, quiet=quiet)

    def archive(self, type: str, id: str) -> None:
        """Into the recycle bin, or its ValueError where nothing is ever deleted."""
        self._deletable(type)
        super().archive(type, id)

    def purge(self, type: str, id: str) -> None:
        """Past the recycle bin: only the log of deletions knows."""
        self._deletable(type)
        super().purge(type, id)

    def merge(self, type: str, primary: str, other: str) -> str:
        """The loser is in the recycle bin, and says who won."""
        if not self.table(type).spec.merges:
            raise ValueError(f"records of {type} are not merged")
        return super().merge(type, primary, other)

    def _deletable(self, type: str) -> None:
        if not self.table(type).spec.deletes:
            raise ValueError(f"records of {type} are never deleted")

    # -- what else happens -----------------------------------------------------------------------

    def automate(self, type: str, id: str, properties: Mapping[str, Any]) -> None:
        """A change that nobody made: the stamp moves, LastModifiedDate does not."""
        with self.lock:
            self._automated = True
            try:
                self.edit(type, id, properties)
            finally:
                self._automated = False

    def shelve(self, type: str, ids: list[str]) -> None:
        """Activities are archived: only queryAll has them, and their stamps stay."""
        self.recalculate(type, ids, {"IsArchived": True})

    def convert(self, id: str, at: Moment | None = None) -> dict[str, str]:
        """A lead becomes an account, a contact and an opportunity, and stays; their ids."""
        with self.lock:
            lead = self.get("Lead", id)["properties"]
            account = self.create("Account", {"Name": lead["Company"]}, at)
            names = {name: lead[name] for name in ("FirstName", "LastName", "Email", "Phone")}
            contact = self.create("Contact", {**names, "AccountId": account}, at)
            deal = {"Name": f"{lead['Company']}-", "AccountId": account, "StageName": "Prospecting"}
            made = {"ConvertedAccountId": account, "ConvertedContactId": contact,
                    "ConvertedOpportunityId": self.create("Opportunity", deal, at)}  # fmt: skip
            today = self.clock.now().date().isoformat()
            self.edit("Lead", id, {**made, "IsConverted": True, "ConvertedDate": today}, at)
            return made

    def empty_bin(self, type: str) -> int:
        """All that is in the recycle bin is gone; how many."""
        with self.lock:
            ids = self.ids(type, "archived")
            for one in ids:
                self.purge(type, one)
            return len(ids)

    def add_field(
        self,
        type: str,
        name: str,
        kind: str = "string",
        label: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        """A custom field more, empty everywhere (or false)."""
        with self.lock:
            table = self.table(type)
            if name in table.fields or not name.endswith("__c"):
                raise ValueError(
                    f"{type}: {name!r} is there already, or is no name of a custom field"
                )
            table.put_field(Field(name, kind, label, choices=tuple(choices)))

    def remove_field(self, type: str, name: str) -> None:
        """A custom field less."""
        with self.lock:
            if not name.endswith("__c"):
                raise ValueError(f"{name} is no custom field")
            self.table(type).drop_field(name)

    def hide_field(self, type: str, name: str) -> None:
        """The user of the API may not see it: as if it were not there."""
        with self.lock:
            if name not in self.table(type).fields:
                raise LookupError(f"{type} has no field {name!r}")
            self.table(type).hidden.add(name)

    def show_field(self, type: str, name: str) -> None:
        """It may be seen again."""
        with self.lock:
            self.table(type).hidden.discard(name)

    def hide_object(self, type: str) -> None:
        """The user of the API may not see the object."""
        self.closed.add(self.table(type).kind.name)

    def show_object(self, type: str) -> None:
        """It may be seen again."""
        self.closed.discard(type)

    def hide(self, type: str, id: str) -> None:
        """The user of the API may not see this record; nothing says so."""
        table, number = self.find(type, id)
        self.hidden.add((table.kind.name, table.id_of(number)))

    def show(self, type: str, id: str) -> None:
        """It may be seen again."""
        table, number = self.find(type, id)
        self.hidden.discard((table.kind.name, table.id_of(number)))

    def permit(self, view_all: bool) -> None:
        """Whether the user of the API has "View All Data"; which records that hides `hide` says."""
        kind = "UserPermissionAccess"
        self.recalculate(kind, self.ids(kind), {"PermissionsViewAllData": view_all})

    def expire_locators(self) -> None:
        """What leads to further pages is forgotten, as after two days."""
        self.generation += 1

    # -- what there is ---------------------------------------------------------------------------

    def fields(self, table: Object) -> dict[str, Field]:
        """The fields of an object that the user of the API sees, by name."""
        found = {name: f for name, f in table.fields.items() if name not in table.hidden}
        if self.knobs.salesforce_multicurrency and any(
            f.type == "currency" for f in found.values()
        ):
            found[_CURRENCY.name] = _CURRENCY
        return found

    def is_shown(self, table: Object, number: int, version: Version | None, *, all: bool) -> bool:
        """Whether a query has a record that is not purged: deleted and archived ones are in
        queryAll, until the recycle bin is emptied."""
        gone = table.gone_at(number, version)
        if gone is not None and (not all or self.is_emptied(gone)):
            return False
        if not all and table.is_old(number, version):
            return False
        return not self.hidden or (table.kind.name, table.id_of(number)) not in self.hidden

    def truth(self, what: str) -> Iterator[Row]:
        """Every record of an object that ever existed, as it finally is; `properties` are what a
        query has, in its words, of every field that can be seen."""
        return super().truth(what)

    def _true(self, table: Object, number: int) -> Row:
        found = super()._true(table, number)
        version = table.state(number, None)[1]
        found["properties"] = table.row(self.fields(table), number, version)
        return found
