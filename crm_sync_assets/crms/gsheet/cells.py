"""What a cell means: text as the sheet shows it, in its locale and its time zone.

Cells are read as they are shown, because a number that is no number, a zip code or a telephone
number, would lose its zeros; so dates, money and percentages are read as the locale writes them.
What is odd comes as {ODD: why} and becomes NULL, with a word on the row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import SqlType

ODD: Final = "crm_sync_odd"
LOADING: Final = "loading..."
_ERROR: Final = re.compile(
    r"#(?:N/A|REF!|ERROR!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|BLOCKED!|CONNECT!|FIELD!)",
    re.IGNORECASE,
)

MONTH_FIRST: Final = frozenset({"en_US", "es_US", "en_PH", "fil_PH", "en_BZ"})
"""Locales that write 4/12 for the twelfth of April; all others begin with the day, or the year."""
YEAR_FIRST: Final = frozenset({"ja", "zh", "ko", "hu", "lt", "sv", "mn", "en_CA", "fr_CA"})
"""Locales, and languages, that write 2024-4-12: without its century a date of theirs is unclear."""
COMMA: Final = frozenset(
    re.findall(
        r"\w+",
        "az be bg ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl "
        "pt ro ru sk sl sr sv tr uk uz vi",
    )
)
"""Languages that write a comma before the fraction …"""
POINT: Final = frozenset(
    re.findall(
        r"\w+", "es_MX es_US es_PR es_GT es_HN es_NI es_PA es_PE es_SV es_DO de_CH de_LI it_CH"
    )
)
"""… but for these locales, …"""
COMMA_TOO: Final = frozenset({"en_ZA"})
"""… and with these."""
WORDS: Final = {
    "wahr": "true", "vrai": "true", "verdadero": "true", "vero": "true", "verdadeiro": "true",
    "waar": "true", "falsch": "false", "faux": "false", "falso": "false", "onwaar": "false",
}  # fmt: skip
"""TRUE and FALSE as some languages show them."""
UNTICKED: Final = frozenset({"false", *(word for word, means in WORDS.items() if means == "false")})

_DAY: Final = re.compile(r"(\d{1,4})[-/.] ?(\d{1,2})[-/.] ?(\d{1,4})\.?(?=$|[T,\s])(.*)", re.DOTALL)
_NAMED: Final = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%B-%Y")
EARLIEST: Final = 1000
"""A year before it is a slip of the finger."""
_GAPS: Final = re.compile(r"(?<=\d)[\s\u00a0\u202f'\u2019](?=\d{3}(?!\d))")
_CODE: Final = re.compile(r"^[A-Z]{3}(?=[\s\d(+-])|(?<=[\s\d)])[A-Z]{3}$")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a spreadsheet writes: what its locale and its zone make of a cell."""

    locale: str
    zone: tzinfo

    @classmethod
    def of(cls, locale: str, zone: str) -> Manner:
        """Raises ValueError for a zone that nobody knows."""
        try:
            return cls(locale, ZoneInfo(zone))
        except (KeyError, OSError):
            raise ValueError(f"nobody knows the zone {zone}") from None

    @property
    def has_commas(self) -> bool:
        """Whether a fraction begins with a comma."""
        if self.locale in COMMA_TOO:
            return True
        return self.locale.partition("_")[0] in COMMA and self.locale not in POINT

    @property
    def is_year_first(self) -> bool:
        return not YEAR_FIRST.isdisjoint((self.locale, self.locale.partition("_")[0]))

    def value(self, shown: str, sql: SqlType) -> Any:
        """What a cell that shows this means in a column of that type; None where it is empty."""
        bare = shown.strip().strip("\u00a0\u200b\ufeff")
        if not bare:
            return None
        if _ERROR.fullmatch(bare):
            return {ODD: f"is an error in the sheet: {bare}"}
        read = _READERS.get(sql)
        if read is None:
            return shown
        try:
            return read(bare, self)
        except (ValueError, OverflowError) as error:
            return {ODD: f"{error} (as {self.locale} writes it)"}


def is_loading(shown: str) -> bool:
    """Whether a formula has not come to its value yet."""
    return shown.strip().lower() == LOADING


def _moment(shown: str, manner: Manner) -> str:
    """ISO 8601 in UTC. Without a zone of its own it is in the spreadsheet's."""
    day, rest = _day(shown, manner)
    given = f"{day:%Y-%m-%d} {rest.strip(' ,T') or '00:00'}"
    try:
        local = parsing.timestamp(f"{given} +00:00")
    except ValueError:
        found = parsing.timestamp(given)
        if found is None:
            raise ValueError("is not a date and time") from None
        return found.isoformat()
    assert local is not None
    return local.replace(tzinfo=manner.zone).astimezone(UTC).isoformat()


def _date(shown: str, manner: Manner) -> str:
    day, rest = _day(shown, manner)
    if rest.strip(" ,T"):
        parsing.timestamp(f"{day:%Y-%m-%d} {rest.strip(' ,T')}")
    return day.isoformat()


def _day(shown: str, manner: Manner) -> tuple[date, str]:
    """The day, and what is written after it. A day and a month are never taken for each other."""
    found = _DAY.fullmatch(shown)
    if found is None:
        return _named(shown), ""
    first, second, third = (int(found[place]) for place in (1, 2, 3))
    digits = len(found[1])
    if digits >= 3:
        year, month, day = first, second, third
    else:
        digits = len(found[3])
        year = third
        day, month = (second, first) if manner.locale in MONTH_FIRST else (first, second)
        if manner.is_year_first or (manner.locale in MONTH_FIRST and "." in shown[: found.end(3)]):
            raise ValueError("could be two days")
    if digits == 2:
        year += 2000 if year < 69 else 1900
    if year < EARLIEST:
        raise ValueError("is no year")
    try:
        return date(year, month, day), found[4]
    except ValueError:
        raise ValueError("is no day of the calendar") from None


def day_and_month(shown: str, manner: Manner) -> tuple[int, int] | None:
    """Which number is the day's and which the month's, of a date that begins with one of them."""
    found = _DAY.fullmatch(shown.strip())
    if found is None or len(found[1]) >= 3:
        return None
    first, second = int(found[1]), int(found[2])
    return (second, first) if manner.locale in MONTH_FIRST else (first, second)


def _named(shown: str) -> date:
    words = " ".join(shown.replace(".", " ").split())
    for form in _NAMED:
        try:
            return datetime.strptime(words, form).date()
        except ValueError:
            continue
    raise ValueError("is not a date")


def _number(shown: str, manner: Manner) -> str:
    """A plain decimal; money without its currency, a percentage as the share that it is."""
    percent = shown.endswith("%") or shown.startswith("%")
    bare = _without_currency(shown.strip("%"))
    bare = _CODE.sub("", bare.replace("\u2212", "-")).strip()
    bare = _GAPS.sub("." if manner.has_commas else ",", bare)
    if manner.has_commas:
        bare = bare.translate(_SWAPPED)
    number = parsing.decimal(bare)
    if number is None:
        raise ValueError("is not a number")
    return format(number.scaleb(-2) if percent else number, "f")


def _without_currency(shown: str) -> str:
    """Without signs of currency, but for one between digits, which would be a comma: 12€50."""
    kept = [
        one
        for place, one in enumerate(shown)
        if unicodedata.category(one) != "Sc"
        or (shown[place - 1 : place].isdigit() and shown[place + 1 : place + 2].isdigit())
    ]
    return "".join(kept).strip()


_SWAPPED: Final = str.maketrans(",.", ".,")


def _truth(shown: str, _: Manner) -> str:
    return WORDS.get(shown.lower(), shown)


_READERS: Final[Mapping[SqlType, Callable[[str, Manner], str]]] = {
    "timestamptz": _moment,
    "date": _date,
    "numeric": _number,
    "bigint": _number,
    "boolean": _truth,
}
