"""The records of one object: every field of every version, and which of them are gone."""

from array import array
from collections.abc import Callable, Iterable
from typing import Any

from crm_sync_assets.sandbox.crms.salesforce.catalogue import Spec
from crm_sync_assets.sandbox.crms.salesforce.fields import PARTS, Cell, Field, Row
from crm_sync_assets.sandbox.crms.salesforce.matching import Reader
from crm_sync_assets.sandbox.crms.salesforce.values import (
    ADMIN,
    BORN,
    PEOPLE,
    SYSTEM,
    born_name,
    wire,
)
from crm_sync_assets.sandbox.seeded import Base
from crm_sync_assets.sandbox.store import Table, Version

_SOMEBODY = frozenset(["OwnerId", "CreatedById", "LastModifiedById"])
_MONEY = ("USD", "USD", "EUR")


class Object(Table):
    """A table whose records say more than was written: whether they are deleted, who won, what
    parts make an address.

    `fields` are those that there are now, `hidden` the names of those that nobody may see. `log`
    is when which number was deleted, epoch ms, whatever became of it later.
    """

    def __init__(self, spec: Spec, base: Base) -> None:
        super().__init__(base)
        self.spec = spec
        self.fields: dict[str, Field] = dict(spec.fields)
        self.hidden: set[str] = set()
        self.log: dict[int, int] = {}
        self.system = SYSTEM | self.kind.system | {born_name(spec)} | _compounds(spec)
        self._names = {"Name"} if spec.name in PEOPLE else set()
        self.system |= self._names
        self._readers: dict[str, Reader] = {}
        self._pointers: dict[str, array[int]] = {}

    def put_field(self, field: Field) -> None:
        """A field more, or another one of its name."""
        self.fields[field.name] = field
        self._readers.clear()

    def drop_field(self, name: str) -> None:
        """A field less. LookupError where there is none."""
        del self.fields[name]
        self._readers.clear()

    # -- what is gone ----------------------------------------------------------------------------

    def note(self, number: int, before: Version | None, after: Version, now: int) -> None:
        """Keep the log of deletions: a record that comes back is in it no more."""
        if after.state == "live":
            self.log.pop(number, None)
        elif number not in self.log:
            gone = before.archived_at if before else None
            self.log[number] = now if gone is None else gone

    def gone_at(self, number: int, version: Version | None) -> int | None:
        """When a record was deleted or merged away as of a version, epoch ms."""
        return self.archived_at(number, version)

    def is_old(self, number: int, version: Version | None) -> bool:
        """Whether it is an archived activity."""
        return "IsArchived" in self.fields and bool(self.reader("IsArchived")(number, version))

    # -- values ----------------------------------------------------------------------------------

    def reader(self, name: str) -> Reader:
        """A quick way to one field of many records, as JSON has its values."""
        if name not in self._readers:
            self._readers[name] = self._special(name) or self._stored(name)
        return self._readers[name]

    def _stored(self, name: str) -> Reader:
        field = self.fields.get(name)
        base, count = self.base.reader(name), self.base.count
        otherwise = _otherwise(name, field)

        def read(number: int, version: Version | None) -> Any:
            if version is not None and name in version.changes:
                value = version.changes[name]
            else:
                value = base(number) if number < count else None
            return otherwise if value is None or value == "" else value

        return read

    def _special(self, name: str) -> Reader | None:
        kind = self.kind
        if name == "Id":
            return lambda number, _version: self.id_of(number)
        if name == "CreatedDate":
            return lambda number, _version: wire(self.created(number))
        if name == kind.modified:
            return lambda number, version: wire(self.modified(number, version))
        if name == "LastModifiedDate":
            return self._last_modified
        if name == "IsDeleted":
            return lambda number, version: self.gone_at(number, version) is not None
        if name == "MasterRecordId":
            return self._winner
        if name in self._names:
            return self._full_name
        if name and name == born_name(self.spec):
            return lambda number, _version: BORN[name].format(number + 1)
        if name == "CurrencyIsoCode":
            return _currency
        field = self.fields.get(name)
        return self._compound(field) if field is not None and field.type == "address" else None

    def _last_modified(self, number: int, version: Version | None) -> str:
        written = version.changes.get("LastModifiedDate") if version else None
        if written is None and number < self.base.count:
            written = self.base.modified(number)
        return wire(self.created(number) if written is None else written)

    def _winner(self, _number: int, version: Version | None) -> str | None:
        into = version.merged_into if version else None
        return None if into is None else self.id_of(into)

    def _full_name(self, number: int, version: Version | None) -> str | None:
        parts = (self.reader(name)(number, version) for name in ("FirstName", "LastName"))
        return " ".join(part for part in parts if part) or None

    def _compound(self, field: Field) -> Reader:
        stem = field.name.removesuffix("Address")
        parts = {part: self.reader(stem + part) for part in PARTS}

        def read(number: int, version: Version | None) -> Row | None:
            found = {part: read(number, version) for part, read in parts.items()}
            if not any(found.values()):
                return None
            return {
                "city": found["City"], "country": found["Country"], "geocodeAccuracy": None,
                "latitude": None, "longitude": None, "postalCode": found["PostalCode"],
                "state": found["State"], "street": found["Street"],
            }  # fmt: skip

        return read

    def row(self, names: Iterable[str], number: int, version: Version | None) -> Row:
        """Some fields of a record."""
        return {name: self.reader(name)(number, version) for name in names}

    def referring(self, name: str, id: str) -> list[int]:
        """The numbers of live records whose field of that name says this id."""
        if name not in self._pointers:
            first, every = self.base.reader(name), range(self.base.count)
            self._pointers[name] = array("q", (hash(first(number)) for number in every))
        read, pointers, wanted = self.reader(name), self._pointers[name], hash(id)
        places, start = set(self.written), 0
        while start < len(pointers):
            try:
                start = pointers.index(wanted, start) + 1
            except ValueError:
                break
            places.add(start - 1)
        states = ((number, *self.state(number, None)) for number in sorted(places))
        return [n for n, state, seen in states if state == "live" and read(n, seen) == id]

    # -- many at once ----------------------------------------------------------------------------

    def rows(
        self, names: tuple[str, ...], cell: Cell
    ) -> Callable[[int, Version | None], list[Any]]:
        """The quickest way to the same fields of very many records, `cell` made of each value."""
        readers = [(self.fields[name].type if name in self.fields else "", self.reader(name))
                   for name in names]  # fmt: skip
        untouched = self._untouched(names, cell)

        def read(number: int, version: Version | None) -> list[Any]:
            if version is None and number < self.base.count:
                return untouched(number)
            return [cell(type_, one(number, version), number) for type_, one in readers]

        return read

    def _untouched(self, names: tuple[str, ...], cell: Cell) -> Callable[[int], list[Any]]:
        """Of records of the beginning: the variants of a block are made into cells but once."""
        base, at = self.base, {name: place for place, name in enumerate(names)}
        blocks, taken = [], set[str]()
        for place, block in enumerate(base.blocks):
            held = [n for n in block.names if n in at and self._special(n) is None]
            if held:
                taken |= set(held)
                blocks.append((place, [at[n] for n in held], self._cells(place, held, cell)))
        single, own = [], []
        for name in names:
            type_ = self.fields[name].type if name in self.fields else ""
            if name in base.unique and (name in self._names or self._special(name) is None):
                own.append((at[name], type_, base.unique[name]))
            elif name not in taken:
                single.append((at[name], type_, self.reader(name)))
        size, pools = len(names), base.pools

        def read(number: int) -> list[Any]:
            found: list[Any] = [None] * size
            h = base.mix(number)
            for place, places, variants in blocks:
                for at, value in zip(places, variants[base.variant(place, number, h)], strict=True):
                    found[at] = value
            for at, type_, make in own:
                found[at] = cell(type_, make(number, h, pools), number)
            for at, type_, one in single:
                found[at] = cell(type_, one(number, None), number)
            return found

        return read

    def _cells(self, block: int, names: list[str], cell: Cell) -> list[list[Any]]:
        held = self.base.blocks[block]
        # A job may read a field that was removed since.
        fields = {name: self.fields.get(name) for name in names}
        places = [(held.names.index(name), field.type if field else "", _otherwise(name, field))
                  for name, field in fields.items()]  # fmt: skip
        return [
            [
                cell(type_, otherwise if variant[at] in (None, "") else variant[at], salt + at)
                for at, type_, otherwise in places
            ]
            for salt, variant in enumerate(held.variants)
        ]


def _currency(number: int, version: Version | None) -> Any:
    written = version.changes.get("CurrencyIsoCode") if version else None
    return written or _MONEY[number % len(_MONEY)]


def _otherwise(name: str, field: Field | None) -> Any:
    """What a field says to which nothing was written."""
    if field is not None and field.type == "boolean":
        return False
    return ADMIN if name in _SOMEBODY else None


def _compounds(spec: Spec) -> frozenset[str]:
    return frozenset(name for name, field in spec.fields.items() if field.type == "address")
