"""The row of a record that is not clean, made value by value, with what is odd about each.

What is wrong stays with the field, or at worst with the record, that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import UNREAD, Entity, Key, Record
from crm_sync_assets.redaction import one_line
from crm_sync_assets.rows.fieldlog import FieldLog, shown
from crm_sync_assets.rows.shape import BadRecord, Issue, Row, Shape
from crm_sync_assets.rows.values import NotClean, key_parser, parse_noting


@dataclass(slots=True)
class _Noted:
    """What is odd about the record of this key; `unread` are values that would not parse, by their
    name in the source."""

    key: Key
    issues: list[Issue] = field(default_factory=list)
    unread: dict[str, Any] = field(default_factory=dict)


class CarefulPath:
    """Makes rows of records whatever they hold; `validate` and `strict` are the processor's."""

    def __init__(
        self, entity: Entity, shape: Shape, log: FieldLog, *, validate: bool, strict: bool
    ) -> None:
        self._entity = entity
        self._shape = shape
        self._log = log
        self._validate = validate
        self._strict = strict

    def key(self, record: Any) -> Key:
        """The record's key as text. Raises BadRecord where it has none."""
        if not isinstance(record, dict):
            raise BadRecord("parse", f"the record is a {type(record).__name__}, not an object")
        try:
            return tuple(str(self._key_value(column, record)) for column in self._entity.key)
        except BadRecord:
            if UNREAD in record:
                # Why it was not read says more than that it has no name.
                raise _unread(record) from None
            raise

    def row(self, record: Record, key: Key) -> Row:
        """The row of the record of this key. Raises BadRecord and TooDeep where it becomes none."""
        if UNREAD in record:
            raise _unread(record)
        noted = _Noted(key)
        values = [
            self._value(column, record, noted) if column.kind != "rest" else None
            for column in self._entity.columns
        ]
        rest = self._shape.rest
        if rest is not None:
            changes: set[str] = set()
            left = self._shape.left(record, changes) or {}
            self._note_changes(rest, None, changes, noted)
            values[self._shape.position[rest.name]] = (left | noted.unread) or rest.default
        return (*values, noted.issues or None)

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

    def _value(self, column: Column, record: Record, noted: _Noted) -> Any:
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
            self._refuse_or_note(column, raw, str(error), noted)
            return column.default
        self._note_changes(column, raw, changes, noted)
        if value is None:
            return column.default
        if self._validate and column.validate is not None:
            problem = column.validate(value)
            if problem is not None:
                country = self._country(column, record)
                problem = self._shape.second_look(column, value, problem, country)
            if problem is not None:
                self._log.warn(column.name, column, value, problem, noted.key)
                if self._strict:
                    raise BadRecord("validate", f"{column.name} {problem}", column.name)
                noted.issues.append({"field": column.name, "problem": problem})
        return value

    def _country(self, column: Column, record: Record) -> Any:
        """What the record says of the country that this column's value is of."""
        country = self._shape.countries.get(column.name)
        try:
            return country and country.parse(self._shape.raw(country, record))
        except (BadRecord, ValueError):
            # What is wrong with that is told with it.
            return None

    def _refuse_or_note(self, column: Column, raw: Any, reason: str, noted: _Noted) -> None:
        word = {"id_list": "json", "rest": "json"}.get(column.kind, column.kind)
        self._log.unreadable(column, raw, word, noted.key)
        # What stands for nothing could be the opposite of what was meant and cannot be read.
        if self._strict or not column.nullable:
            problem = f"{column.name} cannot be read as {word}: it {reason}"
            raise BadRecord("parse", problem, column.name)
        problem = f"cannot be read as {word}: it {reason}"
        rest = self._shape.rest
        if raw is None:
            pass  # what stands where an object should be is not this column's; `left` keeps it
        elif not column.sensitive:
            problem += f" ('{shown(raw, column)}')"
        elif rest is None or not rest.sensitive:
            problem += " (value not kept: it is sensitive)"
        if raw is not None and rest is not None and (rest.sensitive or not column.sensitive):
            noted.unread[self._shape.source_name(column)] = _storable(raw)
        noted.issues.append({"field": column.name, "problem": problem})

    def _note_changes(self, column: Column, raw: Any, changes: set[str], noted: _Noted) -> None:
        for change in sorted(changes):
            problem = f"changed: {change}"
            self._log.warn(column.name, column, raw, problem, noted.key)
            noted.issues.append({"field": column.name, "problem": problem})


def _storable(raw: Any) -> Any:
    """A value that would not parse, as near to what was sent as jsonb can keep it."""
    try:
        return parsing.sanitise([raw], set())[0]
    except parsing.TooDeep:
        raise
    except ValueError:
        return raw.hex() if isinstance(raw, bytes | bytearray) else one_line(repr(raw)[:1000])


def _unread(record: Record) -> BadRecord:
    return BadRecord("parse", one_line(str(record[UNREAD])))
