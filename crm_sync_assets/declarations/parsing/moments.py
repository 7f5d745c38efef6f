"""Timestamps, dates, times of day and durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from datetime import date as Date
from datetime import time as Time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.declarations.parsing.numbers import bounded, decimal
from crm_sync_assets.declarations.parsing.texts import digits, stripped

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = timedelta(0)
_DAY = timedelta(days=1)


# ── Moments ──────────────────────────────────────────────────────────────────────────────────

_ZONES = {
    name: timezone(timedelta(hours=hours))
    for name, hours in {
        "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
        "AKST": -9, "AKDT": -8, "HST": -10,
    }.items()
} | {"UTC": UTC, "GMT": UTC, "Z": UTC}  # fmt: skip

_TIME = r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?)?"
_HALF = r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?"
_ZONE = r"(?:\s*(?P<zone>[+-]\d{2}(?::?\d{2})?(?::?\d{2})?|[A-Za-z]+(?:/[A-Za-z_+\-0-9/]+)?))?"
_MOMENT = re.compile(
    r"(?:(?P<y>\d{4,6})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"|(?P<us_m>\d{1,2})/(?P<us_d>\d{1,2})/(?P<us_y>\d{4}|\d{2}))"
    rf"(?:(?:[Tt]|,?\s+){_TIME}{_HALF}{_ZONE})?",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(rf"[Tt]?{_TIME}{_HALF}{_ZONE}", re.ASCII)
_EPOCH_TEXT = re.compile(r"(-?\d{9,14})(?:\.(\d+))?", re.ASCII)


def timestamp(value: Any) -> datetime | None:
    """An aware UTC datetime. Text without a zone is UTC.

    Reads ISO 8601 with any fraction (cut to microseconds), US forms such as
    `11/5/25 3:30 PM EDT`, and epochs: 12 to 14 digits are milliseconds, 9 or 10 are seconds, 11
    could be either and are refused. A leap second is the second after it, 24:00 the next midnight.
    """
    if value.__class__ is str:
        # Only 2026-11-20…: fromisoformat would take an epoch of 13 digits for a year, a month, a
        # day, a separator and a time.
        if value[4:5] == "-":
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return _timestamp_from_text(value)
            zone = moment.tzinfo
            if zone is UTC:
                return moment
            if zone is None:
                return moment.replace(tzinfo=UTC)
            return _to_utc(moment)
        return _timestamp_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _timestamp_from_text(value)
    if isinstance(value, datetime):
        if value.tzinfo is None or value.utcoffset() is None:
            raise ValueError("is a datetime without a time zone")
        return _to_utc(value)
    if isinstance(value, Date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _from_epoch(_epoch_text(value))
    raise ValueError(f"is of type {type(value).__name__}, not a moment")


def _timestamp_from_text(value: str) -> datetime | None:
    value = stripped(value, "moment")
    if not value:
        return None
    if _EPOCH_TEXT.fullmatch(value):
        return _from_epoch(value)
    if value.isascii() and value.isdigit() and len(value) != 8:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    match = _MOMENT.fullmatch(value)
    if match is None:
        return _iso_moment(value)
    day = _day(match)
    moment = datetime(day.year, day.month, day.day)
    if match["hour"] is None:
        return moment.replace(tzinfo=UTC)
    try:
        moment += _since_midnight(match)
        return _to_utc(moment.replace(tzinfo=_zone(match["zone"])))
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _iso_moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a date and time") from None
    return _to_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _epoch_text(value: int | float | Decimal) -> str:
    if isinstance(value, int):
        return digits(value)
    number = bounded(Decimal(repr(float(value))) if isinstance(value, float) else value)
    return format(number, "f")


def _from_epoch(value: str) -> datetime:
    match = _EPOCH_TEXT.fullmatch(value)
    if match is None:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    whole, digits = match[1], len(match[1].lstrip("-"))
    if digits == 11:
        raise ValueError("could be seconds or milliseconds: it has 11 digits")
    places = 3 if digits >= 12 else 6
    micros = int(whole + (match[2] or "")[:places].ljust(places, "0"))
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999") from None


def _day(match: re.Match[str]) -> Date:
    if match["y"] is not None:
        year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    else:
        year, month, day = int(match["us_y"]), int(match["us_m"]), int(match["us_d"])
        if len(match["us_y"]) == 2:
            year += 2000 if year < 69 else 1900
    if year == 0 or month == 0 or day == 0:
        raise ValueError("zero date")
    if year > 9999:
        raise ValueError("is outside the years 1 to 9999")
    try:
        return Date(year, month, day)
    except ValueError:
        raise ValueError("is no day of the calendar") from None


def _since_midnight(match: re.Match[str]) -> timedelta:
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    half = match["half"]
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError("is no time of day")
        hour = hour % 12 + (12 if half in "pP" else 0)
    elif match["minute"] is None and match["zone"] is None:
        raise ValueError("is no time of day")
    last = hour == 24 and minute == 0 and second == 0
    if not (hour < 24 or last) or minute > 59 or second > 60:
        raise ValueError("is no time of day")
    if second == 60 and minute != 59:
        raise ValueError("is no time of day")
    micros = int((match["part"] or "")[:6].ljust(6, "0"))
    if second == 60 or last:
        micros = 0
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    if name[0] in "+-":
        digits = name[1:].replace(":", "").ljust(6, "0")
        hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        if hours > 23 or minutes > 59 or seconds > 59:
            raise ValueError("has no such UTC offset")
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return timezone(offset if name[0] == "+" else -offset)
    known = _ZONES.get(name.upper())
    if known is not None:
        return known
    if "/" in name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise ValueError("has an unknown time zone")


def date(value: Any) -> Date | None:
    """The calendar day as written; no time zone ever moves it. An epoch is the day in UTC."""
    if value.__class__ is str:
        if len(value) == 10 and value[4] == "-":
            try:
                return Date.fromisoformat(value)
            except ValueError:
                pass
        return _date_from_text(value)
    if value is None:
        return None
    if isinstance(value, str):
        return _date_from_text(value)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, Date):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _from_epoch(_epoch_text(value)).date()
    raise ValueError(f"is of type {type(value).__name__}, not a date")


def _date_from_text(value: str) -> Date | None:
    value = stripped(value, "date")
    if not value:
        return None
    match = _MOMENT.fullmatch(value)
    if match is not None:
        if match["hour"] is not None:
            _since_midnight(match)
        return _day(match)
    if _EPOCH_TEXT.fullmatch(value):
        return _from_epoch(value).date()
    if value.isascii() and value.isdigit() and len(value) != 8:
        raise ValueError("is a number of neither 9, 10 nor 12 to 14 digits")
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:
        raise ValueError("is not a date") from None


def time(value: Any) -> Time | None:
    """A time of day without a zone: HH:MM[:SS[.f]], h:mm AM/PM, or a time since midnight.

    24:00 and a leap second at midnight are 00:00. An offset other than UTC is refused.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _time_from_text(value)
    if isinstance(value, Time):
        if value.tzinfo is not None and value.utcoffset() not in (None, _ZERO):
            raise ValueError("has a UTC offset, which a time of day cannot keep")
        return value.replace(tzinfo=None)
    if isinstance(value, timedelta):
        if not _ZERO <= value <= _DAY:
            raise ValueError("is longer than a day")
        return (datetime.min + value).time()
    raise ValueError(f"is of type {type(value).__name__}, not a time of day")


def _time_from_text(value: str) -> Time | None:
    value = stripped(value, "time of day")
    if not value:
        return None
    match = _TIME_OF_DAY.fullmatch(value)
    if match is None or (match["minute"] is None and match["half"] is None):
        raise ValueError("is not a time of day")
    if match["zone"] is not None and _zone(match["zone"]).utcoffset(None) != _ZERO:
        raise ValueError("has a UTC offset, which a time of day cannot keep")
    return (datetime.min + _since_midnight(match)).time()


_DURATION = re.compile(
    r"(?:(?P<days>-?\d{1,9}) days?,? )?(?P<minus>-)?"
    r"(?P<hours>\d{1,9}):(?P<minutes>[0-5]?\d)(?::(?P<seconds>[0-5]?\d(?:\.\d{1,6})?))?",
    re.ASCII,
)


def interval(value: Any) -> timedelta | None:
    """A length of time: a timedelta, H:MM[:SS[.f]] of any length and sign, or a number of seconds.

    `1 day, 2:00:00`, the way Python writes a timedelta, is read too.
    """
    if value is None or isinstance(value, timedelta):
        return value
    if isinstance(value, Time):
        return datetime.combine(Date.min, value.replace(tzinfo=None)) - datetime.min
    if isinstance(value, str):
        value = stripped(value, "length of time")
        if not value:
            return None
        match = _DURATION.fullmatch(value)
        if match is not None:
            return _duration(match)
    number = decimal(value)
    if number is None:
        return None
    try:
        return timedelta(seconds=int(number), microseconds=int(number % 1 * 1_000_000))
    except OverflowError:
        raise ValueError("is too long a time") from None


def _duration(match: re.Match[str]) -> timedelta:
    seconds = Decimal(match["seconds"] or 0)
    try:
        clock = timedelta(
            hours=int(match["hours"]),
            minutes=int(match["minutes"]),
            microseconds=int(seconds * 1_000_000),
        )
        return timedelta(days=int(match["days"] or 0)) + (-clock if match["minus"] else clock)
    except OverflowError:
        raise ValueError("is too long a time") from None
