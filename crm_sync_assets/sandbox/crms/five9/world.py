"""What the domain holds, and what happens there."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.five9.fields import (
    CREATED,
    FIELDS,
    ID,
    KIND,
    LISTS,
    MAKERS,
    MODIFIED,
    MODIFIED_FIELD,
    MORE,
    ContactField,
    wall,
)
from crm_sync_assets.sandbox.crms.five9.knobs import Five9Knobs
from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.seeded import Base
from crm_sync_assets.sandbox.store import Table, Version

Row = dict[str, str | None]
KINDS = "contacts"


class World(Life[Table]):
    """Contacts of one domain; its lists are views on them."""

    def __init__(self, stage: Stage, knobs: Five9Knobs, contacts: int) -> None:
        self._count, self._knobs = contacts, knobs
        super().__init__(stage)

    def begin(self) -> Mapping[str, Table]:
        self._rows: dict[int, tuple[Version | None, Row]] = {}
        return {KINDS: Table(Base(self.seed, KIND, self._count, MAKERS, ()))}

    # -- what happens ----------------------------------------------------------------------------

    def checked(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        """As Five9 has it, in which everything is a text."""
        known = super().checked(table, {n: v for n, v in values.items() if n != MORE.name})
        more = {n: v for n, v in values.items() if n == MORE.name}
        return {n: None if v is None else str(v) for n, v in {**known, **more}.items()}

    def call(self, id: str, disposition: str = "No Answer") -> str:
        """Somebody of the first list was called."""
        with self.lock:
            now = wall(self.clock.now_ms())
            said = {
                "sys_last_disposition": disposition,
                "sys_last_disposition_time": now,
                "sys_last_agent": "sam@example.com",
                "last_campaign": "Outbound OH",
                "last_list": LISTS[0],
            }
            return self.edit(KINDS, id, said)

    # -- what there is ---------------------------------------------------------------------------

    @property
    def fields(self) -> list[ContactField]:
        """Those of the domain, in their order."""
        found = [ContactField(f.name, f.type) if self._hides(f) else f for f in FIELDS]
        return [*found, MORE] if self._knobs.five9_more_fields else found

    def _hides(self, field: ContactField) -> bool:
        return self._knobs.five9_unmapped and field == MODIFIED_FIELD

    @property
    def names(self) -> list[str]:
        """Of an answer's values, in the order in which they come."""
        return [ID, *(field.name for field in self.fields)]

    def row(self, number: int, version: Version | None = None) -> Row:
        """A contact's values by their fields."""
        known = self._rows.get(number)
        if known is not None and known[0] is version:
            return known[1]
        table = self.table(KINDS)
        values = table.values(number, version)
        found: Row = {name: values.get(name) for name in (ID, *MAKERS, CREATED, MODIFIED)}
        if MORE.name in values:
            found[MORE.name] = values[MORE.name]
        self._rows[number] = version, found
        return found

    def shown(self, now: int) -> Iterator[tuple[int, Row]]:
        """Contacts that an answer may have, in an order that means nothing."""
        with self.lock:
            seen = [(n, self.row(n, v)) for n, v in self.table(KINDS).walk(0, False, now)]
        yield from sorted(seen, key=lambda one: one[0] * 2_654_435_761 % 4_294_967_296)

    def sizes(self, now: int) -> dict[str, int]:
        """How many contacts each list has."""
        found = dict.fromkeys((*LISTS, "Empty"), 0)
        with self.lock:
            for number, _ in self.table(KINDS).walk(0, False, now):
                for name in self._lists_of(number):
                    found[name] += 1
        return found

    def _lists_of(self, number: int) -> Sequence[str]:
        if self._knobs.five9_lists_have_all:
            return LISTS[:1]
        if number % 5 == 4:
            return ()
        return (LISTS[number % 2], LISTS[2]) if number % 7 == 0 else (LISTS[number % 2],)

    # -- truth -----------------------------------------------------------------------------------

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """Every contact that ever existed, as it finally is: {"key", "state", "record"}."""
        table = self.table(what)
        for number in range(table.next_number):
            with self.lock:
                state, version = table.state(number, None)
                record = dict(self.row(number, version))
            yield {"key": [table.id_of(number)], "state": state, "record": record}


def fits(value: str, *, blank: bool) -> Callable[[str | None], bool]:
    """Whether a value meets a criterion: as it stands, or with % for any characters."""
    if value == "":
        return lambda have: blank and not have
    if "%" not in value:
        return lambda have: have == value
    if value.count("%") == 1 and value.endswith("%"):
        head = value[:-1]
        return lambda have: bool(have) and str(have).startswith(head)
    pattern = re.compile(".*".join(map(re.escape, value.split("%"))), re.DOTALL)
    return lambda have: bool(have) and pattern.fullmatch(str(have)) is not None
