"""Record → row: find each value, parse it, check it, and note what was odd about it.

A clean record takes the fast path, one function generated per entity. Whatever makes that function
raise is gone through again field by field, and what is wrong stays with the field, or at worst
with the record, that is wrong. Nothing here reads a clock, a file or a database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import MappingProxyType
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import UNREAD, Entity, Key, Record
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import mask, one_line
from crm_sync_assets.rows.fastpath import compiled
from crm_sync_assets.rows.shape import BadRecord, Shape, Stage, unexpected
from crm_sync_assets.rows.values import NotClean, key_parser, parse_noting

LOGGED_PER_FIELD = 20
"""Lines one field may write to the log; what comes after them is counted."""

SHOWN = 100
"""Characters of a value that a log line shows."""

LONGEST_URL = 2_000
"""Characters of a record's address that a log line shows; a longer one leads nowhere."""

Row = tuple[Any, ...]
"""Values in the order of the entity's columns, and last the row's issues, None if it has none."""

Issue = dict[str, str]
"""{"field": column name, "problem": what is odd}; holds no value of a sensitive column."""

log = logger(__name__)


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
    business rules. `record_url` tells where a person can look at a record.
    """

    def __init__(
        self,
        entity: Entity,
        *,
        validate: bool = True,
        strict: bool = False,
        record_url: Callable[[Key], str | None] | None = None,
    ) -> None:
        self.entity = entity
        self._strict = strict
        self._validate = validate
        self._record_url = record_url
        self._shape = Shape(entity)
        self._rules = entity.rules if validate else ()
        self._view = RowView(entity.columns)
        self._fast = compiled(self._shape, validate=validate, strict=strict)
        self._found: Counter[str] = Counter()

    @property
    def found(self) -> Mapping[str, int]:
        """Problems per column so far, logged or not."""
        return MappingProxyType(self._found)

    def process(self, records: Sequence[Record]) -> Batch:
        """Rows and failures of these records. Raises nothing, whatever the records hold."""
        rows: list[Row] = []
        failures: list[Failure] = []
        issues = warnings = 0
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
                    issues += len(row[-1])
                    row = (*row[:-1], [self._checked(row, *found) for found in row[-1]])
            if rules:
                odd = self._broken_rules(row)
                if odd:
                    warnings += len(odd)
                    row = (*row[:-1], (row[-1] or []) + odd)
            append(row)
        return Batch(rows, failures, issues, warnings)

    # ── The careful path ─────────────────────────────────────────────────────────────────────

    def _carefully(self, record: Any) -> Row | Failure:
        key: Key | None = None
        stage: Stage = "parse"
        field: str | None = None
        kept = record
        try:
            key = self._key(record)
            if UNREAD in record:
                raise BadRecord("parse", one_line(str(record[UNREAD])))
            return self._row(record, key)
        except BadRecord as refused:
            stage, reason, field = refused.stage, refused.reason, refused.field
        except parsing.TooDeep as error:
            reason, kept = f"the record {error}", cut(record, parsing.MAX_DEPTH + 2)
        except Exception as error:  # noqa: BLE001  costs this record, not its neighbours
            reason = unexpected(error)
        record_id = "/".join(key) if key else None
        url = self._url(key) if key else None
        if field is None:
            shown = None if record_id is None else one_line(_shortened(record_id))
            self._say("record", "%s: set aside record %s: %s", self.entity, shown, reason)
        return Failure(record_id, stage, reason, field, kept, url)

    def _key(self, record: Any) -> Key:
        if not isinstance(record, dict):
            raise BadRecord("parse", f"the record is a {type(record).__name__}, not an object")
        return tuple(str(self._key_value(column, record)) for column in self.entity.key)

    def _key_value(self, column: Column, record: Record) -> Any:
        name = column.name
        try:
            raw = self._shape.raw(column, record)
            value = key_parser(column)(raw)
        except NotClean as error:
            raise BadRecord("parse", f"the key {name} {error}", name) from None
        except ValueError as error:
            raise BadRecord("parse", f"the key {name} {error}", name) from None
        return value

    def _row(self, record: Record, key: Key) -> Row:
        issues: list[Issue] = []
        unread: dict[str, Any] = {}
        values = [
            self._value(column, record, key, issues, unread) if column.kind != "rest" else None
            for column in self.entity.columns
        ]
        rest = self._shape.rest
        if rest is not None:
            changes: set[str] = set()
            left = self._shape.left(record, changes) or {}
            self._note_changes(rest, None, changes, key, issues)
            values[self._shape.position[rest.name]] = (left | unread) or rest.default
        return (*values, issues or None)

    def _value(
        self,
        column: Column,
        record: Record,
        key: Key,
        issues: list[Issue],
        unread: dict[str, Any],
    ) -> Any:
        if column.key:
            return self._key_value(column, record)
        changes: set[str] = set()
        raw: Any = None
        try:
            raw = self._shape.raw(column, record)
            if raw is None:
                return column.default
            value = parse_noting(column, raw, changes)
        except parsing.TooDeep:
            raise
        except ValueError as error:
            self._refuse_or_note(column, raw, str(error), key, issues, unread)
            return column.default
        self._note_changes(column, raw, changes, key, issues)
        if value is None:
            return column.default
        if self._validate and column.validate is not None:
            problem = column.validate(value)
            if problem is not None:
                self._warn(column.name, column, value, problem, key)
                if self._strict:
                    raise BadRecord("validate", f"{column.name} {problem}", column.name)
                issues.append({"field": column.name, "problem": problem})
        return value

    def _refuse_or_note(
        self,
        column: Column,
        raw: Any,
        reason: str,
        key: Key,
        issues: list[Issue],
        unread: dict[str, Any],
    ) -> None:
        word = {"id_list": "json", "rest": "json"}.get(column.kind, column.kind)
        self._say(
            column.name,
            "Failed to parse %s value: '%s' in field '%s' for %s %s",
            word,
            _shown(raw, column),
            column.name,
            self.entity.crm,
            one_line(_shortened("/".join(key))),
        )
        # What stands for nothing could be the opposite of what was meant and cannot be read.
        if self._strict or not column.nullable:
            problem = f"{column.name} cannot be read as {word}: it {reason}"
            raise BadRecord("parse", problem, column.name)
        problem = f"cannot be read as {word}: it {reason}"
        rest = self._shape.rest
        if raw is None:
            pass  # what stands where an object should be is not this column's; `left` keeps it
        elif not column.sensitive:
            problem += f" ('{_shown(raw, column)}')"
        elif rest is None or not rest.sensitive:
            problem += " (value not kept: it is sensitive)"
        if raw is not None and rest is not None and (rest.sensitive or not column.sensitive):
            unread[self._shape.source_name(column)] = _storable(raw)
        issues.append({"field": column.name, "problem": problem})

    def _note_changes(
        self, column: Column, raw: Any, changes: set[str], key: Key, issues: list[Issue]
    ) -> None:
        for change in sorted(changes):
            problem = f"changed: {change}"
            self._warn(column.name, column, raw, problem, key)
            issues.append({"field": column.name, "problem": problem})

    # ── Findings ─────────────────────────────────────────────────────────────────────────────

    def _checked(self, row: Row, position: int, problem: str) -> Issue:
        column = self.entity.columns[position]
        self._warn(column.name, column, row[position], problem, self._key_of(row))
        return {"field": column.name, "problem": problem}

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
                self._warn(field, column, value, problem, self._key_of(row))
                odd.append({"field": field, "problem": problem})
        return odd

    def _key_of(self, row: Row) -> Key:
        return tuple(str(row[position]) for position in self._shape.key_positions)

    def _url(self, key: Key) -> str | None:
        if self._record_url is None:
            return None
        try:
            return self._record_url(key)
        except Exception as error:  # noqa: BLE001  a row is worth more than its link
            self._say("record", "%s: no URL for a record: %s", self.entity, unexpected(error))
            return None

    def _warn(self, field: str, column: Column | None, value: Any, problem: str, key: Key) -> None:
        if self._found[field] >= LOGGED_PER_FIELD:
            self._say(field, "")
            return
        names = [column.name for column in self.entity.key]
        parts = map(_shortened, key)
        record = ", ".join(f"{name}={part}" for name, part in zip(names, parts, strict=True))
        url = self._url(key)
        self._say(
            field,
            "Validation warning for field '%s' with value '%s' (Record: %s): %s%s",
            field,
            _shown(value, column),
            one_line(record),
            problem,
            f" {one_line(url)}" if url and len(url) <= LONGEST_URL else "",
        )

    def _say(self, field: str, message: str, *arguments: object) -> None:
        self._found[field] += 1
        count = self._found[field]
        if count <= LOGGED_PER_FIELD:
            log.warning(message, *arguments)
        elif count == LOGGED_PER_FIELD + 1:
            log.warning(
                "%s: further warnings for field %s are counted, not logged", self.entity, field
            )


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


def _storable(raw: Any) -> Any:
    """A value that would not parse, as near to what was sent as jsonb can keep it."""
    try:
        return parsing.sanitise([raw], set())[0]
    except parsing.TooDeep:
        raise
    except ValueError:
        return raw.hex() if isinstance(raw, bytes | bytearray) else one_line(repr(raw)[:1000])


def cut(value: Any, levels: int) -> Any:
    """The value without what is nested deeper; what is left is still refused as too deep."""
    if isinstance(value, dict):
        return {name: cut(item, levels - 1) for name, item in value.items()} if levels else {}
    if isinstance(value, list | tuple):
        return [cut(item, levels - 1) for item in value] if levels else []
    return value


def _shown(value: Any, column: Column | None) -> str:
    """The value as a log line or an issue may show it."""
    try:
        text = value if isinstance(value, str) else parsing.text(value) or ""
    except (ValueError, RecursionError):
        text = f"({type(value).__name__})"
    if column is not None and column.sensitive:
        return mask(text[:1000], column.kind)
    return one_line(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
