"""One record is larger than an answer may be: it is set aside by itself, wherever it is read."""

from __future__ import annotations

import json
import re
import tracemalloc
from typing import Any

import pytest

from crm_sync_assets.clients import gaining
from crm_sync_assets.clients.http import MOST_BYTES, Session
from crm_sync_assets.crms.hubspot import listing
from crm_sync_assets.crms.hubspot.portions import TOO_LARGE, Portions
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import TooLarge
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.quarantine import Entry
from crm_sync_assets_tests.faults import server as faults
from crm_sync_assets_tests.faults.conftest import Syncs, wrong
from crm_sync_assets_tests.faults.server import FaultServer
from crm_sync_assets_tests.faults.test_wire import FOR_EVER
from crm_sync_assets_tests.scripted import rows

CONTACTS = registry.entity("hubspot.contacts")
RECORDS = r"/objects/contacts(\?|/search|/batch/read)"
SMALL = 1_000_000
"""A lower limit, still above every page of ordinary contacts."""


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    options: Any = Session.request.__kwdefaults__
    monkeypatch.setitem(options, "most_bytes", SMALL)


def swell(sandbox: Sandbox, wire: FaultServer, place: int = 137, size: int = 2 * SMALL) -> str:
    """Make one contact's comments that long; its id."""
    record_id = sandbox.hubspot.ids("contacts")[place]
    wire.spoil(faults.swells(record_id, size, "comments"), on=FOR_EVER, match=RECORDS)
    return record_id


def entries(hubspot: Syncs) -> list[Entry]:
    with hubspot.warehouse.connection() as connection:
        return quarantine.entries(connection)


def stored(hubspot: Syncs, record_id: str) -> tuple[Any, ...] | None:
    """A contact's name, its remaining properties and when it was deleted; None if it is no row."""
    query = "SELECT firstname, properties, deleted_at FROM hubspot_contact WHERE id = %s"
    found = rows(hubspot.warehouse, query, record_id)
    return found[0] if found else None


def is_set_aside(hubspot: Syncs, record_id: str) -> bool:
    """Whether this record is all that is in quarantine, and says why."""
    (entry,) = entries(hubspot)
    assert (entry.stage, entry.reason) == ("parse", TOO_LARGE)
    assert "comments" not in json.dumps(entry.record)
    return entry.record_id == record_id


def test_a_record_of_100_mb_is_set_aside_alone_and_stored_once_it_is_small(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    record_id = swell(sandbox, wire, size=100 << 20)
    tracemalloc.start()
    try:
        sync = hubspot.sync("contacts")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * MOST_BYTES
    assert (sync.status, sync.counts.failed, sync.counts.add_up) == ("partial", 1, True)
    assert sync.watermark is not None
    assert is_set_aside(hubspot, record_id)
    assert wrong(sandbox, hubspot.warehouse) == [f"('{record_id}',) is missing (live)"]
    listed = [r for r in wire.requests if "/objects/contacts?" in r.target]
    assert len(listed) < 25, "the page is halved, and the next one is whole again"

    wire.heal()
    sandbox.clock.advance(60)
    sandbox.hubspot.edit("contacts", record_id, {"comments": "short"})
    sandbox.clock.advance(60)
    assert hubspot.sync("contacts").status == "success"
    assert entries(hubspot) == []
    assert wrong(sandbox, hubspot.warehouse) == []


@pytest.mark.usefixtures("low")
@pytest.mark.parametrize("flags", [{"full": True}, {"full": True, "force": True}], ids=str)
@pytest.mark.parametrize("by_batches", [False, True], ids=["listed", "read by id"])
def test_a_stored_record_that_grew_too_large_stays_as_it_is_in_a_full_read(
    hubspot: Syncs,
    wire: FaultServer,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, bool],
    by_batches: bool,
) -> None:
    hubspot.sync("contacts")
    record_id = swell(sandbox, wire)
    before = stored(hubspot, record_id)
    if by_batches:
        monkeypatch.setattr(listing, "MOST_URL", 0)
    sync = hubspot.sync("contacts", **flags)
    assert (sync.status, sync.counts.failed, sync.counts.deleted) == ("partial", 1, 0)
    assert is_set_aside(hubspot, record_id)
    assert stored(hubspot, record_id) == before
    assert wrong(sandbox, hubspot.warehouse) == []
    assert any("/batch/read" in r.target for r in wire.requests) == by_batches


@pytest.mark.usefixtures("low")
def test_a_record_too_large_for_a_search_is_set_aside_and_its_neighbours_change(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    first = hubspot.sync("contacts")
    record_id = swell(sandbox, wire)
    before = stored(hubspot, record_id)
    sandbox.clock.advance(3600)
    sandbox.hubspot.bulk_touch("contacts", count=290, properties={"tier": "A"})
    sandbox.clock.advance(60)
    sync = hubspot.sync("contacts")
    assert (sync.strategy.since, sync.status) == (first.watermark, "partial")
    assert (sync.counts.updated, sync.counts.failed) == (289, 1)
    assert is_set_aside(hubspot, record_id)
    assert stored(hubspot, record_id) == before
    differing = {line.split(",")[0] for line in wrong(sandbox, hubspot.warehouse)}
    assert differing == {f"('{record_id}'"}


@pytest.mark.usefixtures("low")
def test_a_restored_record_that_is_too_large_is_set_aside(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    record_id = sandbox.hubspot.ids("contacts")[137]
    sandbox.hubspot.archive("contacts", record_id)
    hubspot.sync("contacts")
    sandbox.hubspot.restore("contacts", record_id)
    assert swell(sandbox, wire) == record_id
    assert hubspot.sync("contacts").status == "partial"
    assert is_set_aside(hubspot, record_id)


@pytest.mark.usefixtures("low")
def test_a_record_that_is_too_large_has_a_value_in_a_property_that_became_readable(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubspot.sync("contacts")
    record_id = swell(sandbox, wire)
    monkeypatch.setattr(gaining, "gained", lambda *_: ["hs_object_id"])
    sync = hubspot.sync("contacts")
    assert (sync.status, sync.counts.failed) == ("partial", 1)
    assert is_set_aside(hubspot, record_id)


@pytest.mark.usefixtures("low")
def test_a_repair_sets_aside_what_is_too_large_and_a_verification_knows_why(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    record_id = swell(sandbox, wire)
    with hubspot.warehouse.connection() as connection:
        connection.execute("DELETE FROM hubspot_contact WHERE id = %s", (record_id,))
        connection.commit()
    settings = settings_for(hubspot.crm, CONTACTS)
    verify(hubspot.warehouse, CONTACTS, hubspot.client, settings, repair=True)
    assert is_set_aside(hubspot, record_id)
    found = verify(hubspot.warehouse, CONTACTS, hubspot.client, settings)
    assert (found.status, found.quarantined) == ("success", 1)


@pytest.mark.usefixtures("low")
def test_a_replay_of_a_record_that_was_too_large_makes_no_row_of_nulls(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    record_id = swell(sandbox, wire)
    hubspot.sync("contacts")
    replayed = replay(hubspot.warehouse, CONTACTS, entries(hubspot))
    assert (replayed.counts.failed, replayed.counts.created) == (1, 0)
    assert is_set_aside(hubspot, record_id)
    assert stored(hubspot, record_id) is None


@pytest.mark.usefixtures("low")
def test_an_answer_that_stays_too_large_fails_the_sync(hubspot: Syncs, wire: FaultServer) -> None:
    wire.spoil(faults.answers(b" " * 2 * SMALL), on=FOR_EVER, match=RECORDS)
    row = hubspot.fails()
    assert re.search("hubspot.contacts: .*larger than 1,000,000 bytes", row["error_message"])
    assert row["records_processed"] == 0


@pytest.mark.parametrize("large", [{0}, {57}, {99}, {3, 4, 80}, set(range(100))], ids=str)
@pytest.mark.parametrize("most", [1, 7, 100])
def test_portions_leave_out_the_records_that_are_too_large_and_no_others(
    large: set[int], most: int
) -> None:
    whole: list[int] = []
    bare: list[int] = []
    asked: list[int] = []

    def fetch(size: int, is_whole: bool) -> list[int]:
        asked.append(size)
        some = list(range(here, min(here + size, 300)))
        if is_whole and large.intersection(some):
            raise TooLarge("too large")
        (whole if is_whole else bare).extend(some)
        return some

    portions, here = Portions("crm.things", most), 0
    while here < 300:
        here += len(portions.ask(fetch, left=300 - here))
    assert (set(bare), set(whole)) == (large, set(range(300)) - large)
    assert len(bare) + len(whole) == 300
    assert len(asked) <= 300 / most + 16 * len(large)
    assert max(asked) == most


def test_records_that_are_too_much_together_are_read_whole_and_pages_grow_again() -> None:
    asked: list[int] = []

    def fetch(size: int, is_whole: bool) -> int:
        assert is_whole
        asked.append(size)
        if here < 100 and size > 60:
            raise TooLarge("too large")
        return size

    portions, here = Portions("crm.things", 100), 0
    while here < 500:
        here += portions.ask(fetch, left=500 - here)
    assert asked[:4] == [100, 50, 25, 12]
    assert asked[-4:] == [100, 100, 100, 100]


def test_portions_keep_no_answer_that_was_too_large() -> None:
    """Each try could hold as much as an answer may: none is kept while the next is read."""
    held: list[int] = []

    def fetch(size: int, is_whole: bool) -> int:
        body = bytearray(10_000_000)
        held.append(tracemalloc.get_traced_memory()[0])
        if is_whole:
            raise TooLarge(f"{len(body)} bytes")
        return size

    tracemalloc.start()
    try:
        assert Portions("crm.things", 128).ask(fetch) == 1
    finally:
        tracemalloc.stop()
    assert len(held) == 9
    assert max(held) < 15_000_000
