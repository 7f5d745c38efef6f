"""One of everything that is wrong with data, among 1,000 contacts, from the wire to the reader."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.hostile.conftest import Run, Wire, poison, properties
from crm_sync_assets_tests.hostile.plain import LOG_LINE, STATEMENT, assert_plain
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences, stored_rows

CONTACTS = registry.entity("hubspot.contacts")


@dataclass(frozen=True)
class Case:
    """What is sent, and what must come of it.

    `stored` are columns of the row, `rest` what `properties` must hold as PostgreSQL prints it.
    `noted` are the columns named in `sync_issues`. `refused` is part of the reason for which the
    record is set aside; it has no row then.
    """

    wire: Wire
    stored: Mapping[str, Any] = field(default_factory=dict)
    rest: Mapping[str, str | None] = field(default_factory=dict)
    noted: tuple[str, ...] = ()
    refused: str = ""
    id: str | None = None


def column(name: str, raw: bytes | str, value: Any, *noted: str) -> Case:
    return Case(properties((name, raw)), {name: value}, noted=noted)


def unread(name: str, raw: bytes | str) -> Case:
    """A value that becomes NULL and a note."""
    return column(name, raw, None, name)


def text(value: str) -> Case:
    """A value that arrives as it is, in a column and in the rest."""
    raw = json.dumps(value)
    return Case(properties(("city", raw), ("odd", raw)), {"city": value}, {"odd": value})


def rest(name: str, raw: bytes | str, stored: str | None, *noted: str, key: str = "") -> Case:
    return Case(properties((name, raw)), rest={key or name: stored}, noted=noted)


def refused(raw: Any, reason: str) -> Case:
    """The whole record is something else."""
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return Case(lambda _: body, refused=reason)


def with_id(raw: str, reason: str) -> Case:
    def wire(record: dict[str, Any]) -> bytes:
        return json.dumps({**record, "id": 0}).encode().replace(b'"id": 0', b'"id":' + raw.encode())

    return Case(wire, refused=reason)


def renamed(record_id: str, **options: Any) -> Case:
    def wire(record: dict[str, Any]) -> bytes:
        return json.dumps({**record, "id": record_id}).encode()

    return Case(wire, id=record_id, **options)


def without_id(record: dict[str, Any]) -> bytes:
    del record["id"]
    return json.dumps(record).encode()


def without_properties(record: dict[str, Any]) -> bytes:
    return json.dumps({**record, "properties": ["gone"]}).encode()


def three_times(record: dict[str, Any]) -> bytes:
    """The newest in the middle."""
    sent = []
    for city, second in (("Older", 1), ("Newest", 3), ("Oldest", 0)):
        values = {"city": city, "lastmodifieddate": f"2026-01-01T00:00:0{second}Z"}
        sent.append(json.dumps({**record, "properties": record["properties"] | values}).encode())
    return b",".join(sent)


DEEP = b"[" * 10_000 + b"]" * 10_000
LONG_NAME = "p" * 63

CASES: dict[str, Case] = {
    # What PostgreSQL cannot hold
    "NUL": column("city", r'"A\u0000b"', "Ab", "city"),
    "NUL in jsonb": rest("odd", r'{"a": ["x\u0000y"]}', '{"a": ["xy"]}', "properties"),
    "NUL in a name": rest(r'"o\u0000dd"', '"x"', "x", "properties", key="odd"),
    "NUL in a number": column("price", r'"1\u00002"', Decimal(12), "price"),
    "half a character": column("city", r'"Bo\ud800b"', "Bo\ufffdb", "city"),
    "half a character in jsonb": rest("odd", r'"\udfff"', "\ufffd", "properties"),
    "invalid UTF-8": column("city", b'"Jos\xe9"', "Jos\ufffd", "city"),
    "invalid UTF-8 in jsonb": rest("odd", b'"Jos\xe9"', "Jos\ufffd", "properties"),
    "NaN": unread("price", "NaN"),
    "infinity": unread("hs_analytics_revenue", "-Infinity"),
    "1e400": unread("price", "1e400"),
    "NaN in jsonb": rest("odd", "[NaN, 1e400, 1]", "[null, null, 1]", "properties"),
    # Numbers
    "2^63": unread("lead_id", str(2**63)),
    "2^63 as text": unread("lead_id", f'"{2**63}"'),
    "2^64": unread("lead_id", str(2**64)),
    "2^63 - 1": column("lead_id", str(2**63 - 1), 2**63 - 1),
    "2^80 as money": column("price", str(2**80), Decimal(2**80)),
    "2^64 + 1 in jsonb": rest("odd", f"[{2**63 + 1}, {2**64 + 1}]", f"[{2**63 + 1}, {2**64 + 1}]"),
    "2,000 digits": unread("price", "7" * 2_000),
    "6,000 digits": unread("price", "7" * 6_000),
    "2,000 digits in jsonb": rest("odd", "7" * 2_000, "7" * 2_000),
    "6,000 digits in jsonb": rest("odd", "7" * 6_000, "7" * 6_000),
    "600 digits": column("price", f'"{"7" * 600}.5"', Decimal("7" * 600 + ".5")),
    "1e3": column("price", '"1e3"', Decimal(1000)),
    "1e3 as a whole number": column("lead_id", '"1e3"', 1000),
    "a decimal comma": unread("price", '"12,50"'),
    "half a person": unread("lead_id", "1.5"),
    "nothing": column("price", '""', None),
    "the word null": unread("price", '"null"'),
    "the word false": unread("price", '"false"'),
    "false as a number": column("lead_is_dnc", "false", 0),
    "false as text": column("city", "false", "false"),
    "2 as a boolean": unread("hs_is_unworked", '"2"'),
    "an object as a number": unread("lead_id", '{"a": 1}'),
    # Moments
    "a zero date": unread("lead_sourced_on", '"0000-00-00"'),
    "no day": unread("lead_sourced_on", '"2022-11-00"'),
    "year 20000": unread("lead_sourced_on", '"20000-01-01T00:00:00Z"'),
    "year 300000": unread("lead_sourced_on", '"300000-01-01"'),
    "before Christ": unread("lead_sourced_on", '"0044-03-15 BC"'),
    "a year below zero": unread("lead_sourced_on", '"-0044-03-15T00:00:00Z"'),
    "before the first year in UTC": unread("lead_sourced_on", '"0001-01-01T00:00:00+14:00"'),
    "a leap second": column(
        "lead_sourced_on", '"2016-12-31T23:59:60Z"', datetime(2017, 1, 1, tzinfo=UTC)
    ),
    "24:00": column("lead_sourced_on", '"2025-03-01T24:00:00Z"', datetime(2025, 3, 2, tzinfo=UTC)),
    "the last moment": column(
        "lead_sourced_on",
        '"9999-12-31T23:59:59.999999Z"',
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ),
    "no date": column("lead_sourced_on", '""', None),
    # JSON
    "a name twice": Case(properties(("city", '"first"'), ("city", '"last"')), {"city": "last"}),
    "10,000 levels": Case(properties(("odd", DEEP)), refused="nested more than 200 levels"),
    "10,000 levels in a column": Case(properties(("city", DEEP)), refused="nested more than 200"),
    "100 levels": rest("odd", "[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
    "a million elements": rest("odd", json.dumps([7] * 1_000_000), json.dumps([7] * 1_000_000)),
    "5 MB": column("comments", json.dumps("long " * 1_000_000), "long " * 1_000_000),
    "12 MB in jsonb": rest("odd", json.dumps("y" * 12_000_000), "y" * 12_000_000),
    "an indexed value of 200 KB": Case(
        properties(("email", json.dumps(secrets.token_hex(100_000)))), refused="index row"
    ),
    # Records
    "text for a record": refused("a record", "is a str, not an object"),
    "a list for a record": refused([{"id": "1"}], "is a list, not an object"),
    "null for a record": refused(None, "is a NoneType, not an object"),
    "10,000 levels for a record": refused(DEEP, "is a list, not an object"),
    "no id": Case(without_id, refused="the key id is missing"),
    "no id and 10,000 levels": refused(
        b'{"properties": {"odd": ' + DEEP + b"}}", "the key id is missing"
    ),
    "null for an id": with_id("null", "the key id is missing"),
    "an object for an id": with_id('{"a": 1}', "the key id is of type dict"),
    "a boolean for an id": with_id("true", "the key id is of type bool"),
    "a fraction for an id": with_id("1.5", "the key id is of type float"),
    "NUL in an id": with_id(r'"7\u0000"', "the key id holds a NUL"),
    "a list for properties": Case(without_properties, refused="no object properties"),
    "an id of 5,000 digits": renamed("7" * 5_000, noted=("id",)),
    "an id too long for an index": renamed(secrets.token_hex(4_000), refused="index row"),
    "an id that is a log line": renamed(LOG_LINE, noted=("id",)),
    "an id that is a statement": renamed(STATEMENT, noted=("id",)),
    "an id that is a path": renamed("../../../account-info/v3/details?x=#", noted=("id",)),
    "one id three times": Case(three_times, {"city": "Newest"}),
    # Text
    "right to left": text("\u202ekcatta\u202c \u2066x\u2069 \u200f"),
    "invisible": text("zero\u200bwidth\ufeff\u2060 \u00ad"),
    "control characters": text("\x01\x07\x08\x1b[2J\x7f\x85\x9b\u2028"),
    "not normalised": text("e\u0301 \u00e9 \ufb01"),
    "emoji": text("👩‍👩‍👧‍👦🏳️‍🌈"),
    "a formula": text("=cmd|' /C calc'!A0"),
    "more formulas": text("\t@SUM(1+1)*cmd|' /C calc'!A0\r"),
    "a statement": text(STATEMENT),
    "a log line": text(LOG_LINE),
    "JSON": text('{"level": "critical", "a": [1]}'),
    "a line of 200,000": text("a" * 200_000),
    # Names
    "names alike in 63 bytes": Case(
        properties((f"{LONG_NAME}a", '"a"'), (f"{LONG_NAME}b", '"b"'), (LONG_NAME, '"c"')),
        rest={f"{LONG_NAME}a": "a", f"{LONG_NAME}b": "b", LONG_NAME: "c"},
    ),
    "names that differ in case": Case(
        properties(("City", '"C"'), ("CITY", '"D"'), ("city", '"c"')),
        {"city": "c"},
        {"City": "C", "CITY": "D"},
    ),
    "odd names": Case(
        properties(*((name, '"x"') for name in ("🐘", "1st", "select", "a.b", 'a"b', "%s", "--"))),
        rest=dict.fromkeys(("🐘", "1st", "select", "a.b", 'a"b', "%s", "--"), "x"),
    ),
    "a name of 100 KB": rest("n" * 100_000, '"x"', "x"),
    "names of the engine": Case(
        properties(("sync_issues", '"no"'), ("sync_created_at", '"never"'), ("id", '"8"')),
        rest={"sync_issues": "no", "sync_created_at": "never", "id": "8"},
    ),
}
REFUSED = [name for name, case in CASES.items() if case.refused]


def send(sandbox: Sandbox) -> dict[str, str]:
    """Poison one contact per case, spread over all pages; case → id of the contact."""
    ids = sandbox.hubspot.ids("contacts")
    chosen = dict(zip(CASES, ids[3 :: len(ids) // len(CASES)], strict=False))
    assert len(chosen) == len(CASES)
    poison(sandbox, {record_id: CASES[name].wire for name, record_id in chosen.items()})
    return chosen


def mistakes(warehouse: Warehouse, chosen: Mapping[str, str]) -> dict[str, list[str]]:
    """Per case what did not become of it as declared."""
    stored = stored_rows(warehouse, CONTACTS)
    reasons = {
        (record_id, reason)
        for record_id, reason in rows(
            warehouse, "SELECT record_id, reason FROM ingestion_quarantine"
        )
    }
    found: dict[str, list[str]] = {}
    for name, case in CASES.items():
        record_id = case.id or chosen[name]
        row = stored.get((record_id,))
        wrong = found.setdefault(name, [])
        if case.refused:
            if row is not None or (case.id is None and (chosen[name],) in stored):
                wrong.append("is stored")
            if not any(case.refused in reason for _, reason in reasons):
                wrong.append("is not in quarantine")
            continue
        if row is None:
            wrong.append(f"is not stored: {[r for r in reasons if r[0] == record_id]}")
            continue
        wrong += [
            f"{column} is {str(row[column])[:80]!r}, not {str(value)[:80]!r}"
            for column, value in case.stored.items()
            if row[column] != value
        ]
        for key, value in case.rest.items():
            ((kept,),) = rows(
                warehouse,
                "SELECT properties ->> %s FROM hubspot_contact WHERE id = %s",
                key,
                record_id,
            )
            if kept != value:
                wrong.append(f"properties.{key[:80]} is {str(kept)[:80]}, not {str(value)[:80]}")
        noted = {issue["field"] for issue in row["sync_issues"] or ()}
        if missing := set(case.noted) - noted:
            wrong.append(f"nothing is noted of {missing}")
        touched = {*case.stored, *(["properties"] if case.rest else []), "id"}
        if said := (noted & touched) - set(case.noted):
            wrong.append(f"something is noted of {said}")
    return {name: wrong for name, wrong in found.items() if wrong}


def test_a_thousand_contacts_and_one_of_everything_that_is_wrong(
    hubspot: HubSpotSyncs, sandbox: Sandbox, crm_sync: Run, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = send(sandbox)
    with caplog.at_level("INFO"):
        begun = hubspot.sync("contacts")

    assert mistakes(hubspot.warehouse, chosen) == {}
    assert begun.status == "partial"
    assert begun.counts.failed == len(REFUSED)
    assert begun.counts.add_up
    ((count,),) = rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_contact")
    assert begun.counts.created == count
    assert rows(hubspot.warehouse, "SELECT count(*) FROM ingestion_quarantine") == [(len(REFUSED),)]
    hostile = {*chosen.values(), *(case.id for case in CASES.values() if case.id)}
    others = [
        line
        for line in entity_differences(sandbox, hubspot.warehouse, CONTACTS, True)
        if not any(repr(record_id) in line for record_id in hostile)
    ]
    assert others == [], "every neighbour is exact"
    (row,) = history(hubspot.warehouse)
    assert row["watermark"] is not None
    assert row["records_failed"] == len(REFUSED)

    odd = [m for m in caplog.messages if "\n" in m or "\x1b" in m or len(m) > 5_000]
    assert odd == [], "one event, one line"

    for tries in (2, 3):
        again = hubspot.sync("contacts", full=True)
        assert (again.status, again.counts.failed) == ("partial", len(REFUSED))
        # The three versions of one record come each time; the newest wins each time.
        assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
        assert rows(hubspot.warehouse, "SELECT DISTINCT tries FROM ingestion_quarantine") == [
            (tries,)
        ]
    assert mistakes(hubspot.warehouse, chosen) == {}
    check_what_a_person_sees(crm_sync)


def check_what_a_person_sees(crm_sync: Run) -> None:
    """Three times is for good: a replay leaves them alone; and the screen stays a screen."""
    status, out, err = crm_sync("quarantine", "replay", "--crm", "hubspot")
    assert (status, out) == (3, "")
    assert f"{len(REFUSED)} records were refused 3 times" in err
    for words in (("list", "--limit=100"), ("list", "--json"), ("show", "--crm=hubspot")):
        status, out, err = crm_sync("quarantine", *words)
        assert (status, err) == (0, "")
        assert_plain(out)
        if "--json" in words or "show" in words:
            assert json.loads(out)
    for words in (("history",), ("history", "--json"), ("health",), ("health", "--json")):
        assert_plain("".join(crm_sync(*words)[1:]))


def test_poison_in_the_answer_to_a_search_blocks_no_delta(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    """Ids that no search could go on from, also as all there is on the last page."""
    hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    ids = sandbox.hubspot.bulk_touch("contacts", count=401, properties={"tier": "D"})
    wires = {
        ids[0]: renamed("abc", noted=("id",)),
        ids[1]: renamed("7" * 5_000),
        ids[2]: with_id('{"a": 1}', ""),
        ids[3]: CASES["invalid UTF-8"],
        ids[4]: CASES["6,000 digits in jsonb"],
        ids[150]: renamed("²"),
        ids[400]: Case(without_id),
    }
    poison(sandbox, {record_id: case.wire for record_id, case in wires.items()})
    for _ in range(2):
        begun = hubspot.sync("contacts")
        assert (begun.strategy.name, begun.status) == ("incremental", "partial")
        assert begun.counts.add_up
        assert begun.counts.failed == 2
    stored = stored_rows(hubspot.warehouse, CONTACTS)
    assert {("abc",), ("7" * 5_000,), ("²",)} <= stored.keys()
    assert all(stored[(i,)]["tier"] == "D" for i in ids if i not in wires or i in ids[3:5])
    assert stored[(ids[3],)]["city"] == "Jos\ufffd"


@pytest.mark.parametrize("years", [2, 7_000])
def test_a_contact_from_the_future_does_not_stop_the_others(
    hubspot: HubSpotSyncs, sandbox: Sandbox, years: int
) -> None:
    """Nor its own edits, which the right clock dates long before it."""
    early, late = sandbox.hubspot.ids("contacts")[10:12]
    future = sandbox.clock.now() + timedelta(days=365 * years)
    poison(sandbox, {early: properties(("lastmodifieddate", f'"{future.isoformat()}"'))})
    first = hubspot.sync("contacts")
    assert first.status == "success"
    assert first.watermark is not None
    assert first.watermark < sandbox.clock.now()
    assert stored_rows(hubspot.warehouse, CONTACTS)[(early,)]["lastmodifieddate"] == future
    sandbox.clock.advance(3600)
    sandbox.hubspot.edit("contacts", late, {"city": "Later"})
    assert hubspot.sync("contacts").counts.updated == 1
    assert stored_rows(hubspot.warehouse, CONTACTS)[(late,)]["city"] == "Later"

    sandbox.faults.clear()
    sandbox.clock.advance(3600)
    sandbox.hubspot.edit("contacts", early, {"city": "Back"})
    assert hubspot.sync("contacts").counts.updated == 1
    row = stored_rows(hubspot.warehouse, CONTACTS)[(early,)]
    assert (row["city"], row["lastmodifieddate"] < future) == ("Back", True)


def test_a_property_that_changes_its_type_between_two_pages_costs_no_row(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    ids = sandbox.hubspot.ids("contacts")
    number, words = properties(("price", '"12.50"')), properties(("price", '"tier_three"'))
    poison(sandbox, {i: words if n >= 500 else number for n, i in enumerate(ids)})
    begun = hubspot.sync("contacts")
    assert (begun.status, begun.counts.failed) == ("success", 0)
    assert rows(
        hubspot.warehouse,
        "SELECT count(*) FILTER (WHERE price = 12.5), count(*) FILTER (WHERE price IS NULL AND "
        "properties ->> 'price' = 'tier_three' AND sync_issues @> '[{\"field\": \"price\"}]') "
        "FROM hubspot_contact WHERE NOT archived",
    ) == [(500, len(ids) - 500)]
    assert rows(
        hubspot.warehouse,
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attname = 'price' "
        "AND attrelid = 'hubspot_contact'::regclass",
    ) == [("numeric",)]
    poison(sandbox, dict.fromkeys(ids, number))
    assert hubspot.sync("contacts", full=True).counts.updated == len(ids) - 500


def test_2500_properties_with_long_names_are_asked_for_in_a_body_and_need_no_columns(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    names = [f"{n:04}_" + "n" * 195 for n in range(2_500)]

    def more(body: bytes) -> bytes:
        known = json.loads(body)
        extra = [{"name": name, "type": "string"} for name in names]
        return json.dumps({**known, "results": known["results"] + extra}).encode()

    ids = sandbox.hubspot.ids("contacts")[:20]
    wide = properties(*((name, '"x"') for name in names))
    poison(sandbox, dict.fromkeys(ids, wide))
    sandbox.faults.add(r"GET /hubspot/crm/v3/properties/contacts", on="all", rewrite=more)
    assert hubspot.sync("contacts").status == "success"
    assert max(len(entry.path) + len(entry.query) for entry in sandbox.ledger.entries) < 8_000
    assert rows(
        hubspot.warehouse,
        "SELECT count(*) FROM hubspot_contact WHERE properties ?& %s",
        names,
    ) == [(len(ids),)]
    ((columns,),) = rows(
        hubspot.warehouse,
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'hubspot_contact'::regclass "
        "AND attnum > 0",
    )
    assert columns < 200
