"""What a WHERE lets through, and the order of rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crm_sync_assets.sandbox.crms.salesforce.fields import NUMBERS, TEXTS, Field
from crm_sync_assets.sandbox.crms.salesforce.ids import whole
from crm_sync_assets.sandbox.crms.salesforce.soql import (
    Comparison,
    Condition,
    Group,
    Literal,
    Malformed,
    Order,
)
from crm_sync_assets.sandbox.store import Version

Reader = Callable[[int, Version | None], Any]
Holds = Callable[[int, Version | None], bool]
_WANTED = {
    "boolean": "boolean", "date": "date", "datetime": "datetime",
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(TEXTS | {"id", "reference", "time"}, "text"),
}  # fmt: skip
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)


class Refused(ValueError):
    """A query that is well formed and refused, under its own code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def compiled(
    condition: Condition | None,
    field_of: Callable[[str], Field],
    reader_of: Callable[[str], Reader],
) -> Holds:
    """What says of a record whether the condition holds. Malformed or Refused when the
    API would not take it."""
    if condition is None:
        return lambda _number, _version: True
    if isinstance(condition, Group):
        parts = [compiled(part, field_of, reader_of) for part in condition.parts]
        if condition.all:
            return lambda number, version: all(part(number, version) for part in parts)
        return lambda number, version: any(part(number, version) for part in parts)
    field, read = field_of(condition.field), reader_of(condition.field)
    test = _test(condition, field)
    return lambda number, version: test(read(number, version))


def _test(asked: Comparison, field: Field) -> Callable[[Any], bool]:
    if not field.is_filterable:
        raise Refused("INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
    values = [_value(literal, field) for literal in asked.values]
    operator = asked.operator
    if operator in ("=", "IN"):
        wanted = frozenset(values)
        return lambda value: _plain(field, value) in wanted
    if operator == "!=":
        return lambda value: _plain(field, value) != values[0]
    kind_ok = field.type in TEXTS if operator == "LIKE" else field.type not in ("boolean",)
    if not kind_ok or field.type == "multipicklist" or values[0] is None:
        raise Refused("INVALID_QUERY_FILTER_OPERATOR", f"{field.name}: invalid operator {operator}")
    if operator == "LIKE":
        pattern = re.compile(_like(str(values[0])), re.DOTALL)
        return lambda value: value is not None and bool(pattern.fullmatch(value.lower()))
    holds = _ORDERED[operator]
    return lambda value: value is not None and holds(_plain(field, value), values[0])


def _plain(field: Field, value: Any) -> Any:
    """As it is compared: texts without regard to case, ids with it, "" as nothing."""
    if isinstance(value, str) and field.type in TEXTS:
        return value.lower() or None
    return value


def _value(literal: Literal, field: Field) -> Any:
    """What a literal means beside that field."""
    if literal.kind == "null":
        return None
    wanted = _WANTED.get(field.type, "text")
    if literal.kind != wanted:
        quotes = "should be enclosed" if wanted == "text" else "should not be enclosed"
        message = (
            f"value of filter criterion for field '{field.name}' must be of type "
            f"{'dateTime' if wanted == 'datetime' else wanted} and {quotes} in quotes"
        )
        if "date" in wanted:
            raise Malformed(message)
        raise Refused("INVALID_FIELD", message)
    if field.type in ("id", "reference"):
        text = str(literal.value)
        if not _ID.fullmatch(text):
            raise Refused("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        return whole(text[:15])
    return _plain(field, literal.value)


def _like(text: str) -> str:
    wild = {"%": ".*", "_": "."}
    return "".join(wild.get(letter, re.escape(letter)) for letter in text)


def bounds(condition: Condition | None, name: str) -> tuple[str, str]:
    """The first and the last text of that field that can hold at all; "" and "~" without one."""
    if condition is None:
        return "", "~"
    if isinstance(condition, Group):
        every = [bounds(part, name) for part in condition.parts]
        lows, highs = [low for low, _ in every], [high for _, high in every]
        return (max(lows), min(highs)) if condition.all else (min(lows), max(highs))
    values = [str(literal.value) for literal in condition.values if literal.value is not None]
    if condition.field.lower() != name.lower() or len(values) < len(condition.values):
        return "", "~"
    low = min(values) if condition.operator in ("=", "IN", ">", ">=") else ""
    high = max(values) if condition.operator in ("=", "IN", "<", "<=") else "~"
    return low, high


def sort(
    rows: list[tuple[int, Version | None]],
    order: Sequence[Order],
    field_of: Callable[[str], Field],
    reader_of: Callable[[str], Reader],
) -> None:
    """By several fields, the last one first. Without any, rows stay in the order of their ids.
    Refused on a field that nothing is sorted by."""
    for one in reversed(order):
        field, read = field_of(one.field), reader_of(one.field)
        if not field.is_sortable:
            raise Refused(
                "INVALID_FIELD", f"field '{field.name}' can not be sorted in a query call"
            )
        empty_first = one.nulls_first != one.descending

        def key(
            row: tuple[int, Version | None],
            field: Field = field,
            read: Reader = read,
            first: bool = empty_first,
        ) -> tuple[bool, Any]:
            value = _plain(field, read(*row))
            return (not first, "") if value is None else (first, value)

        rows.sort(key=key, reverse=one.descending)
