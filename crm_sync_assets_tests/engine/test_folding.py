"""Rows that are put together of several records: the same in any order, and counted once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.columns import integer, json, text, timestamp
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import UNDATED, Entity, Part, Record
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import TransientError
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import history, quarantine
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.scripted import START, FakeClient, Script, rows

CASES = Entity(
    "test.cases",
    about="Cases, told by what happens to them.",
    source=Script(modified="at"),
    columns=(
        text("id", key=True),
        timestamp("modified", at="at"),
        text("event"),
        text("outcome"),
        timestamp("told_at"),
        text("told_by", at="event"),
        text("name"),
        json("data", default={}),
        integer("size"),
    ),
    table="test_cases",
    parts=(Part(("modified", "event"), ("outcome",)), Part(("told_at", "told_by"))),
    absent="kept",
)
ONE_BY_ONE = SyncSettings(load_rows=1, prefetch_pages=1)


def event(case: str, number: int, outcome: str, name: str | None = None, **values: Any) -> Record:
    """What happened to a case so many seconds after START; with a name it has all its fields."""
    at = (START + timedelta(seconds=number)).isoformat()
    made = {"id": case, "at": at, "event": f"{number:04d}", "outcome": outcome, **values}
    return made if name is None else {**made, "told_at": at, "name": name, "data": {"n": number}}


def sync(warehouse: Warehouse, records: list[Record], size: int = 100, **flags: Any) -> Sync:
    client = FakeClient(records, page_size=size)
    return scripted.sync(warehouse, client, CASES, ONE_BY_ONE, **flags)


def stored(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    """id → outcome, its event, name, its event, data"""
    query = "SELECT id, outcome, event, name, told_by, data FROM test_cases"
    return {row[0]: row[1:] for row in rows(warehouse, query)}


def folded(records: list[Record]) -> dict[str, tuple[Any, ...]]:
    """What the rows must be, told another way than in SQL."""
    found: dict[str, tuple[Any, ...]] = {}
    for case in {record["id"] for record in records}:
        events = sorted((r for r in records if r["id"] == case), key=lambda r: r["event"])
        full = next((r for r in reversed(events) if "told_at" in r), None)
        last = events[-1]
        fields = (full["name"], full["event"], full["data"]) if full else (None, None, {})
        found[case] = (last["outcome"], last["event"], *fields)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_row_is_the_same_in_any_order_on_any_pages_and_again(
    warehouse: Warehouse, seed: int
) -> None:
    rng, records, told = random.Random(seed), list[Record](), list[Record]()
    for number in range(120):
        name = f"name {number}" if rng.random() < 0.6 else None
        records.append(event(f"c{rng.randrange(25)}", number, f"outcome {number}", name))
    rng.shuffle(records)
    for turn in range(4):
        before, read = stored(warehouse) if turn else {}, rng.sample(records, 60)
        told += read
        done = sync(warehouse, read, size=rng.choice([1, 3, 60]))
        after, seen = stored(warehouse), {record["id"] for record in read}
        assert after == folded(told)
        created = len(after.keys() - before.keys())
        updated = sum(before[case] != after[case] for case in before)
        unchanged = len(seen) - created - updated
        assert done.counts == Counts(len(seen), created, updated, unchanged)


def test_what_says_nothing_of_a_part_leaves_it_and_brings_none_of_its_values(
    warehouse: Warehouse,
) -> None:
    sync(warehouse, [event("a", 1, "new", "Ann"), event("a", 2, "sold")])
    sync(warehouse, [event("a", 3, "returned", data={"n": 9})])
    sync(warehouse, [{**event("b", 3, "sold", data={"n": 9}), "event": None}])
    assert stored(warehouse) == {
        "a": ("returned", "0003", "Ann", "0001", {"n": 1}),
        "b": ("sold", None, None, None, {}),
    }


@pytest.mark.parametrize("flags", [{}, {"force": True}, {"full": True, "force": True}], ids=str)
def test_what_is_undated_fills_a_part_and_never_overwrites_one(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    sync(warehouse, [event("a", 1, "new", "Ann")])
    guesses = [{**event(c, 2, "sold", "Somebody"), "told_at": UNDATED.isoformat()} for c in "ab"]
    sync(warehouse, guesses, **flags)
    names = {case: row[2] for case, row in stored(warehouse).items()}
    assert names == {"a": "Ann", "b": "Somebody"}
    sync(warehouse, [event("b", 0, "new", "Bob")], **flags)
    assert stored(warehouse)["b"][2] == "Bob"


@pytest.mark.parametrize("flags", [{"force": True}, {"full": True, "force": True}], ids=str)
@pytest.mark.parametrize("size", [1, 100])
def test_forced_it_overwrites_what_is_newer_here_with_the_newest_there(
    warehouse: Warehouse, flags: dict[str, Any], size: int
) -> None:
    """And keeps what the source no longer has: the first event of b, and all of c."""
    records = [event("a", 1, "new", "Ann"), event("a", 2, "sold"), event("b", 3, "lost")]
    sync(warehouse, [*records, event("b", 0, "new", "Bob"), event("c", 0, "new", "Cid")])
    with warehouse.connection() as connection:
        connection.execute(
            "UPDATE test_cases SET outcome = 'by hand', name = 'by hand', "
            "modified = modified + interval '1 day', told_at = told_at + interval '1 day' "
            "WHERE id = 'a'"
        )
        connection.commit()
    before = stored(warehouse)
    foreseen = sync(warehouse, records, size, dry_run=True, **flags)
    assert stored(warehouse) == before
    done = sync(warehouse, records, size, **flags)
    assert done.counts == foreseen.counts == Counts(2, updated=1, unchanged=1)
    assert stored(warehouse) == {
        "a": ("sold", "0002", "Ann", "0001", {"n": 1}),
        "b": ("lost", "0003", "Bob", "0000", {"n": 0}),
        "c": ("new", "0000", "Cid", "0000", {"n": 0}),
    }
    assert sync(warehouse, records, **flags).counts == Counts(2, unchanged=2)


@pytest.mark.parametrize(
    "flags", [{"end_date": "2026-01-01"}, {"max_records": 1}, {"max_records": 1, "full": True}]
)
def test_forced_to_read_a_part_it_brings_nothing_old_back(
    warehouse: Warehouse, flags: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The newest records of a row may be in what is left out."""
    records = [event("a", 1, "new", "Ann"), event("b", 2, "new", "Bob")]
    sync(warehouse, [*records, event("a", 9, "sold", "Eve")])
    before = stored(warehouse)
    assert sync(warehouse, records, 1, force=True, **flags).counts.updated == 0
    assert stored(warehouse) == before
    assert "force overwrites nothing that is newer here" in caplog.text


def test_a_resumed_sync_counts_each_row_once_too(warehouse: Warehouse) -> None:
    sync(warehouse, [event("b", 0, "new", "Bob")])
    records = [event(case, n, f"{n}") for n, case in enumerate("abcabca", start=1)]

    class Failing(FakeClient):
        def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
            for number, page in enumerate(FakeClient.pages(self, read, usage), start=1):
                if read.cursor is None and number == 5:
                    raise TransientError("half way")
                yield page

    client = Failing(records, page_size=1)
    with pytest.raises(TransientError):
        scripted.sync(warehouse, client, CASES, ONE_BY_ONE, full=True)
    assert scripted.history(warehouse)[-1]["records_processed"] == 3
    done = scripted.sync(warehouse, client, CASES, ONE_BY_ONE, full=True)
    assert done.resumed
    assert done.counts == Counts(3, created=2, updated=1)
    assert stored(warehouse) == folded([*records, event("b", 0, "new", "Bob")])


@pytest.mark.parametrize("nth", [2, 3])
def test_a_batch_is_stored_again_whose_commit_was_lost_although_its_row_counts_already(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Its counts are those of the batch before it, and do not tell whether it arrived."""
    told: list[None] = []
    record = history.record_progress

    def lose(connection: Connection, *values: Any) -> None:
        record(connection, *values)
        told.append(None)
        if len(told) == nth:
            with warehouse.connection() as other:
                other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))

    sync(warehouse, [event("a", 1, "new", "Ann")])
    monkeypatch.setattr(history, "record_progress", lose)
    records = [event("a", 1, "new", "Ann"), event("a", 2, "sold"), event("a", 3, "lost", size="x")]
    done = sync(warehouse, records, size=1)
    assert (len(told), done.counts.updated, done.counts.processed) == (4, 1, 1)
    assert stored(warehouse)["a"] == ("lost", "0003", "Ann", "0001", {"n": 1})


def refusing(warehouse: Warehouse) -> None:
    sync(warehouse, [event("z", 0, "new", "Zoe")])
    with warehouse.connection() as connection:
        connection.execute(
            "ALTER TABLE test_cases ADD CONSTRAINT sound CHECK (name <> 'bad' AND outcome <> 'bad')"
        )
        connection.commit()


def aside(warehouse: Warehouse) -> list[quarantine.Entry]:
    with warehouse.connection() as connection:
        return quarantine.entries(connection)


@pytest.mark.parametrize("size", [1, 100])
def test_a_record_that_is_refused_fails_its_row_and_waits_for_one_that_has_as_much(
    warehouse: Warehouse, size: int
) -> None:
    refusing(warehouse)
    records = [event("a", 1, "new", "bad"), event("a", 2, "sold"), event("b", 3, "new", "Bob")]
    done = sync(warehouse, records, size)
    assert (done.status, done.counts) == ("partial", Counts(2, created=1, failed=1))
    assert stored(warehouse)["a"] == ("sold", "0002", None, None, {}), "what there is of it"
    done = sync(warehouse, [event("a", 4, "lost")], size)
    assert (done.status, len(aside(warehouse))) == ("success", 1), "its name is still wanting"
    sync(warehouse, [event("a", 0, "new", "older")], size)
    assert len(aside(warehouse)) == 1
    sync(warehouse, [event("a", 5, "new", "Ann")], size)
    assert aside(warehouse) == []
    assert stored(warehouse)["a"] == ("new", "0005", "Ann", "0005", {"n": 5})


@pytest.mark.parametrize("flags", [{}, {"dry_run": True}, {"force": True}], ids=str)
def test_a_row_that_is_whole_after_all_has_not_failed(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    refusing(warehouse)
    records = [event("a", 1, "new", "bad"), event("z", 2, "bad"), event("z", 3, "sold")]
    done = sync(warehouse, [*records, event("a", 4, "new", "Ann")], size=1, **flags)
    assert (done.status, done.counts) == ("success", Counts(2, created=1, updated=1))
    assert aside(warehouse) == []


def test_records_of_one_row_are_set_aside_each_by_itself_and_replayed(
    warehouse: Warehouse,
) -> None:
    refusing(warehouse)
    records = [event("a", 1, "new", "bad"), event("a", 3, "bad"), event("a", 2, "sold")]
    for _ in range(2):
        done = sync(warehouse, records, size=1, full=True)
        assert done.counts == Counts(1, failed=1)
    entries = aside(warehouse)
    assert sorted(entry.record_id.partition("@")[0] for entry in entries) == ["a", "a"]
    assert replay(warehouse, CASES, entries).counts.failed == 2
    entries = aside(warehouse)
    assert [entry.tries for entry in entries] == [3, 3]
    with warehouse.connection() as connection:
        connection.execute("ALTER TABLE test_cases DROP CONSTRAINT sound")
        connection.commit()
    assert replay(warehouse, CASES, entries).counts.failed == 0
    assert aside(warehouse) == []
    assert stored(warehouse)["a"] == ("bad", "0003", "bad", "0001", {"n": 1})


def test_what_was_odd_about_a_row_goes_with_its_fields(warehouse: Warehouse) -> None:
    odd = {**event("a", 1, "new", "Ann"), "size": "large"}
    sync(warehouse, [odd])
    sync(warehouse, [event("a", 2, "sold")])
    (issues,) = rows(warehouse, "SELECT sync_issues FROM test_cases")
    assert issues[0][0]["field"] == "size"
    sync(warehouse, [event("a", 3, "sold", "Ann")])
    assert rows(warehouse, "SELECT sync_issues FROM test_cases") == [(None,)]


def test_an_event_of_the_future_is_replaced_by_the_next(warehouse: Warehouse) -> None:
    ahead = {**event("a", 1, "ahead", "Ann"), "at": "2100-01-01T00:00:00Z"}
    sync(warehouse, [{**ahead, "told_at": ahead["at"]}])
    sync(warehouse, [event("a", 2, "sold", "Bob")])
    assert stored(warehouse)["a"][:3] == ("sold", "0002", "Bob")


def test_the_fingerprint_knows_the_parts() -> None:
    parts = (Part(("modified", "event"), ("outcome", "name")), CASES.parts[1])
    assert replace(CASES, parts=parts).fingerprint != CASES.fingerprint
