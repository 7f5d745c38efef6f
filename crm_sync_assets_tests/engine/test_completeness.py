"""What a read of everything did not contain is asked for by key before it is believed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.columns import integer, text
from crm_sync_assets.declarations.contract import Page, Read, Tombstone, Usage
from crm_sync_assets.declarations.entity import UNREAD, Key, Record
from crm_sync_assets.engine import completeness
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import FatalError, Refused, TransientError
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.scripted import PEOPLE, START, FakeClient, people, person, rows, sync

FULL: dict[str, Any] = {"full": True}
REPLACED: dict[str, Any] = {"full": True, "force": True}
EITHER = pytest.mark.parametrize("flags", [FULL, REPLACED], ids=["full", "replaced"])


@dataclass
class Asked(FakeClient):
    """A source whose list holds `records`, and which has `hidden` besides.

    `silent` are keys it says nothing about, `closed` those it does not show us, `named` the keys it
    names in another place. `by_keys` are the keys asked for, a list per call; the call number
    `breaks_at` fails.
    """

    hidden: list[Record] = field(default_factory=list)
    silent: Sequence[str] = ()
    closed: Sequence[str] = ()
    named: Sequence[str] = ()
    by_keys: list[list[str]] = field(default_factory=list)
    breaks_at: int = -1

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        return self.pages(read, usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        assert read.cursor is None
        if len(self.by_keys) == self.breaks_at:
            raise TransientError("broke")
        self.by_keys.append([key[0] for key in keys])
        usage.api_calls += 1
        there = {str(record["id"]): record for record in [*self.records, *self.hidden]}
        kept = [key for key in keys if key[0] in self.closed]
        asked = [key for key in keys if key[0] not in (*self.silent, *self.closed)]
        found = [there[key[0]] for key in asked if key[0] in there]
        gone = [Tombstone(key) for key in asked if key[0] not in there]
        yield Page(found[:1], {})
        yield Page(found[1:], {}, tombstones=gone, kept=kept)

    def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
        assert read.cursor is not None
        usage.api_calls += 1
        for start in range(0, len(self.named), 7):
            yield Page([{"id": key} for key in self.named[start : start + 7]], {})

    @property
    def asked_for(self) -> list[str]:
        return [key for keys in self.by_keys for key in keys]


def stored(warehouse: Warehouse, count: int = 100) -> Asked:
    """So many people, stored."""
    client = Asked([person(n) for n in range(count)])
    sync(warehouse, client)
    return client


def hide(client: Asked, *numbers: int, **changed: Any) -> None:
    """Records the list no longer contains, though they are there."""
    client.hidden = [person(n, **changed) for n in numbers]
    client.records = [r for r in client.records if int(r["id"]) not in numbers]


@EITHER
def test_an_absent_row_that_is_there_is_stored_and_not_marked(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    client = stored(warehouse)
    hide(client, 3, 50, at=60, name="Newer")
    client.records.remove(person(7))
    foretold = sync(warehouse, client, **flags, dry_run=True)
    told = sync(warehouse, client, **flags)
    assert told.counts == Counts(99, updated=2, unchanged=97, deleted=1)
    assert foretold.counts == told.counts
    assert told.status == "success"
    assert sorted(client.by_keys[-1]) == ["3", "50", "7"]
    assert people(warehouse)["50"] == "Newer"
    assert "7" not in people(warehouse)


def test_nothing_is_asked_by_key_when_nothing_is_absent(warehouse: Warehouse) -> None:
    client = stored(warehouse)
    assert sync(warehouse, client, **FULL).counts == Counts(100, unchanged=100)
    assert client.by_keys == []


@EITHER
def test_a_key_the_source_says_nothing_about_fails_the_sync(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    client = stored(warehouse)
    hide(client, 3)
    client.silent = ["3"]
    with pytest.raises(FatalError, match="short read: the list did not contain 3"):
        sync(warehouse, client, **flags)
    assert len(people(warehouse)) == 100
    assert scripted.history(warehouse)[-1]["watermark"] is None


@EITHER
def test_a_row_whose_record_is_not_shown_to_us_stays(
    warehouse: Warehouse, flags: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    client = stored(warehouse, 10)
    del client.records[3:5]
    client.closed = ["3"]
    told = sync(warehouse, client, **flags)
    assert (told.status, told.counts.deleted) == ("success", 1)
    assert "3" in people(warehouse)
    assert "4" not in people(warehouse)
    assert "1 stored records are not shown to these credentials" in caplog.text


def test_so_many_that_they_would_be_refused_are_not_asked_for(warehouse: Warehouse) -> None:
    client = stored(warehouse)
    hide(client, *range(30))
    with pytest.raises(Refused, match="30 of 100 live rows"):
        sync(warehouse, client, **FULL)
    assert client.by_keys == []
    told = sync(warehouse, client, full=True, force=True)
    assert (told.counts.deleted, len(people(warehouse))) == (0, 100)


def test_a_record_that_cannot_be_stored_is_there_all_the_same(warehouse: Warehouse) -> None:
    client = stored(warehouse)
    hide(client, 3)
    client.hidden[0][UNREAD] = "it is too large"
    told = sync(warehouse, client, **FULL)
    assert (told.status, told.counts) == ("partial", Counts(100, unchanged=99, failed=1))
    assert "3" in people(warehouse)


def test_many_are_asked_for_in_parts(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completeness, "AT_ONCE", 4)
    monkeypatch.setattr(completeness, "LISTED_AT_ONCE", 6)
    client = stored(warehouse)
    hide(client, *range(0, 14, 2))
    client.records = [r for r in client.records if int(r["id"]) > 15]
    told = sync(warehouse, client, **FULL)
    assert sorted(client.asked_for) == sorted(str(n) for n in range(16)), "each of them once"
    assert [len(keys) for keys in client.by_keys] == [4, 2, 4, 2, 4]
    assert told.counts == Counts(91, unchanged=91, deleted=9)


@EITHER
@pytest.mark.parametrize("breaks_at", [0, 1, 2])
def test_a_sync_that_breaks_here_resumes_after_the_last_page(
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, Any],
    breaks_at: int,
) -> None:
    monkeypatch.setattr(completeness, "AT_ONCE", 3)
    client = stored(warehouse, 200)
    hide(client, *range(8), at=60, name="Newer")
    client.records.remove(person(9))
    client.breaks_at = breaks_at
    with pytest.raises(TransientError):
        sync(warehouse, client, **flags)
    assert len(people(warehouse)) == 200
    client.breaks_at = -1
    client.asked.clear()
    done, client.by_keys = client.asked_for, []
    told = sync(warehouse, client, **flags)
    assert told.resumed
    assert client.asked == [], "no page is read again"
    assert not set(done) & set(client.asked_for) - {"9"}, "what came is not asked for again"
    assert told.counts == Counts(199, updated=8, unchanged=191, deleted=1)
    assert len(people(warehouse)) == 199


def test_a_client_that_cannot_be_asked_by_key_is_believed(warehouse: Warehouse) -> None:
    client = FakeClient([person(n) for n in range(20)])
    sync(warehouse, client)
    client.records.pop()
    assert sync(warehouse, client, **FULL).counts.deleted == 1


# What the list never had


@pytest.mark.parametrize("flags", [{}, FULL, REPLACED], ids=["first", "full", "replaced"])
def test_what_another_place_names_is_stored(warehouse: Warehouse, flags: dict[str, Any]) -> None:
    if flags:
        stored(warehouse, 10)
    client = Asked([person(n) for n in range(10)], hidden=[person("x"), person("y")])
    client.named = [*map(str, range(10)), "x", "y", "z"]
    foretold = sync(warehouse, client, **flags, dry_run=True)
    told = sync(warehouse, client, **flags)
    assert sorted(client.by_keys[-1]) == ["x", "y", "z"]
    assert told.counts == foretold.counts
    assert told.counts.created == (2 if flags else 12)
    assert set(people(warehouse)) == {*map(str, range(10)), "x", "y"}
    assert told.status == "success"


@pytest.mark.parametrize("flags", [{}, FULL, REPLACED], ids=["first", "full", "replaced"])
def test_what_was_set_aside_is_not_asked_for_again(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    if flags:
        stored(warehouse, 10)
    bad = {**person("bad"), UNREAD: "it is too large"}
    client = Asked([*(person(n) for n in range(10)), bad], named=["bad", "1"])
    assert sync(warehouse, client, **flags).counts.failed == 1
    assert client.by_keys == []


@pytest.mark.parametrize("flags", [{"max_records": 5}, {"start_date": "2026-01-01"}], ids=str)
def test_a_read_that_is_not_of_everything_asks_for_nothing(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    client = stored(warehouse, 10)
    client.named = ["x"]
    client.hidden = [person("x")]
    sync(warehouse, client, **flags)
    sync(warehouse, client)
    assert client.by_keys == []


def test_rows_whose_absence_proves_nothing_are_overlooked_like_others(
    warehouse: Warehouse,
) -> None:
    """A full sync moves the watermark: what it overlooked would stay as old as it is."""
    entity = replace(PEOPLE, absent="kept")
    client = Asked([person(n) for n in range(10)])
    sync(warehouse, client, entity)
    hide(client, 4, at=60, name="Newer")
    client.named = ["4"]
    told = sync(warehouse, client, entity, **FULL)
    assert (told.counts.updated, people(warehouse)["4"]) == (1, "Newer")


def test_keys_of_several_parts_are_compared_part_by_part(warehouse: Warehouse) -> None:
    entity = replace(
        PEOPLE,
        merged_ids=None,
        columns=(integer("number", key=True), text("id", key=True), *PEOPLE.columns[1:]),
    )
    seen = [{**person("a/b"), "number": 1}, {**person("b"), "number": 12}]
    client = Asked(list(seen), now=START + timedelta(minutes=5))
    asked: list[Key] = []

    class Twice(Asked):
        def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
            asked.extend(keys)
            yield Page([{**person("c"), "number": 1}], {})

        def overlooked(self, read: Read, usage: Usage) -> Iterator[Page]:
            yield Page([*seen, {"number": 1, "id": "c"}], {})

    told = sync(warehouse, Twice(client.records), entity)
    assert asked == [("1", "c")]
    assert told.counts.created == 3


def test_a_sync_that_waits_for_an_answer_goes_on_beating(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "HEARTBEAT_SECONDS", 0.05)
    client = stored(warehouse, 10)
    hide(client, 3)
    beats: list[int] = []

    class Slow(Asked):
        def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
            time.sleep(0.4)
            yield from super().by_key(read, keys, usage)

    def told(sync: Sync) -> None:
        beats.append(sync.counts.processed)

    sync(warehouse, Slow(client.records, hidden=client.hidden), progress=told, **FULL)
    assert beats.count(9) >= 4
    assert rows(warehouse, "SELECT count(*) FROM test_people WHERE deleted_at IS NULL") == [(10,)]
