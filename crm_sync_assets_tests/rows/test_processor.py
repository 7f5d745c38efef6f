"""Records become rows; what is wrong with one stays with it."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync_assets.declarations.columns import (
    Column,
    boolean,
    decimal,
    email,
    id_list,
    integer,
    phone,
    rest,
    text,
    timestamp,
)
from crm_sync_assets.declarations.columns import date as day
from crm_sync_assets.declarations.columns import json as jsonb
from crm_sync_assets.declarations.entity import Entity, Key, WindowedByModified
from crm_sync_assets.declarations.parsing import MAX_DEPTH
from crm_sync_assets.rows.fieldlog import LOGGED_PER_FIELD
from crm_sync_assets.rows.processor import Batch, Processor, Row


@dataclass(frozen=True)
class Source(WindowedByModified):
    """As much of a source as a processor looks at."""

    root: str = "properties."
    modified: str | None = None
    kind: Any = "api"
    max_page_size: int = 100


def shouting(record: dict[str, Any]) -> Any:
    return record["properties"]["shout"].upper()


def reachable(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if row.get("email") is None and row.get("phone") is None:
        yield "email", "cannot be reached"


COLUMNS: tuple[Column, ...] = (
    text("id", at="id", key=True),
    email("email"),
    phone("phone"),
    text("name", sensitive=True),
    text("city", at="properties.address.city"),
    timestamp("updated_at", at="properties.lastmodifieddate"),
    day("born", sensitive=True),
    decimal("price"),
    integer("visits"),
    boolean("archived", at="archived", default=False),
    id_list("owners"),
    jsonb("payload"),
    rest(),
)


def entity(*columns: Column, root: str = "properties.", rules: Any = ()) -> Entity:
    return Entity(
        "hubspot.contacts", "people", Source(root), columns or COLUMNS, "contacts", rules=rules
    )


def record(number: int = 1, **properties: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "archived": False,
        "properties": {
            "email": "ana@example.com",
            "phone": "4105550147",
            "name": "Ana",
            "address": {"city": "Baltimore"},
            "lastmodifieddate": "2026-11-20T08:01:12Z",
            "born": "1980-01-02",
            "price": "1.50",
            "visits": "3",
            "owners": "1;2",
            "payload": {"a": 1},
            **properties,
        },
    }


def row(batch: Batch, position: int = 0) -> dict[str, Any]:
    """A row by column name, its issues as `issues`."""
    names = [column.name for column in COLUMNS]
    return dict(zip([*names, "issues"], batch.rows[position], strict=True))


def one(sent: Any, **options: Any) -> dict[str, Any]:
    batch = Processor(entity(), **options).process([sent])
    assert batch.failures == []
    return row(batch)


def problems(made: dict[str, Any]) -> dict[str, str]:
    return {issue["field"]: issue["problem"] for issue in made["issues"] or []}


CLEAN: Row = (
    "1",
    "ana@example.com",
    "4105550147",
    "Ana",
    "Baltimore",
    datetime(2026, 11, 20, 8, 1, 12, tzinfo=UTC),
    date(1980, 1, 2),
    Decimal("1.50"),
    3,
    False,
    ["1", "2"],
    {"a": 1},
    None,
    None,
)


def test_a_clean_record_is_a_clean_row() -> None:
    assert Processor(entity()).process([record()]) == Batch([CLEAN], [], 0, 0)


@pytest.mark.parametrize("options", [{}, {"strict": True}, {"validate": False}], ids=str)
def test_both_paths_make_the_same_row_of_a_clean_record(options: dict[str, Any]) -> None:
    processor = Processor(entity(), **options)
    sent = [record(), record(2, email=None, address=None, extra="x", owners="", visits=None)]
    assert [processor._carefully(each) for each in sent] == processor.process(sent).rows


def test_what_is_absent_null_or_blank_is_null() -> None:
    made = one({"id": "1", "properties": {"email": "null", "name": " ", "price": None}})
    assert made["issues"] is None
    assert {name for name, value in made.items() if value is not None} == {"id", "archived"}
    assert made["archived"] is False


# Values that do not parse


def test_a_value_that_will_not_parse_is_null_noted_and_kept() -> None:
    made = one(record(price="12,50", updated="?", lastmodifieddate="0000-00-00"))
    assert (made["price"], made["updated_at"]) == (None, None)
    assert made["properties"] == {
        "price": "12,50",
        "lastmodifieddate": "0000-00-00",
        "updated": "?",
    }
    assert "cannot be read as decimal" in problems(made)["price"]
    assert "zero date" in problems(made)["updated_at"]
    assert made["email"] == "ana@example.com"


def test_strict_sets_aside_a_record_whose_value_will_not_parse() -> None:
    sent = record(price="12,50")
    batch = Processor(entity(), strict=True).process([sent, record(2)])
    assert [made[0] for made in batch.rows] == ["2"]
    (failure,) = batch.failures
    assert (failure.record_id, failure.stage, failure.field) == ("1", "parse", "price")
    assert failure.record is sent
    assert failure.reason.startswith("price cannot be read as decimal")


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_a_column_that_may_not_be_null_gets_its_default_for_nothing(nothing: str | None) -> None:
    sent = record()
    sent["archived"] = nothing
    assert (one(sent)["archived"], one(sent)["issues"]) == (False, None)


@pytest.mark.parametrize("sent", ["perhaps", 2, {"archived": True}, ["yes"]], ids=str)
@pytest.mark.parametrize("validate", [True, False], ids=["checked", "skip_validation"])
def test_what_cannot_be_read_is_set_aside_where_its_default_may_be_the_opposite(
    sent: object, validate: bool
) -> None:
    """A default says what nothing means; of a value that was sent it says nothing."""
    odd = record()
    odd["archived"] = sent
    batch = Processor(entity(), validate=validate).process([odd, record()])
    (failure,) = batch.failures
    assert (failure.stage, failure.field, len(batch.rows)) == ("parse", "archived", 1)
    assert failure.reason.startswith("archived cannot be read as boolean: it is")
    assert failure.record == odd


def test_an_unreadable_sensitive_value_is_stored_nowhere_in_clear() -> None:
    made = one(record(born="the 4th of May"))
    assert made["born"] is None
    assert "4th" not in str(made)
    assert "not kept" in problems(made)["born"]


def test_a_step_on_the_path_that_is_no_object_is_noted() -> None:
    made = one(record(address="12 Harbor Rd"))
    assert made["city"] is None
    assert "lies behind address" in problems(made)["city"]
    assert made["properties"] == {"address": "12 Harbor Rd"}
    assert "Harbor" not in problems(made)["city"]


# Values that fail their check


def test_a_value_that_fails_its_check_is_stored_as_it_came_and_noted() -> None:
    batch = Processor(entity()).process([record(email="ana", phone="12", extra=1)])
    made = row(batch)
    assert (made["email"], made["phone"]) == ("ana", "12")
    assert problems(made) == {
        "email": "has no @",
        "phone": "has too few digits for a phone number",
    }
    assert (batch.issues, batch.warnings) == (2, 0)
    careful = one(record(email="ana", phone="12", price="?"))
    assert problems(careful).items() > problems(made).items()


def test_strict_sets_aside_a_record_whose_value_fails_its_check() -> None:
    batch = Processor(entity(), strict=True).process([record(email="ana")])
    (failure,) = batch.failures
    assert (failure.stage, failure.field, failure.reason) == (
        "validate",
        "email",
        "email has no @",
    )


def test_without_validation_nothing_is_checked_but_everything_parsed() -> None:
    rules = (reachable,)
    batch = Processor(entity(rules=rules), validate=False).process(
        [record(email="ana", phone=None), record(2, price="?", email=None, phone=None)]
    )
    assert row(batch)["issues"] is None
    assert problems(row(batch, 1)).keys() == {"price"}
    assert batch.warnings == 0


# Keys and records


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "missing"), ("", "missing"), (" ", "missing"), (True, "bool"), (1.5, "float"),
        ({"a": 1}, "dict"), (["1"], "list"), ("1\0", "NUL"), ("1\ud800", "NUL"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("strict", [True, False])
def test_a_record_without_a_usable_key_fails(key: Any, reason: str, strict: bool) -> None:
    sent = {**record(), "id": key}
    batch = Processor(entity(), strict=strict).process([sent])
    assert batch.rows == []
    (failure,) = batch.failures
    assert (failure.record_id, failure.stage, failure.field) == (None, "parse", "id")
    assert reason in failure.reason


def test_a_whole_number_is_a_key() -> None:
    assert one({**record(), "id": 77})["id"] == "77"


@pytest.mark.parametrize("sent", [None, "text", 3, [], [{"id": "1"}]])
def test_what_is_no_object_fails(sent: Any) -> None:
    (failure,) = Processor(entity()).process([sent]).failures
    assert "not an object" in failure.reason
    assert failure.record == sent


@pytest.mark.parametrize("properties", [None, [], "x"])
def test_a_record_without_its_fields_fails_rather_than_clear_the_row(properties: Any) -> None:
    (failure,) = Processor(entity()).process([{"id": "1", "properties": properties}]).failures
    assert "no object properties" in failure.reason
    assert failure.record_id == "1"


def test_a_record_nested_too_deep_fails_and_can_still_be_written_down() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    processor = Processor(entity())
    for sent in (record(payload=deep), record(unknown=deep), record(name=deep)):
        (failure,) = processor.process([sent]).failures
        assert f"more than {MAX_DEPTH} levels" in failure.reason
        kept = json.loads(json.dumps(failure.record))
        assert kept["properties"]["email"] == "ana@example.com"
        assert processor.process([kept]).rows == [], "a replay refuses it again"


def test_a_function_that_raises_costs_its_record_only() -> None:
    """Its message, which may quote the record, goes nowhere."""
    columns = (text("id", at="id", key=True), text("shout", at=shouting))
    good, bad = record(1, shout="hey"), record(2, shout=5)
    batch = Processor(entity(*columns)).process([bad, good])
    assert batch.rows == [("1", "HEY", None)]
    (failure,) = batch.failures
    assert (failure.record_id, failure.field) == ("2", "shout")
    assert "shouting()" in failure.reason
    assert "AttributeError at test_processor.py" in failure.reason


def test_several_key_columns_make_one_id() -> None:
    columns = (text("kind", key=True), integer("number", key=True), decimal("price"))
    batch = Processor(entity(*columns, root=""), strict=True).process(
        [
            {"kind": "a", "number": 1},
            {"kind": "a", "number": "x"},
            {"kind": "b", "number": 2, "price": "?"},
        ]
    )
    assert batch.rows == [("a", 1, None, None)]
    assert [failure.record_id for failure in batch.failures] == [None, "b/2"]


# Everything else a record holds


def test_rest_keeps_what_no_column_takes() -> None:
    made = one(record(score="7", blank="", nothing=None, address={"city": "B", "zip": "21230"}))
    assert made["properties"] == {"score": "7", "blank": "", "address": {"zip": "21230"}}
    assert made["issues"] is None


def test_rest_of_a_flat_source_is_its_other_fields() -> None:
    columns = (text("id", key=True), text("city", at="address.city"), rest("others"))
    batch = Processor(entity(*columns, root="")).process(
        [{"id": "1", "others": 5, "address": {"city": "B"}}, {"id": "2"}]
    )
    assert batch.rows == [("1", "B", {"others": 5}, None), ("2", None, None, None)]


def test_values_postgresql_refuses_are_changed_and_noted() -> None:
    sent = record(
        name="A\0na", email="ana@example.com\0", visits="3\0", payload={"a": math.nan},
        owners=["1\ud800"], odd={"x": "\ud800", "y": math.inf},
    )  # fmt: skip
    batch = Processor(entity()).process([sent])
    made = row(batch)
    assert (made["name"], made["email"], made["visits"]) == ("Ana", "ana@example.com", 3)
    assert (made["payload"], made["owners"]) == ({"a": None}, ["1\ufffd"])
    assert made["properties"] == {"odd": {"x": "\ufffd", "y": None}}
    assert sorted((issue["field"], issue["problem"]) for issue in made["issues"]) == [
        ("email", "changed: NUL removed"),
        ("name", "changed: NUL removed"),
        ("owners", "changed: lone surrogate replaced"),
        ("payload", "changed: NaN or infinity replaced by null"),
        ("properties", "changed: NaN or infinity replaced by null"),
        ("properties", "changed: lone surrogate replaced"),
        ("visits", "changed: NUL removed"),
    ]
    assert batch.issues == 7


def test_a_change_in_the_rest_alone_is_noted() -> None:
    made = one(record(odd="a\0b"))
    assert made["properties"] == {"odd": "ab"}
    assert problems(made) == {"properties": "changed: NUL removed"}


def test_a_nul_alone_in_one_column_is_noted_whatever_its_kind() -> None:
    for column in ("name", "email", "phone", "born", "price", "visits", "owners", "payload"):
        clean = record()["properties"][column]
        sent = "x" if isinstance(clean, dict) else clean
        made = one(record(1, **{column: f"{sent}\0"}))
        assert problems(made) == {column: "changed: NUL removed"}


# Rules


def test_what_a_rule_finds_is_noted_and_counted_as_a_warning() -> None:
    batch = Processor(entity(rules=(reachable,))).process(
        [record(email=None, phone=None), record(2), record(3, email=None, phone="12")]
    )
    assert problems(row(batch)) == {"email": "cannot be reached"}
    assert row(batch, 1)["issues"] is None
    assert problems(row(batch, 2)).keys() == {"phone"}
    assert (batch.issues, batch.warnings) == (1, 1)


def test_a_broken_rule_loses_no_row() -> None:
    def broken(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        yield "email", f"has {len(row['email'])} letters, {row['no such column']}"

    batch = Processor(entity(rules=(broken, reachable))).process([record()])
    (issue,) = row(batch)["issues"]
    assert "broken: KeyError" in issue["problem"]


# A poisoned record among many


DEEP: Any = 1
for _ in range(1_000):
    DEEP = {"d": DEEP}

POISON = [
    record(500, payload=DEEP),
    record(500, **{"id": 1}) | {"id": None},
    record(500) | {"properties": "gone"},
    {"id": {"id": 500}, "properties": {}},
    "500",
]


@pytest.mark.parametrize("poison", POISON, ids=["deep", "no key", "no fields", "odd key", "text"])
def test_one_poisoned_record_among_1000_leaves_999_exact(poison: Any) -> None:
    sent: list[Any] = [record(number, name=f"Name {number}") for number in range(1000)]
    expected = [
        (str(number), *CLEAN[1:3], f"Name {number}", *CLEAN[4:])
        for number in range(1000)
        if number != 500
    ]
    sent[500] = poison
    batch = Processor(entity()).process(sent)
    assert batch.rows == expected
    assert len(batch.failures) == 1
    assert batch.issues == 0


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from([c.name for c in COLUMNS] + ["address", "lastmodifieddate", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats()
            | st.text(st.characters(exclude_categories=()), max_size=12),
            lambda inner: st.lists(inner, max_size=2)
            | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=4,
        ),
    ),
    st.booleans(),
)  # fmt: skip
def test_every_record_becomes_one_row_or_one_failure(fields: dict[str, Any], strict: bool) -> None:
    logging.getLogger("crm_sync_assets").setLevel(logging.CRITICAL)
    try:
        sent = {"id": "1", "properties": fields}
        batch = Processor(entity(rules=(reachable,)), strict=strict).process([sent])
        assert len(batch.rows) + len(batch.failures) == 1
        for made in batch.rows:
            assert len(made) == len(COLUMNS) + 1
            # What jsonb columns and the issues hold must be plain, storable JSON.
            for value in made[-4:]:
                assert "\\u0000" not in json.dumps(value, allow_nan=False)
                json.dumps(value, ensure_ascii=False).encode()
    finally:
        logging.getLogger("crm_sync_assets").setLevel(logging.NOTSET)


# The log


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records]


def url_of(key: Key) -> str:
    return f"https://crm.example.com/{key[0]}"


def test_a_failed_check_is_logged_with_the_record_and_its_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Processor(entity(), record_url=url_of, log_each=True).process([record(123, email="ana.reyes")])
    assert lines(caplog) == [
        "Validation warning for field 'email' with value 'a***' (Record: id=123): has no @ "
        "https://crm.example.com/123"
    ]


def test_a_failed_parse_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    Processor(entity(), log_each=True).process(
        [record(123, lastmodifieddate="soon", visits="many")]
    )
    assert lines(caplog) == [
        "Failed to parse datetime value: 'soon' in field 'updated_at' for hubspot 123",
        "Failed to parse integer value: 'many' in field 'visits' for hubspot 123",
    ]


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("lastmodifieddate", "datetime"), ("born", "date"), ("price", "decimal"),
        ("visits", "integer"), ("owners", "json"),
    ],
)  # fmt: skip
def test_the_log_names_the_kind(field: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    Processor(entity(), log_each=True).process([record(1, **{field: {"a": "b"}})])
    assert lines(caplog)[0].startswith(f"Failed to parse {word} value: ")


def test_a_logged_value_is_short_masked_and_on_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Processor(entity(), log_each=True).process(
        [
            record(1, price="%s\n\x1b[31mred" + "x" * 200),
            record(2, email="ana@example", phone="555", born="4 May"),
        ]
    )
    first, *others = lines(caplog)
    assert "'%s\\n\\x1b[31mred" in first
    assert first.count("x") < 110
    assert "\n" not in first
    text_of_others = "\n".join(others)
    for personal in ("ana@", "example'", "555", "4 May"):
        assert personal not in text_of_others
    assert "'a***@e***'" in text_of_others


def test_the_log_of_one_field_ends_and_the_count_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    processor = Processor(entity(), log_each=True)
    for start in (0, 30):
        processor.process([record(start + n, email="ana") for n in range(30)])
    processor.process([record(99, price="?")])
    said = lines(caplog)
    assert len(said) == LOGGED_PER_FIELD + 2
    assert said[-2] == (
        "hubspot.contacts: further warnings for field email are counted, not logged"
    )
    assert "'price'" in said[-1]
    assert processor.found == {"email": 60, "price": 1}


def test_what_was_odd_is_summed_up_by_field(caplog: pytest.LogCaptureFixture) -> None:
    processor = Processor(entity(), record_url=url_of)
    processor.process([record(n, email="ana.reyes") for n in range(1_500)])
    odd: Any = [record(7, email="ana@", visits="many"), record(8, visits="few"), "no object"]
    processor.process(odd)
    assert lines(caplog) == [], "not a line for each"
    processor.sum_up()
    assert lines(caplog) == [
        "hubspot.contacts: email: 1,501 odd values in 1,503 records, e.g. record 0: 'a***' has no "
        "@ https://crm.example.com/0",
        "hubspot.contacts: visits: 2 values did not parse as integer in 1,503 records, e.g. record "
        "7: 'many'",
        "hubspot.contacts: 1 of 1,503 records was set aside, e.g. record None: the "
        "record is a str, not an object",
        'hubspot.contacts: each is beside its row: `crm-sync sql "SELECT id, sync_issues FROM '
        'contacts WHERE sync_issues IS NOT NULL"`',
    ]
    caplog.clear()
    processor.sum_up()
    assert lines(caplog) == [], "what was told is not told again"
    assert processor.found["email"] == 1_501


def test_a_summary_has_so_many_lines_and_knows_where_the_records_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    many = tuple(integer(f"n{n}") for n in range(30))
    processor = Processor(entity(text("id", key=True, at="id"), *many), strict=True)
    for n in range(30):
        processor.process([{"id": "1", "properties": {f"n{n}": "x"}}])
    processor.sum_up()
    said = lines(caplog)
    assert len(said) == 22
    assert said[-2] == "hubspot.contacts: and 10 problems of other fields"
    assert "`crm-sync quarantine list --crm hubspot --entity contacts`" in said[-1]
    processor.process([{"id": "1", "properties": {"n0": "x"}}])
    caplog.clear()
    processor.sum_up(stores=False)
    assert len(lines(caplog)) == 1, "a rehearsal has no row to look at"


def test_a_failure_knows_the_url_even_if_it_cannot_be_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(key: Key) -> str:
        raise LookupError(key)

    sent = [record(9, price="?")]
    assert Processor(entity(), strict=True, record_url=url_of).process(sent).failures[0].url == (
        "https://crm.example.com/9"
    )
    assert Processor(entity(), strict=True, record_url=broken).process(sent).failures[0].url is None
    assert "no URL for a record: LookupError" in caplog.text
