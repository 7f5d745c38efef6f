"""The row of a clean record, made by one function that is written for its entity and compiled.

It takes no loop over columns, and no call where a value has the form its source sends most: text,
moments, numbers and booleans of that form are read in place. It raises anything at all for a
record that is not clean; the processor then looks at it value by value. Names and values of the
declaration reach the function as globals; the source text holds numbers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column, Parser
from crm_sync_assets.declarations.entity import UNREAD, Record
from crm_sync_assets.declarations.validators import FAST
from crm_sync_assets.rows.shape import Shape
from crm_sync_assets.rows.values import NotClean, key_parser, noting_nothing

Fast = Callable[[Any], tuple[Any, ...]]
"""A record → its row, whose last element is None or a list of (column position, what its check
found)."""

_GLOBALS: dict[str, Any] = {
    "NotClean": NotClean,
    "UNREAD": UNREAD,
    "EMPTY": {},
    "iso": datetime.fromisoformat,
    "datetime": datetime,
    "UTC": UTC,
    "Decimal": Decimal,
    "words": parsing.BOOLEANS,
    "NUMERAL": "0123456789.-",
    "LOW": parsing.BIGINT.start,
    "HIGH": parsing.BIGINT.stop,
}

_WHOLE = "{v}.__class__ is int and LOW <= {v} < HIGH"
_DIGITS = "{v}.__class__ is str and len({v}) < 19 and {v}.isdigit() and {v}.isascii()"
_IN_PLACE: dict[Parser, tuple[tuple[str, str], ...]] = {
    parsing.timestamp: (
        ("{v}.__class__ is str and {v}[4:5] == '-' and {v}[-1:] == 'Z'", "iso({v})"),
        ("{v}.__class__ is datetime and {v}.tzinfo is UTC", "{v}"),
    ),
    parsing.decimal: (
        (
            "{v}.__class__ is str and 0 < len({v}) < 100 and not {v}.strip(NUMERAL)",
            "Decimal({v})",
        ),
    ),
    parsing.boolean: (
        ("{v}.__class__ is str and {v} in words", "words[{v}]"),
        ("{v}.__class__ is bool", "{v}"),
    ),
    parsing.integer: ((_WHOLE, "{v}"), (_DIGITS, "int({v})")),
    parsing.reference: ((_WHOLE, "{v} or None"), (_DIGITS, "int({v}) or None")),
}
"""Per parser the forms read in place: (is the value of it, what the parser would give)."""

_ODD = '{v}.__class__ is not str or {v} < "!" or not {v}.isascii() or "\\0" in {v}'
"""Whether a text needs its parser: it is none, may be blank, or is not known to be storable."""


def compiled(shape: Shape, *, validate: bool, strict: bool) -> Fast:
    """The function for the entity of this shape."""
    names = dict(_GLOBALS)
    lines = ["if record.__class__ is not dict or UNREAD in record: raise NotClean"]
    if validate and not strict:
        lines.append("w = None")
    lines += _find(shape, names)
    columns = [(p, c) for p, c in enumerate(shape.columns) if c.kind != "rest"]
    for place, column in columns:
        names |= {f"p{place}": _parser(column), f"d{place}": column.default}
        names |= {f"c{place}": column.validate, f"q{place}": FAST.get(column.validate)}
        lines += _parse(place, column, validate, strict)
        if column.default is not None:
            lines.append(f"if v{place} is None: v{place} = d{place}")
    warned = "w" if validate and not strict else "None"
    lines.append(f"return ({''.join(f'v{n}, ' for n in range(len(shape.columns)))}{warned},)")
    source = "\n    ".join(["def fast(record):", *lines])
    exec(compile(source, "<fast path>", "exec"), names)
    fast: Fast = names["fast"]
    return fast


def _parser(column: Column) -> Parser:
    if column.key:
        return key_parser(column)
    return noting_nothing(column) if column.sql in ("text", "jsonb") else column.parse


def _find(shape: Shape, names: dict[str, Any]) -> list[str]:
    """Statements that bind every column's raw value to v<position>."""
    lines: list[str] = []
    objects: dict[tuple[str, ...], str] = {(): "record"}

    def object_at(path: tuple[str, ...]) -> str:
        if path not in objects:
            above = object_at(path[:-1])
            name = objects[path] = f"o{len(objects)}"
            names[f"k{name}"] = path[-1]
            lines.append(f"{name} = {above}.get(k{name})")
            if path != shape.steps[: len(path)]:
                lines.append(f"if {name} is None: {name} = EMPTY")
            lines.append(f"if {name}.__class__ is not dict: raise NotClean")
        return objects[path]

    object_at(shape.steps)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, column in enumerate(shape.columns):
        if callable(column.at):
            names[f"at{place}"] = column.at
            lines.append(f"v{place} = at{place}(record)")
        elif column.kind != "rest":
            places.setdefault(shape.paths[column.name][:-1], []).append(place)
    for path, members in places.items():
        found = object_at(path)
        names[f"n{members[0]}"] = tuple(shape.paths[shape.columns[p].name][-1] for p in members)
        targets = "".join(f"v{place}, " for place in members)
        lines.append(f"{targets} = map({found}.get, n{members[0]})")
    if shape.rest is not None:
        place = shape.position[shape.rest.name]
        names["taken"] = frozenset(name for name, below in shape.taken.items() if below is None)
        names["left"] = _left_noting_nothing(shape)
        names[f"d{place}"] = shape.rest.default
        lines.append(f"v{place} = d{place}")
        lines.append(f"if not taken.issuperset({object_at(shape.steps)}):")
        lines.append(f"    v{place} = left(record) or d{place}")
    return lines


def _left_noting_nothing(shape: Shape) -> Callable[[Record], dict[str, Any] | None]:
    def left(record: Record) -> dict[str, Any] | None:
        changes: set[str] = set()
        found = shape.left(record, changes)
        if changes:
            raise NotClean
        return found

    return left


def _parse(place: int, column: Column, validate: bool, strict: bool) -> Iterator[str]:
    """Statements that parse and check v<place>."""
    v = f"v{place}"
    odd = _ODD.format(v=v) if column.parse is parsing.text else "True"
    checked = validate and column.validate is not None
    quick = checked and column.validate in FAST
    if column.key:
        yield f"if {odd}: {v} = p{place}({v})"
        if checked:
            yield from _check(place, strict, unless=f"q{place}({v})" if quick else "")
    elif quick and column.parse in (parsing.text, parsing.email):
        # What the quick check is true of is text, and storable.
        yield f"if {v} is not None and not ({v}.__class__ is str and q{place}({v})):"
        yield f"    if {odd}: {v} = p{place}({v})"
        yield from (f"    {line}" for line in _check(place, strict))
    else:
        if column.parse is parsing.text:
            yield f"if {v} is not None and ({odd}): {v} = p{place}({v})"
        else:
            forms = "".join(f"{value} if {form} else " for form, value in _forms(column))
            yield f"if {v} is not None: {v} = {forms.format(v=v)}p{place}({v})"
        if checked:
            yield from _check(place, strict)


def _forms(column: Column) -> tuple[tuple[str, str], ...]:
    return _IN_PLACE.get(column.parse, ())


def _check(place: int, strict: bool, unless: str = "") -> Iterator[str]:
    """Statements that check v<place>, `unless` an expression says that it need not be."""
    v = f"v{place}"
    spared = f" and not {unless}" if unless else ""
    if strict:
        yield f"if {v} is not None{spared} and c{place}({v}) is not None: raise NotClean"
    else:
        yield f"r = c{place}({v}) if {v} is not None{spared} else None"
        yield f"if r is not None: w = w or []; w.append(({place}, r))"
