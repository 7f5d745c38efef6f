"""The filters of a search: checked as the service checks them, and ready to be asked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.hubspot.errors import invalid
from crm_sync_assets.sandbox.crms.hubspot.properties import UNSEARCHABLE, ObjectType, types_of

Test = Callable[[str | None], bool]
OPERATORS = (
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY",
    "NOT_HAS_PROPERTY", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
)  # fmt: skip
MAX_GROUPS, MAX_FILTERS, MAX_ALL_FILTERS = 5, 6, 18
_LOW, _HIGH = -(1 << 62), 1 << 62


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; `low` and `high` are inclusive bounds when it is a range of whole numbers."""

    name: str
    test: Test
    low: int | None = None
    high: int | None = None


Group = tuple[Filter, ...]


def _date_ms(name: str, value: str) -> int:
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    try:
        return epoch_ms(value)
    except ValueError:
        raise invalid(
            f"Invalid filter value for {name}: {value!r} is not a valid date or timestamp",
            errors=[{"message": f"{value} was not a valid long.", "code": "INVALID_LONG"}],
        ) from None


def _decimal(name: str, value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise invalid(f"Invalid filter value for {name}: {value!r} was not a valid number")
    return number


def stored(type_: str, value: str) -> Any:
    """A property's value in comparable form; None when it has none."""
    try:
        if type_ in ("datetime", "date"):
            return int(value) if value.isdigit() else epoch_ms(value)
        if type_ == "number":
            number = Decimal(value)
            return number if number.is_finite() else None
    except (ValueError, InvalidOperation):
        return None
    return value.lower()


def _wanted(type_: str, name: str, value: Any) -> Any:
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid(f"Invalid input JSON: filter value of {name} must be a string")
        value = str(value)
    if type_ in ("datetime", "date"):
        return _date_ms(name, value)
    return _decimal(name, value) if type_ == "number" else value.lower()


def _many(filter_: Mapping[str, Any], name: str) -> list[str]:
    values = filter_.get("values")
    if not isinstance(values, list) or not values:
        raise invalid(f"operator {filter_['operator']} of {name} needs a list of values")
    return [str(value) for value in values]


def _tokens(value: str) -> list[str]:
    return [value.lower(), *re.findall(r"[\w'.@+-]+", value.lower()), *value.lower().split()]


def _member(type_: str, name: str, values: list[str]) -> Test:
    if type_ == "enumeration":
        return lambda v: v is not None and not set(v.split(";")).isdisjoint(values)
    if type_ == "string":
        # Text is folded to lower case on the stored side only.
        return lambda v: v is not None and v.lower() in values
    wanted = {_wanted(type_, name, value) for value in values}
    return lambda v: v is not None and stored(type_, v) in wanted


def _compare(type_: str, operator: str, want: Any) -> Test:
    def test(value: str | None) -> bool:
        have = stored(type_, value) if value else None
        if have is None:
            return False
        if operator in ("LT", "LTE"):
            return bool(have < want or (operator == "LTE" and have == want))
        return bool(have > want or (operator == "GTE" and have == want))

    return test


def _filter(kind: ObjectType, raw: Any) -> Filter:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("propertyName"), str):
        raise invalid("Invalid input JSON: a filter needs propertyName and operator")
    name, operator = raw["propertyName"], raw.get("operator")
    if operator not in OPERATORS:
        raise invalid(
            f"Invalid input JSON: Cannot build Filter: operator {operator!r} is not one of "
            f"{list(OPERATORS)}"
        )
    type_ = types_of(kind.name).get(name)
    if type_ is None or name in UNSEARCHABLE:
        # The service answers 200 with no results, e.g. to hs_lastmodifieddate of contacts.
        return Filter(name, lambda _v: False)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        has = operator == "HAS_PROPERTY"
        return Filter(name, lambda v: (v is not None and v != "") == has)
    if operator in ("IN", "NOT_IN"):
        member = _member(type_, name, _many(raw, name))
        return Filter(name, member if operator == "IN" else lambda v: not member(v))
    if "value" not in raw:
        raise invalid(f"operator {operator} of {name} needs a value")
    return _valued(type_, name, operator, raw)


def _valued(type_: str, name: str, operator: str, raw: Mapping[str, Any]) -> Filter:
    if operator.endswith("CONTAINS_TOKEN"):
        pattern = str(raw["value"]).lower()
        negative = operator.startswith("NOT")
        return Filter(
            name,
            lambda v: any(fnmatchcase(t, pattern) for t in _tokens(v or "")) != negative,
        )
    if operator in ("EQ", "NEQ") and type_ == "enumeration":
        member = _member(type_, name, [str(raw["value"])])
        return Filter(name, member if operator == "EQ" else lambda v: not member(v))
    want = _wanted(type_, name, raw["value"])
    if operator == "EQ":
        low, high = _bounds(want, want)
        return Filter(name, lambda v: bool(v) and stored(type_, v or "") == want, low, high)
    if operator == "NEQ":
        return Filter(name, lambda v: not v or stored(type_, v) != want)
    if operator == "BETWEEN":
        if "highValue" not in raw:
            raise invalid(f"operator BETWEEN of {name} needs a highValue")
        top = _wanted(type_, name, raw["highValue"])
        from_, to = _compare(type_, "GTE", want), _compare(type_, "LTE", top)
        low, high = _bounds(want, top)
        return Filter(name, lambda v: from_(v) and to(v), low, high)
    low, high = _bounds(
        want + (operator == "GT") if operator in ("GT", "GTE") and _whole(want) else _LOW,
        want - (operator == "LT") if operator in ("LT", "LTE") and _whole(want) else _HIGH,
    )
    return Filter(
        name,
        _compare(type_, operator, want),
        low if _whole(want) else None,
        high if _whole(want) else None,
    )


def _whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, Decimal) and value == value.to_integral())


def _bounds(low: Any, high: Any) -> tuple[int | None, int | None]:
    return (int(low), int(high)) if _whole(low) and _whole(high) else (None, None)


def groups_of(kind: ObjectType, body: Mapping[str, Any]) -> tuple[Group, ...]:
    """The filter groups (any of them, each all of its filters). Refusal on a bad one."""
    raw = body.get("filterGroups") or []
    if isinstance(body.get("filters"), list) and not raw:
        raw = [{"filters": body["filters"]}]
    if not isinstance(raw, list):
        raise invalid("Invalid input JSON: filterGroups must be a list")
    groups = []
    for group in raw:
        filters = group.get("filters") if isinstance(group, Mapping) else None
        if not isinstance(filters, list):
            raise invalid("Invalid input JSON: a filter group needs a list of filters")
        if len(filters) > MAX_FILTERS:
            raise invalid(f"a filter group takes at most {MAX_FILTERS} filters")
        groups.append(tuple(_filter(kind, one) for one in filters))
    if len(groups) > MAX_GROUPS or sum(map(len, groups)) > MAX_ALL_FILTERS:
        raise invalid(f"at most {MAX_GROUPS} filter groups and {MAX_ALL_FILTERS} filters in all")
    return tuple(groups)
