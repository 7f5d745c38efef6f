"""Record → row: find each value, parse it, check it, and note what was odd about it.

A clean record takes the fast path, one function generated per entity. Whatever makes that function
raise is gone through again field by field, and what is wrong stays with the field, or at worst
with the record, that is wrong. Nothing here reads a clock, a file or a database.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from types import MappingProxyType
from typing import Any, Literal

from crm_sync_assets import parsing
from crm_sync_assets.columns import Column, Parser
from crm_sync_assets.entity import UNREAD, Entity, Key, Record
from crm_sync_assets.log import logger, mask, one_line
from crm_sync_assets.validators import FAST

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

Stage = Literal["parse", "validate", "load"]
"""What refused a record: reading it, checking it, or the warehouse."""

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


class _NotClean(Exception):
    """The fast path gives up on a record."""


class _Refused(Exception):
    """The careful path gives up on a record."""

    def __init__(self, stage: Stage, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.field = stage, reason, field


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
        self._shape = _Shape(entity)
        self._rules = entity.rules if validate else ()
        self._view = RowView(entity.columns)
        self._fast = _compile(self._shape, validate=validate, strict=strict)
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
                raise _Refused("parse", one_line(str(record[UNREAD])))
            return self._row(record, key)
        except _Refused as refused:
            stage, reason, field = refused.stage, refused.reason, refused.field
        except parsing.TooDeep as error:
            reason, kept = f"the record {error}", cut(record, parsing.MAX_DEPTH + 2)
        except Exception as error:  # noqa: BLE001  costs this record, not its neighbours
            reason = _unexpected(error)
        record_id = "/".join(key) if key else None
        url = self._url(key) if key else None
        if field is None:
            shown = None if record_id is None else one_line(_shortened(record_id))
            self._say("record", "%s: set aside record %s: %s", self.entity, shown, reason)
        return Failure(record_id, stage, reason, field, kept, url)

    def _key(self, record: Any) -> Key:
        if not isinstance(record, dict):
            raise _Refused("parse", f"the record is a {type(record).__name__}, not an object")
        return tuple(str(self._key_value(column, record)) for column in self.entity.key)

    def _key_value(self, column: Column, record: Record) -> Any:
        name = column.name
        try:
            raw = self._shape.raw(column, record)
            value = _key_parser(column)(raw)
        except _NotClean as error:
            raise _Refused("parse", f"the key {name} {error}", name) from None
        except ValueError as error:
            raise _Refused("parse", f"the key {name} {error}", name) from None
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
            value = _parse_noting(column, raw, changes)
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
                    raise _Refused("validate", f"{column.name} {problem}", column.name)
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
        if self._strict:
            problem = f"{column.name} cannot be read as {word}: it {reason}"
            raise _Refused("parse", problem, column.name)
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
                found = [("", f"rule {rule.__name__}: {_unexpected(error)}")]
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
            self._say("record", "%s: no URL for a record: %s", self.entity, _unexpected(error))
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


# ── Where values are ─────────────────────────────────────────────────────────────────────────


class _Misplaced(ValueError):
    """A step on a column's path is no object, so that what lies behind it cannot be found."""

    def __init__(self, name: str, found: Any) -> None:
        super().__init__(f"lies behind {name}, which is of type {type(found).__name__}")


_Taken = dict[str, "_Taken | None"]


class _Shape:
    """Where an entity's values are in its records, and which of them no column takes."""

    def __init__(self, entity: Entity) -> None:
        self.columns = entity.columns
        self.root = entity.source.root
        self.steps = tuple(step for step in self.root.split(".") if step)
        self.position = {column.name: place for place, column in enumerate(entity.columns)}
        self.key_positions = tuple(self.position[column.name] for column in entity.key)
        self.rest = next((c for c in entity.columns if c.kind == "rest"), None)
        self.paths: dict[str, tuple[str, ...]] = {
            column.name: tuple(column.path(self.root).split("."))
            for column in entity.columns
            if column.kind != "rest" and not callable(column.at)
        }
        self.taken: _Taken = {}
        for path in self.paths.values():
            if path[: len(self.steps)] == self.steps:
                self._take(path[len(self.steps) :])

    def _take(self, path: tuple[str, ...]) -> None:
        level = self.taken
        for step in path[:-1]:
            below = level.setdefault(step, {})
            if below is None:
                return
            level = below
        if path:
            level[path[-1]] = None

    def raw(self, column: Column, record: Record) -> Any:
        """The value as sent, None if there is none. Raises _Misplaced, _Refused."""
        if callable(column.at):
            try:
                return column.at(record)
            except Exception as error:  # noqa: BLE001  it is the declaration's code
                problem = f"{column.name}: {column.path(self.root)}: {_unexpected(error)}"
                raise _Refused("parse", problem, column.name) from None
        path = self.paths[column.name]
        under_root = path[: len(self.steps)] == self.steps and len(path) > len(self.steps)
        place: Any = self.root_of(record) if under_root else record
        for depth, step in enumerate(path[:-1]):
            if under_root and depth < len(self.steps):
                continue
            place = place.get(step)
            if place is None:
                return None
            if not isinstance(place, dict):
                raise _Misplaced(step, place)
        return place.get(path[-1])

    def root_of(self, record: Record) -> dict[str, Any]:
        """The object that holds the entity's fields. Raises _Refused: without it nothing is known
        about the record, and a row of NULLs would say that everything was cleared."""
        place: Any = record
        for step in self.steps:
            place = place.get(step)
            if not isinstance(place, dict):
                raise _Refused("parse", f"the record has no object {step}")
        return place  # type: ignore[no-any-return]  # isinstance above, or the record itself

    def left(self, record: Record, changes: set[str]) -> dict[str, Any] | None:
        """What no column takes, ready for jsonb; nulls are left out, as they say nothing."""
        left = _left(self.root_of(record), self.taken)
        return parsing.sanitise(left, changes) if left else None

    def source_name(self, column: Column) -> str:
        """The column's name in the source, below the root."""
        if callable(column.at):
            return column.name
        return column.path(self.root).removeprefix(self.root)


def _left(place: dict[str, Any], taken: _Taken) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for name, value in place.items():
        if name not in taken:
            if value is not None:
                left[name] = value
            continue
        below = taken[name]
        if below is None or value is None:
            continue
        inner = _left(value, below) if isinstance(value, dict) else value
        if inner != {}:
            left[name] = inner
    return left


# ── Parsing ──────────────────────────────────────────────────────────────────────────────────


def _parser(column: Column) -> Parser:
    return parsing.email if _is_email(column) else column.parse


def _is_email(column: Column) -> bool:
    return column.kind == "email" and column.parse is parsing.text


def _parse_noting(column: Column, raw: Any, changes: set[str]) -> Any:
    """The parsed value, storable; adds what had to be changed for that to `changes`."""
    if column.parse is parsing.json:
        return parsing.json_noting(raw, changes)
    value = _parser(column)(parsing.sanitise(raw, changes))
    return parsing.sanitise(value, changes)


def _noting_nothing(column: Column) -> Parser:
    """The column's parser for the fast path, which raises where something had to be changed."""

    def parse(raw: Any) -> Any:
        changes: set[str] = set()
        value = _parse_noting(column, raw, changes)
        if changes:
            raise _NotClean
        return value

    return parse


def _key_parser(column: Column) -> Parser:
    """A key is text or a whole number as sent; anything else would not lead back to its record."""
    as_sent = column.sql in ("text", "bigint")
    parse = _parser(column)

    def key(raw: Any) -> Any:
        if raw is None:
            raise _NotClean("is missing")
        if as_sent and (isinstance(raw, bool) or not isinstance(raw, str | int)):
            raise _NotClean(f"is of type {type(raw).__name__}")
        if isinstance(raw, str) and not parsing.is_clean(raw):
            raise _NotClean("holds a NUL or half a character")
        value = parse(raw)
        if value is None:
            raise _NotClean("is missing")
        return value

    return key


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


def _unexpected(error: Exception) -> str:
    """The class and place of an exception; its text may quote the record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


# ── The fast path ────────────────────────────────────────────────────────────────────────────


def _compile(shape: _Shape, *, validate: bool, strict: bool) -> Callable[[Any], Row]:
    """A function of one record, written for the entity's columns and compiled.

    It gives back the row, whose last element is None or a list of (column position, what its
    check found), and raises anything at all for a record that is not clean. Names and values of
    the declaration reach it as globals; the source text holds numbers only.
    """
    names: dict[str, Any] = {"NotClean": _NotClean, "EMPTY": {}, "UNREAD": UNREAD}
    lines = [
        "def fast(record):",
        "    if record.__class__ is not dict or UNREAD in record: raise NotClean",
    ]
    if validate and not strict:
        lines.append("    w = None")
    lines += _find_lines(shape, names)
    for place, column in enumerate(shape.columns):
        if column.kind != "rest":
            lines += [
                f"    {line}" for line in _column_lines(place, column, validate, strict, names)
            ]
    warned = "w" if validate and not strict else "None"
    lines.append(f"    return ({''.join(f'v{n}, ' for n in range(len(shape.columns)))}{warned},)")
    exec(compile("\n".join(lines), "<fast path>", "exec"), names)
    fast: Callable[[Any], Row] = names["fast"]
    return fast


def _find_lines(shape: _Shape, names: dict[str, Any]) -> list[str]:
    """Statements that bind every column's raw value to v<position>."""
    lines: list[str] = []
    objects: dict[tuple[str, ...], str] = {(): "record"}

    def object_at(path: tuple[str, ...]) -> str:
        if path not in objects:
            above = object_at(path[:-1])
            name = objects[path] = f"o{len(objects)}"
            names[f"k{name}"] = path[-1]
            lines.append(f"    {name} = {above}.get(k{name})")
            if path != shape.steps[: len(path)]:
                lines.append(f"    if {name} is None: {name} = EMPTY")
            lines.append(f"    if {name}.__class__ is not dict: raise NotClean")
        return objects[path]

    object_at(shape.steps)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, column in enumerate(shape.columns):
        if callable(column.at):
            names[f"at{place}"] = column.at
            lines.append(f"    v{place} = at{place}(record)")
        elif column.kind != "rest":
            places.setdefault(shape.paths[column.name][:-1], []).append(place)
    for path, members in places.items():
        found = object_at(path)
        leaves = tuple(shape.paths[shape.columns[place].name][-1] for place in members)
        names[f"n{members[0]}"] = leaves
        targets = "".join(f"v{place}, " for place in members)
        lines.append(f"    {targets} = map({found}.get, n{members[0]})")
    if shape.rest is not None:
        place = shape.position[shape.rest.name]
        names["taken"] = frozenset(name for name, below in shape.taken.items() if below is None)
        names["left"] = _left_noting_nothing(shape)
        names[f"d{place}"] = shape.rest.default
        lines.append(f"    v{place} = d{place}")
        lines.append(f"    if not taken.issuperset({object_at(shape.steps)}):")
        lines.append(f"        v{place} = left(record) or d{place}")
    return lines


def _left_noting_nothing(shape: _Shape) -> Callable[[Record], dict[str, Any] | None]:
    def left(record: Record) -> dict[str, Any] | None:
        changes: set[str] = set()
        found = shape.left(record, changes)
        if changes:
            raise _NotClean
        return found

    return left


def _column_lines(
    place: int, column: Column, validate: bool, strict: bool, names: dict[str, Any]
) -> Iterator[str]:
    """Statements that parse and check v<place>."""
    v = f"v{place}"
    quick = FAST.get(column.validate) if validate else None
    odd_text = f'{v}.__class__ is not str or {v} < "!" or not {v}.isascii() or "\\0" in {v}'
    if column.key:
        names[f"p{place}"] = _key_parser(column)
        condition = f"if {odd_text}: " if column.parse is parsing.text else ""
        yield f"{condition}{v} = p{place}({v})"
    elif _is_email(column):
        names[f"p{place}"] = _noting_nothing(column)
        known = f"{v}.__class__ is str and q{place}({v})" if quick else "False"
        yield f"if {v} is not None and not ({known}): {v} = p{place}({v})"
    elif column.parse is parsing.text:
        names[f"p{place}"] = _noting_nothing(column)
        yield f"if {v} is not None and ({odd_text}): {v} = p{place}({v})"
    elif column.sql in ("text", "jsonb"):
        names[f"p{place}"] = _noting_nothing(column)
        yield f"if {v} is not None: {v} = p{place}({v})"
    else:
        names[f"p{place}"] = column.parse
        yield f"if {v} is not None: {v} = p{place}({v})"
    if validate and column.validate is not None:
        names[f"q{place}"] = quick
        names[f"c{place}"] = column.validate
        unless = f" and not q{place}({v})" if quick else ""
        if strict:
            yield f"if {v} is not None{unless} and c{place}({v}) is not None: raise NotClean"
        else:
            yield f"if {v} is not None{unless}:"
            yield f"    r = c{place}({v})"
            yield "    if r is not None:"
            yield f"        w = w or []; w.append(({place}, r))"
    if column.default is not None:
        names[f"d{place}"] = column.default
        yield f"if {v} is None: {v} = d{place}"
