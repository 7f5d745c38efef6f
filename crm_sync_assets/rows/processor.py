"""Record → row: find each value, parse it, check it, and note what was odd about it.

A clean record takes the fast path, one function generated per entity. Whatever makes that function
raise is gone through again field by field, and what is wrong stays with the field, or at worst
with the record, that is wrong. Nothing here reads a clock, a file or a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import MappingProxyType
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.rows.carefulpath import CarefulPath
from crm_sync_assets.rows.fastpath import compiled
from crm_sync_assets.rows.fieldlog import FieldLog
from crm_sync_assets.rows.shape import BadRecord, Issue, Shape, Stage, unexpected
from crm_sync_assets.rows.shape import Row as Row


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that becomes no row; `stage` says which step refused it.

    `record` is what was sent, whatever its shape, cut only where it is nested too deep to be
    written down; `reason` quotes no value.
    """

    record_id: str | None
    stage: Stage
    reason: str
    field: str | None
    record: Any = dataclass_field(repr=False)
    url: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some records: each is one row or one failure, both in the records' order.

    `issues` counts values that would not parse, were changed to be storable, or failed a check;
    `warnings` counts what business rules found.
    """

    rows: list[Row]
    failures: list[Failure]
    issues: int
    warnings: int


class Processor:
    """Turns the records of one entity into rows; one instance per sync.

    `strict` sets a record aside for a value that cannot be parsed or fails its check; otherwise
    such a value is NULL or stored as it came, and noted. `validate=False` leaves out checks and
    business rules. `record_url` tells where a person can look at a record. `log_each` gives each
    odd value a line in the log.
    """

    def __init__(
        self,
        entity: Entity,
        *,
        validate: bool = True,
        strict: bool = False,
        record_url: Callable[[Key], str | None] | None = None,
        log_each: bool = False,
    ) -> None:
        self.entity = entity
        self._shape = Shape(entity)
        self._rules = entity.rules if validate else ()
        self._view = RowView(entity.columns)
        self._fast = compiled(self._shape, validate=validate, strict=strict)
        self._log = FieldLog(entity, record_url, each=log_each)
        self._strict = strict
        self._records = 0
        self._careful = CarefulPath(
            entity, self._shape, self._log, validate=validate, strict=strict
        )

    @property
    def found(self) -> Mapping[str, int]:
        """Problems per column so far, logged or not."""
        return MappingProxyType(self._log.found)

    def sum_up(self, *, stores: bool = True) -> None:
        """Log what was odd about the records so far, a line per field; `stores` where rows are
        kept, that have their issues beside them."""
        entity, advice = self.entity, ""
        if stores and self._strict:
            advice = f"`crm-sync quarantine list --crm {entity.crm} --entity {entity.sync_type}` "
            advice += "lists what was set aside"
        elif stores:
            names = [column.name for column in entity.key]
            # PostgreSQL takes capitals for small letters, unless they are quoted.
            quote = '"' if all(name == name.lower() for name in names) else "'"
            keys = ", ".join(n if n == n.lower() else f'"{n}"' for n in names)
            advice = (  # shown to a person, not run
                f"each is beside its row: `crm-sync sql {quote}SELECT {keys}, sync_issues FROM "  # noqa: S608
                f"{entity.table} WHERE sync_issues IS NOT NULL{quote}`"
            )
        self._log.sum_up(self._records, advice=advice)

    def process(self, records: Sequence[Record]) -> Batch:
        """Rows and failures of these records. Raises nothing, whatever the records hold."""
        rows: list[Row] = []
        failures: list[Failure] = []
        issues = warnings = 0
        self._records += len(records)
        fast, rules, append = self._fast, self._rules, rows.append
        for record in records:
            try:
                row = fast(record)
            except Exception:  # noqa: BLE001  the careful path finds out what it was
                made = self._carefully(record)
                if isinstance(made, Failure):
                    failures.append(made)
                    continue
                row = made
                if row[-1]:
                    issues += len(row[-1])
            else:
                if row[-1] is not None:
                    noted = [issue for found in row[-1] if (issue := self._checked(row, *found))]
                    issues += len(noted)
                    row = (*row[:-1], noted or None)
            if rules:
                odd = self._broken_rules(row)
                if odd:
                    warnings += len(odd)
                    row = (*row[:-1], (row[-1] or []) + odd)
            append(row)
        return Batch(rows, failures, issues, warnings)

    def _carefully(self, record: Any) -> Row | Failure:
        key: Key | None = None
        stage: Stage = "parse"
        field: str | None = None
        kept = record
        try:
            key = self._careful.key(record)
            return self._careful.row(record, key)
        except BadRecord as refused:
            stage, reason, field = refused.stage, refused.reason, refused.field
        except parsing.TooDeep as error:
            reason, kept = f"the record {error}", cut(record, parsing.MAX_DEPTH + 2)
        except Exception as error:  # noqa: BLE001  costs this record, not its neighbours
            reason = unexpected(error)
        record_id = "/".join(key) if key else None
        url = self._log.url(key) if key else None
        if field is None:
            self._log.set_aside(record_id, reason)
        return Failure(record_id, stage, reason, field, kept, url)

    def _checked(self, row: Row, position: int, problem: str) -> Issue | None:
        column = self.entity.columns[position]
        country = self._shape.countries.get(column.name)
        where = row[self._shape.position[country.name]] if country else None
        found = self._shape.second_look(column, row[position], problem, where)
        if found is None:
            return None
        self._log.warn(column.name, column, row[position], found, self._key_of(row))
        return {"field": column.name, "problem": found}

    def _broken_rules(self, row: Row) -> list[Issue]:
        view = self._view
        view.row = row
        odd: list[Issue] = []
        for rule in self._rules:
            try:
                found = list(rule(view))
            except Exception as error:  # noqa: BLE001
                # A mistake in a rule is no reason to lose the row it looked at.
                found = [("", f"rule {rule.__name__}: {unexpected(error)}")]
            for field, problem in found:
                position = self._shape.position.get(field)
                column = None if position is None else self.entity.columns[position]
                value = None if position is None else row[position]
                self._log.warn(field, column, value, problem, self._key_of(row))
                odd.append({"field": field, "problem": problem})
        return odd

    def _key_of(self, row: Row) -> Key:
        return tuple(str(row[position]) for position in self._shape.key_positions)


class RowView(Mapping[str, Any]):
    """A row by column name, for business rules; one view is moved from row to row."""

    __slots__ = ("_position", "row")

    def __init__(self, columns: Sequence[Column], row: Row = ()) -> None:
        self._position = {column.name: place for place, column in enumerate(columns)}
        self.row = row

    def __getitem__(self, name: str) -> Any:
        return self.row[self._position[name]]

    def get(self, name: str, default: Any = None) -> Any:
        place = self._position.get(name)
        return default if place is None else self.row[place]

    def __contains__(self, name: object) -> bool:
        return name in self._position

    def __iter__(self) -> Iterator[str]:
        return iter(self._position)

    def __len__(self) -> int:
        return len(self._position)


def cut(value: Any, levels: int) -> Any:
    """The value without what is nested deeper; what is left is still refused as too deep."""
    if isinstance(value, dict):
        return {name: cut(item, levels - 1) for name, item in value.items()} if levels else {}
    if isinstance(value, list | tuple):
        return [cut(item, levels - 1) for item in value] if levels else []
    return value
