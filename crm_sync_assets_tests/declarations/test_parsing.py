"""What each parser reads, what it refuses, and that it does nothing else."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crm_sync_assets.declarations import parsing as parse

PARSERS = (
    parse.text,
    parse.email,
    parse.timestamp,
    parse.date,
    parse.time,
    parse.decimal,
    parse.integer,
    parse.boolean,
    parse.json,
    parse.id_list,
)

anything_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.text("0123456789-/:.,eETZ+$()APM; \0\ud800", max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
anything_sql = (
    st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=14))))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.binary(max_size=5)
    | st.uuids()
    | st.just(object())
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # the zone comes by name


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@given(value=anything_json | anything_sql)
@example(value=Decimal("sNaN"))
@example(value=Decimal("1e-999999"))
@example(value=10**5000)
@example(value="9" * 100_000)
@example(value="[" * 100_000 + "]" * 100_000)
@example(value="-0001-01-01T00:00:00Z")
@example(value="0001-01-01T00:00:00+23:59")
@example(value="9999-12-31T23:59:60")
@example(value="9999-12-31T23:59:59-23:59")
def test_a_parser_raises_nothing_but_value_error(parser: Any, value: Any) -> None:
    reason = "none"
    try:
        parser(value)
    except ValueError as error:
        reason = str(error)
    assert 0 < len(reason) < 120, "a reason is short and does not quote the value"


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
@pytest.mark.parametrize("nothing", [None, "", " ", "\t\n  "])
def test_nothing_is_none_for_every_kind(parser: Any, nothing: Any) -> None:
    assert parser(nothing) is None


# Text


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("two\nlines  kept ", "two\nlines  kept "),
        ("null", "null"),
        ("a\0b", "ab"),
        ("\0", None),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        (7, "7"),
        (3.0, "3.0"),
        (0.1, "0.1"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (False, "false"),
        ({"a": [1, None], "é": "x"}, '{"a":[1,null],"é":"x"}'),
        ([], "[]"),
        (b"abc", "abc"),
        (utc(2025, 1, 2), "2025-01-02T00:00:00+00:00"),
    ],
)
def test_text_loses_nothing(sent: Any, stored: str | None) -> None:
    assert parse.text(sent) == stored


@pytest.mark.parametrize("sent", [math.nan, math.inf, Decimal("NaN"), b"\xff", object()])
def test_what_is_no_text_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        parse.text(sent)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_storable_text_comes_back_as_it_is(value: str) -> None:
    assert parse.text(value) == (None if value.isspace() else value)


@given(st.text(st.characters(exclude_categories=())))
def test_text_is_always_something_postgresql_takes(value: str) -> None:
    stored = parse.text(value)
    assert stored is None or ("\0" not in stored and stored.encode())


def test_an_email_says_null_for_nothing_and_loses_outer_space() -> None:
    assert parse.email("null") is None
    assert parse.email(" NULL ") is None
    assert parse.email(" ana@example.com\n") == "ana@example.com"


# Moments


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-11-20T08:01:12.410Z", utc(2026, 11, 20, 8, 1, 12, 410_000)),
        ("2026-11-20T08:01:12Z", utc(2026, 11, 20, 8, 1, 12)),
        ("2026-11-20T08:01:12.1Z", utc(2026, 11, 20, 8, 1, 12, 100_000)),
        ("2026-11-20T08:01:12.123456789Z", utc(2026, 11, 20, 8, 1, 12, 123_456)),
        ("2026-11-20T08:01:12-05:00", utc(2026, 11, 20, 13, 1, 12)),
        ("2026-11-20T08:01:12+0530", utc(2026, 11, 20, 2, 31, 12)),
        ("2026-11-20 08:01:12", utc(2026, 11, 20, 8, 1, 12)),
        ("2026-11-20", utc(2026, 11, 20)),
        ("1763625672410", utc(2025, 11, 20, 8, 1, 12, 410_000)),
        ("1763625672", utc(2025, 11, 20, 8, 1, 12)),
        (1763625672410, utc(2025, 11, 20, 8, 1, 12, 410_000)),
        (1763625672.5, utc(2025, 11, 20, 8, 1, 12, 500_000)),
        (Decimal("1763625672.25"), utc(2025, 11, 20, 8, 1, 12, 250_000)),
        ("253402300799999", None),
        ("-315619200000", utc(1960, 1, 1)),
        ("11/5/25 3:30 PM EDT", utc(2025, 11, 5, 19, 30)),
        ("11/05/2025 15:30", utc(2025, 11, 5, 15, 30)),
        ("11/5/2025", utc(2025, 11, 5)),
        ("2025-11-05 12:05 am", utc(2025, 11, 5, 0, 5)),
        ("2025-11-05 15:30:00 America/New_York", utc(2025, 11, 5, 20, 30)),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ("2025-02-28T24:00:00Z", utc(2025, 3, 1)),
        ("2025-02-28 24:00", utc(2025, 3, 1)),
        (date(2025, 3, 4), utc(2025, 3, 4)),
        (datetime(2025, 3, 4, 5, tzinfo=timezone(timedelta(hours=5))), utc(2025, 3, 4)),
    ],
)
def test_a_moment_is_read_as_utc(sent: Any, moment: datetime | None) -> None:
    if moment is None:
        with pytest.raises(ValueError, match="neither"):
            parse.timestamp(sent)
        return
    read = parse.timestamp(sent)
    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


def test_an_epoch_is_never_taken_for_a_compact_iso_date() -> None:
    """fromisoformat reads 1512110512345 as 23:45 on 1512-11-05."""
    assert parse.timestamp("1512110512345") == utc(2017, 12, 1, 6, 41, 52, 345_000)
    assert parse.date("1512110512345") == date(2017, 12, 1)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("EST", 5), ("EDT", 4), ("CST", 6), ("CDT", 5), ("MST", 7), ("MDT", 6), ("PST", 8),
        ("PDT", 7), ("AKST", 9), ("AKDT", 8), ("HST", 10), ("UTC", 0), ("GMT", 0), ("edt", 4),
    ],
)  # fmt: skip
def test_american_zones_are_converted(zone: str, hours: int) -> None:
    expected = utc(2025, 7, 1, 1 + hours)
    assert parse.timestamp(f"7/1/2025 1:00 AM {zone}") == expected
    assert parse.timestamp(f"2025-07-01 01:00:00 {zone}") == expected


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("0000-00-00 00:00:00", "zero date"),
        ("0000-00-00", "zero date"),
        ("2022-11-00", "zero date"),
        ("20000-01-01T00:00:00Z", "years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "years 1 to 9999"),
        ("9999-12-31T24:00:00", "years 1 to 9999"),
        ("0001-01-01T00:00:00+01:00", "years 1 to 9999"),
        ("-0044-03-15", "not a date"),
        ("2025-02-30", "calendar"),
        ("13/45/2025", "calendar"),
        ("2025-11-05 25:00", "no time of day"),
        ("2025-11-05 10:00:60", "no time of day"),
        ("2025-11-05 13:00 PM", "no time of day"),
        ("11/5/25 3:30 PM XYZ", "unknown time zone"),
        ("12345678901", "seconds or milliseconds"),
        ("1234567", "neither"),
        ("yesterday", "not a date"),
        (True, "bool"),
        (math.nan, "finite"),
        (datetime(2025, 1, 1), "without a time zone"),
        ([], "list"),
    ],
)
def test_what_is_no_moment_is_refused(sent: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse.timestamp(sent)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))
def test_an_iso_moment_comes_back(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert parse.timestamp(moment.isoformat()) == moment
    assert parse.timestamp(moment.isoformat().replace("+00:00", "Z")) == moment


@given(st.integers(10**11, 10**14 - 1))
def test_epoch_milliseconds_come_back(millis: int) -> None:
    read = parse.timestamp(str(millis))
    assert read is not None
    assert (read - utc(1970, 1, 1)) / timedelta(milliseconds=1) == millis
    assert parse.timestamp(millis) == read


@pytest.mark.parametrize(
    "sent",
    [
        "2025-11-05",
        "20251105",
        "2025-11-05T23:59:59-10:00",
        "2025-11-05T00:00:00+14:00",
        "2025-11-05 23:30:00",
        "1762300800000",
        1762300800000,
        "11/5/25",
        "11/05/2025",
        "11/5/2025 11:30 PM PST",
        date(2025, 11, 5),
        datetime(2025, 11, 5, 23, 59, tzinfo=timezone(timedelta(hours=-10))),
    ],
)
def test_a_date_is_the_day_as_written(sent: Any) -> None:
    read = parse.date(sent)
    assert read == date(2025, 11, 5)
    assert type(read) is date


@pytest.mark.parametrize("sent", ["0000-00-00", "2025-13-01", "2025-02-29", "5 November", True, {}])
def test_what_is_no_date_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"date|calendar"):
        parse.date(sent)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("10:00", time(10)),
        ("10:00:05.25", time(10, 0, 5, 250_000)),
        ("3:30 PM", time(15, 30)),
        ("12:00 am", time(0)),
        ("12 pm", time(12)),
        ("24:00", time(0)),
        ("23:59:60", time(0)),
        ("10:00:00.000Z", time(10)),
        (time(10, 5), time(10, 5)),
        (timedelta(hours=9, minutes=5), time(9, 5)),
    ],
)
def test_a_time_of_day_is_read(sent: Any, read: time) -> None:
    assert parse.time(sent) == read


@pytest.mark.parametrize("sent", ["25:00", "10:60", "1000", "10:00-05:00", timedelta(days=2), 10])
def test_what_is_no_time_of_day_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"time|day"):
        parse.time(sent)


# Numbers


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("1899.50", "1899.50"), ("$33,000", "33000"), ("1,234.50", "1234.50"), ("-$1.50", "-1.50"),
        ("$-1.5", "-1.5"), ("($1,234.50)", "-1234.50"), ("€ 5", "5"), ("5 £", "5"), ("1e3", "1e3"),
        (".5", "0.5"), ("5.", "5"), ("+7", "7"), ("1e400", "1e400"), (" 12 ", "12"), (12, "12"),
        (1.1, "1.1"), (Decimal("2.50"), "2.50"), ("0", "0"),
    ],
)  # fmt: skip
def test_a_number_is_exact(sent: Any, read: str) -> None:
    assert str(parse.decimal(sent)) == str(Decimal(read))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("12,50", "comma"), ("1,23,456", "number"), ("NaN", "number"), ("Infinity", "number"),
        ("-inf", "number"), ("1_000", "number"), ("(-5)", "number"), ("--5", "number"),
        ("1e4000", "digits"), ("1e-4000", "digits"), ("9" * 1002, "digits"), ("1.2.3", "number"),
        ("n/a", "number"), ("٣", "number"), (".", "number"), (math.nan, "finite"),
        (math.inf, "finite"), (Decimal("sNaN"), "finite"), (True, "boolean"), ([1], "list"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused(sent: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse.decimal(sent)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_decimal_comes_back_with_or_without_grouping(number: Decimal) -> None:
    assert parse.decimal(str(number)) == number
    assert parse.decimal(f"${number:,f}") == number


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("12", 12), ("-12", -12), ("12.0", 12), ("1,234", 1234), ("1e3", 1000), ("true", 1),
        ("False", 0), (True, 1), (12.0, 12), (Decimal("12"), 12), ("007", 7),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
    ],
)  # fmt: skip
def test_a_whole_number_is_read(sent: Any, read: int) -> None:
    value = parse.integer(sent)
    assert value == read
    assert type(value) is int


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("12.5", "whole"), (12.5, "whole"), ("9223372036854775808", "64-bit"),
        (2**63, "64-bit"), ("1e30", "64-bit"), ("yes", "number"), ("²", "number"),
        (math.inf, "finite"), ([], "list"),
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_refused(sent: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse.integer(sent)


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_comes_back(number: int) -> None:
    assert parse.integer(str(number)) == parse.integer(number) == number


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (timedelta(hours=25), timedelta(hours=25)),
        (timedelta(hours=-1), timedelta(hours=-1)),
        ("1:30", timedelta(hours=1, minutes=30)),
        ("838:59:59", timedelta(hours=838, minutes=59, seconds=59)),
        ("-01:00:00.5", -timedelta(hours=1, milliseconds=500)),
        ("1 day, 1:00:00", timedelta(hours=25)),
        ("-1 day, 23:00:00", timedelta(hours=-1)),
        (time(2, 15), timedelta(hours=2, minutes=15)),
        (90, timedelta(seconds=90)),
        ("1.5", timedelta(seconds=1.5)),
        (Decimal("-0.25"), timedelta(milliseconds=-250)),
        (" ", None),
        (None, None),
    ],
)
def test_interval(sent: Any, expected: timedelta | None) -> None:
    assert parse.interval(sent) == expected


@pytest.mark.parametrize("sent", ["an hour", "1:60", True, 10**16, "1:2:3:4", object()])
def test_what_is_no_interval(sent: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse.interval(sent)


@given(st.timedeltas(timedelta(days=-9_999), timedelta(days=9_999)))
def test_an_interval_written_as_text_is_read_back(length: timedelta) -> None:
    assert parse.interval(str(length)) == length


def test_a_reference_of_zero_is_none() -> None:
    assert [parse.reference(sent) for sent in (0, "0", 7, None, "")] == [None, None, 7, None, None]


def test_bit_fields_are_numbers() -> None:
    assert parse.integer(b"\0") == 0
    assert parse.integer(b"\1\2") == 258
    assert parse.boolean(b"\0\1") is True
    assert parse.boolean(b"\0\0") is False
    with pytest.raises(ValueError, match="bit field"):
        parse.integer(b"x" * 9)


@pytest.mark.parametrize("sent", ["true", "TRUE", "1", "Yes", "y", "t", "on ", True, 1, 1.0, b"\1"])
def test_true_is_true(sent: Any) -> None:
    assert parse.boolean(sent) is True


@pytest.mark.parametrize("sent", ["false", "0", "No", "n", "F", "off", False, 0, Decimal(0), b"\0"])
def test_false_is_false(sent: Any) -> None:
    assert parse.boolean(sent) is False


@pytest.mark.parametrize("sent", ["maybe", "2", 2, -1, math.nan, Decimal("NaN"), [], b"x"])
def test_what_is_neither_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match="neither true nor false"):
        parse.boolean(sent)


# JSON


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ('{"a": 1}', {"a": 1}),
        (" [1, 2] ", [1, 2]),
        ("[1, 2", "[1, 2"),
        ("plain", "plain"),
        ('"quoted"', '"quoted"'),
        (12, 12),
        (True, True),
        ({"a\0": "b\0", "n": math.nan, "l": [math.inf]}, {"a": "b", "n": None, "l": [None]}),
        ('{"a": NaN, "b": "x\\u0000\\ud800"}', {"a": None, "b": "x\ufffd"}),
        ({"d": Decimal("1.5"), "w": Decimal("3"), "at": date(2025, 1, 2)},
         {"d": 1.5, "w": 3, "at": "2025-01-02"}),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("1e400"), 10**400),
        ({1: "x"}, {"1": "x"}),
    ],
)  # fmt: skip
def test_json_becomes_what_jsonb_can_hold(sent: Any, stored: Any) -> None:
    assert parse.json(sent) == stored


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    assert parse.json(nested(parse.MAX_DEPTH)) == nested(parse.MAX_DEPTH)
    with pytest.raises(parse.TooDeep):
        parse.json(nested(parse.MAX_DEPTH + 1))
    with pytest.raises(parse.TooDeep):
        parse.json("[" * 50_000 + "]" * 50_000)


def test_what_was_changed_is_said() -> None:
    changes: set[str] = set()
    parse.sanitise({"a": ["\0", "\udc00"], "b": math.nan}, changes)
    assert changes == {
        parse.NUL_REMOVED,
        parse.SURROGATE_REPLACED,
        parse.NOT_FINITE_REMOVED,
    }
    changes.clear()
    clean = {"a": ["é", 1, 2.5, None, True], "b": {}}
    assert parse.sanitise(clean, changes) == clean
    assert changes == set()


@pytest.mark.parametrize(
    ("sent", "items"),
    [
        ("a;b;;c", ["a", "b", "c"]),
        (";a;b", ["a", "b"]),
        ("a", ["a"]),
        (";", None),
        ([1, "2", None], ["1", "2"]),
        ([], None),
        ('["a", 2]', ["a", "2"]),
        (90210, ["90210"]),
    ],
)
def test_a_list_of_ids_is_split(sent: Any, items: list[str] | None) -> None:
    assert parse.id_list(sent) == items


@pytest.mark.parametrize("sent", [{"a": 1}, "[a;b"])
def test_what_is_no_list_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError, match="list"):
        parse.id_list(sent)


@pytest.mark.parametrize("sent", ["E0", "e7", "-E12", ".", ".e5", "$", "()"])
def test_an_exponent_or_a_sign_alone_is_no_number(sent: str) -> None:
    for parser in (parse.integer, parse.decimal):
        with pytest.raises(ValueError, match="is not a number"):
            parser(sent)
