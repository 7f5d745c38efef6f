"""How a cell shows what it holds: by the kind of its column, in the spreadsheet's locale."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

DAY_ONE = datetime(1899, 12, 30)
FIRST, SECOND = {"en_US": ("/", "mdy"), "en_GB": ("/", "dmy"), "de_DE": (".", "dmy")}, 2
WORDS = {"de_DE": {"true": "WAHR", "false": "FALSCH"}}
Value = str | Mapping[str, Any] | None
"""A text as its kind has it (ISO, a decimal, true or false), or {"shown": …} for an error."""


def shown(kind: str, value: Value, locale: str) -> str:
    """FORMATTED_VALUE."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return str(value["shown"])
    if kind == "moment":
        at = datetime.fromisoformat(value)
        return f"{_day(at.date(), locale)} {at.hour}:{at:%M:%S}"
    if kind == "date":
        return _day(date.fromisoformat(value), locale)
    if kind == "money":
        return _money(Decimal(value), locale)
    if kind == "bool":
        return WORDS.get(locale, {}).get(value, value.upper())
    return value


def bare(kind: str, value: Value, locale: str) -> Any:
    """UNFORMATTED_VALUE: numbers are numbers, what looks like one too, and days are counted."""
    if value is None or isinstance(value, Mapping):
        return shown(kind, value, locale)
    if kind in ("moment", "date"):
        return (datetime.fromisoformat(value) - DAY_ONE).total_seconds() / 86_400
    if kind == "money" or (value.isascii() and value.isdigit()):
        return float(value)
    return value == "true" if kind == "bool" else value


def _day(day: date, locale: str) -> str:
    mark, order = FIRST[locale]
    parts = {"d": str(day.day), "m": str(day.month), "y": str(day.year)}
    return mark.join(parts[one] for one in order)


def _money(amount: Decimal, locale: str) -> str:
    text = f"{abs(amount):,.2f}"
    if locale == "de_DE":
        text = text.translate(str.maketrans(",.", ".,")) + " €"
        return f"-{text}" if amount < 0 else text
    return f"(${text})" if amount < 0 else f"${text}"
