"""A query as it is carried out: which records it finds, and what it says of each."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.salesforce.fields import COMPOUND, Cell, Field, Row
from crm_sync_assets.sandbox.crms.salesforce.matching import (
    Holds,
    Reader,
    Refused,
    bounds,
    compiled,
    sort,
)
from crm_sync_assets.sandbox.crms.salesforce.objects import Object
from crm_sync_assets.sandbox.crms.salesforce.soql import Malformed, Query
from crm_sync_assets.sandbox.crms.salesforce.world import World
from crm_sync_assets.sandbox.store import Version

MOST_OFFSET = 2_000
MOST_OF_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """What was asked for: a field, or with `via` a field of the record that one refers to."""

    field: Field
    read: Reader
    via: Field | None = None

    @property
    def path(self) -> str:
        """As the header of a CSV has it."""
        return f"{self.via.relationship}.{self.field.name}" if self.via else self.field.name


class Selection:
    """A query of the records that can be seen, with deleted and archived ones where `all`.

    Raises Malformed and Refused.
    """

    def __init__(self, world: World, query: Query, *, all: bool) -> None:
        self._world, self.query, self.all = world, query, all
        self.table = object_named(world, query.object)
        self.fields = world.fields(self.table)
        self._spelled = {name.lower(): name for name in self.fields}
        self.columns = self._columns()
        self._holds: Holds = compiled(query.where, self.field, self._reader)
        for order in query.order:
            self.field(order.field)
        if (query.offset or 0) > MOST_OFFSET:
            raise Refused(
                "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MOST_OFFSET}"
            )

    # -- fields ----------------------------------------------------------------------------------

    def field(self, path: str) -> Field:
        """A field by its name, whatever case. Refused where there is none."""
        return self._column(path).field

    def _reader(self, path: str) -> Reader:
        return self._column(path).read

    def _columns(self) -> list[Column]:
        query = self.query
        if query.every:
            if query.limit is None or query.limit > MOST_OF_FIELDS:
                raise Malformed(
                    f"The SOQL FIELDS function must have a LIMIT of at most {MOST_OF_FIELDS}"
                )
            custom = {"ALL": (False, True), "STANDARD": (False,), "CUSTOM": (True,)}[query.every]
            return [self._column(n) for n, f in self.fields.items() if f.is_custom in custom]
        found = [self._column(path) for path in query.fields]
        paths = [column.path for column in found]
        if twice := [path for path in paths if paths.count(path) > 1]:
            raise Refused("INVALID_FIELD", f"duplicate field selected: {twice[0]}")
        return found

    def _column(self, path: str) -> Column:
        stem, dot, rest = path.partition(".")
        if dot:
            return self._related(path, stem, rest)
        name = self._spelled.get(path.lower())
        if name is None:
            raise self._unknown(path, self.table.kind.name)
        return Column(self.fields[name], self.table.reader(name))

    def _related(self, path: str, stem: str, rest: str) -> Column:
        for field in self.fields.values():
            if (field.relationship or "").lower() != stem.lower():
                continue
            for target in field.refers:
                if target not in self._world.tables or target in self._world.closed:
                    continue
                seen = self._world.fields(self._world.tables[target])
                name = next((n for n in seen if n.lower() == rest.lower()), None)
                if name is not None:
                    return Column(seen[name], self._across(field, name), field)
            raise self._unknown(rest, field.refers[0] if field.refers else path)
        raise Refused(
            "INVALID_FIELD",
            f"Didn't understand relationship '{stem}' in field path. If you are attempting to use "
            "a custom relationship, be sure to append the '__r' after the relationship name.",
        )

    def _across(self, via: Field, name: str) -> Reader:
        own = self.table.reader(via.name)

        def read(number: int, version: Version | None) -> Any:
            seen = self._referred(via, own(number, version))
            return None if seen is None else seen[0].reader(name)(*seen[1:])

        return read

    def _referred(self, via: Field, id: str | None) -> tuple[Object, int, Version | None] | None:
        for target in via.refers:
            table = self._world.tables.get(target)
            found = table.number_of(id) if table is not None and id else None
            if table is not None and found is not None:
                return table, found, table.state(found, self._world.clock.now_ms())[1]
        return None

    def _unknown(self, name: str, entity: str) -> Refused:
        return Refused(
            "INVALID_FIELD",
            f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
            "field, be sure to append the '__c' after the custom field name. Please reference your "
            "WSDL or the describe call for the appropriate names.",
        )

    # -- records ---------------------------------------------------------------------------------

    def found(self, now: int) -> tuple["array[int]", dict[int, Version]]:
        """The numbers of the records in order, and the versions of those that were written to."""
        rows = list(self._matching(self._numbers(), now) if self.whole else self._first(now))
        sort(rows, self.query.order, self.field, self._reader)
        start = self.query.offset or 0
        limit = self.query.limit
        rows = rows[start : None if limit is None else start + limit]
        numbers = array("q", (number for number, _ in rows))
        return numbers, {number: version for number, version in rows if version is not None}

    def seen(self, number: int, now: int, *, matching: bool) -> tuple[int, Version | None] | None:
        """A record found before, as it is now; None where it is purged, or matches no more."""
        state, version = self.table.state(number, now)
        if state in (None, "purged") or (
            matching
            and not (
                self._world.is_shown(self.table, number, version, all=self.all)
                and self._holds(number, version)
            )
        ):
            return None
        return number, version

    @property
    def whole(self) -> bool:
        """Whether all that match have to be looked at; not for the first ones by their stamp."""
        query, stamp = self.query, self.table.kind.modified.lower()
        by = [order.field.lower() for order in query.order if not order.descending]
        return query.limit is None or by[:1] != [stamp] or len(by) < len(query.order)

    def _first(self, now: int) -> Iterator[tuple[int, Version | None]]:
        """Those that match and can be among the first ones, up to the limit, by their stamp."""
        order, times, (start, end) = *self.table.base.by_modified(), self._span()
        records, left, last = self.table.records, self._most, -1
        yield from self._matching(sorted(records), now)
        for place in range(start, end):
            number = order[place]
            # Stamps are told in whole seconds: those of one belong together.
            if left <= 0 and times[number] // 1_000 != last:
                return
            if number in records:
                continue
            for row in self._matching((number,), now):
                left, last = left - 1, times[number] // 1_000
                yield row

    @property
    def _most(self) -> int:
        return (self.query.offset or 0) + (self.query.limit or 0)

    def _matching(self, numbers: Iterable[int], now: int) -> Iterator[tuple[int, Version | None]]:
        return (row for row in self._candidates(numbers, now) if self._holds(*row))

    def _candidates(self, numbers: Iterable[int], now: int) -> Iterator[tuple[int, Version | None]]:
        table, shown = self.table, self._world.is_shown
        for number in numbers:
            record = table.records.get(number)
            version = None
            if record is not None:
                version = record.listed(now)
                if version is None or version.state == "purged":
                    continue
            if shown(table, number, version, all=self.all):
                yield number, version

    def _numbers(self) -> Iterable[int]:
        """Ascending: all, or those whose id and stamp can be within what is asked for."""
        table = self.table
        first, last = (self._number(id) for id in bounds(self.query.where, "Id"))
        numbers = range(first or 0, table.next_number if last is None else last + 1)
        if bounds(self.query.where, table.kind.modified) == ("", "~"):
            return numbers
        order, (start, end) = table.base.by_modified()[0], self._span()
        return sorted(n for n in {*order[start:end], *table.written} if n in numbers)

    def _span(self) -> tuple[int, int]:
        """From where and to where records of the beginning lie, by their stamps."""
        low, high = bounds(self.query.where, self.table.kind.modified)
        order, times = self.table.base.by_modified()
        start = bisect_left(order, epoch_ms(low), key=times.__getitem__) if low else 0
        end = len(order)
        if high != "~":
            # Stamps are told in whole seconds.
            end = bisect_right(order, epoch_ms(high) + 999, key=times.__getitem__)
        return start, end

    def _number(self, id: str) -> int | None:
        """The lowest number whose id is not below; None of no id of this object."""
        serial = self.table.kind.read_id(id)
        if serial is None:
            return None
        return min(self.table.base.number_from(serial), self.table.next_number)

    # -- what is said of them --------------------------------------------------------------------

    def cells(self, cell: Cell) -> Callable[[int, Version | None], list[Any]]:
        """The columns of a record, each as `cell` makes it."""
        if not any(column.via for column in self.columns):
            return self.table.rows(tuple(column.field.name for column in self.columns), cell)
        readers = [(column.field.type, column.read) for column in self.columns]
        return lambda number, version: [
            cell(type_, read(number, version), number) for type_, read in readers
        ]

    def records(self, rows: Iterable[tuple[int, Version | None]], version: str) -> list[Row]:
        """As JSON has them; what is referred to is nested."""
        read, columns = self.cells(lambda _type, value, _salt: value), self.columns
        own = self.table.reader("Id")
        found = []
        for number, seen in rows:
            record = {"attributes": attributes(self.table, own(number, seen), version)}
            for column, value in zip(columns, read(number, seen), strict=True):
                if column.via is None:
                    record[column.field.name] = value
                else:
                    self._nest(record, column, value, number, seen, version)
            found.append(record)
        return found

    def _nest(
        self, record: Row, column: Column, value: Any, number: int, seen: Version | None, at: str
    ) -> None:
        via = column.via
        assert via is not None
        assert via.relationship is not None
        other = self._referred(via, self.table.reader(via.name)(number, seen))
        if other is None:
            record[via.relationship] = None
            return
        inner = record.setdefault(via.relationship, {})
        inner.setdefault("attributes", attributes(other[0], other[0].id_of(other[1]), at))
        inner[column.field.name] = value

    def compounds(self) -> list[str]:
        """The columns that no CSV can hold."""
        return [c.path for c in self.columns if c.field.type in COMPOUND | {"base64"}]


def object_named(world: World, name: str) -> Object:
    """An object that can be seen, whatever case. Refused where there is none."""
    for known, table in world.tables.items():
        if known.lower() == name.lower() and known not in world.closed:
            return table
    raise Refused(
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, "
        "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
        "describe call for the appropriate names.",
    )


def attributes(table: Object, id: str, version: str) -> Row:
    """What every record begins with."""
    name = table.kind.name
    return {"type": name, "url": f"/services/data/{version}/sobjects/{name}/{id}"}


def counted(query: Query) -> Query:
    """The same query for counting: nothing is told of the records."""
    return replace(query, fields=("Id",), counts=False)
