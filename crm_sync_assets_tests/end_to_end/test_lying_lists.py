"""Pages that lie: empty with more to come, one record short, one record twice in place of another.

Whatever a list says, a sync that says success has stored what HubSpot holds, and marked only what
is gone there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import FatalError, SyncError, TransientError
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

LIES = ("empty", "short", "swap")
LISTS = {
    "deals": r"GET /hubspot/crm/v3/objects/deals\?.*archived=false",
    "contacts": r"GET /hubspot/crm/v3/objects/contacts\?.*archived=false",
    "owners": r"GET /hubspot/crm/v3/owners\?.*archived=false",
    "pipelines": r"GET /hubspot/crm/v3/pipelines/",
    "pipeline_stages": r"GET /hubspot/crm/v3/pipelines/",
}
"""The list that each entity is read from."""
BIN = r"GET /hubspot/crm/v3/objects/deals\?.*archived=true"
SEARCH = r"POST /hubspot/crm/v3/objects/deals/search"
FULL: dict[str, Any] = {"full": True, "batch_size": 5}
REPLACED: dict[str, Any] = {**FULL, "force": True}


@pytest.fixture(scope="module")
def portal() -> Iterator[Sandbox]:
    counts = {"deals": 46, "appointments": 5, "companies": 5, "tickets": 5, "line_items": 5}
    with Sandbox(seed=11, contacts=37, counts=counts, zipcodes=20) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(portal: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    for name, value in portal.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
    yield portal
    portal.reset()


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    client: Any = syncs.client
    for http in client._opened:
        http.sleep = lambda _: None
    yield syncs
    syncs.close()


def wrong(sandbox: Sandbox, hubspot: HubSpotSyncs, name: str = "deals") -> list[str]:
    entity = registry.entity(f"hubspot.{name}")
    return list(entity_differences(sandbox, hubspot.warehouse, entity, True))


def pages_of(sandbox: Sandbox, hubspot: HubSpotSyncs, name: str) -> list[str]:
    """The addresses of the list's pages, in order, as a dry run asks for them."""
    before = len(sandbox.ledger.entries)
    hubspot.sync(name, dry_run=True, **FULL)
    entries = list(sandbox.ledger.entries)[before:]
    lines = [f"{e.method} {e.path}{'?' if e.query else ''}{e.query}" for e in entries]
    found = [line for line in lines if re.search(LISTS[name], line)]
    # What comes a second time, or in pages of another size, is the second look.
    return [line for line in dict.fromkeys(found) if "limit=4" not in line]


PLACES = ("first", "middle", "last")


def lie_at(sandbox: Sandbox, pages: list[str], place: str, lie: str, on: int | str = 1) -> None:
    sandbox.faults.clear()
    number = {"first": 0, "middle": len(pages) // 2, "last": -1}[place]
    sandbox.faults.add(re.escape(pages[number]) + "$", on=on, lie=lie)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", LISTS)
def test_no_lie_of_a_page_loses_or_deletes_a_record(
    sandbox: Sandbox, hubspot: HubSpotSyncs, name: str, lie: str, place: str
) -> None:
    """In a first sync, a full one and a replacement, as a dry run foretells each of them."""
    pages = pages_of(sandbox, hubspot, name)
    for flags in ({"batch_size": 5}, FULL, REPLACED):
        lie_at(sandbox, pages, place, lie)
        foretold = hubspot.sync(name, **flags, dry_run=True)
        assert foretold.counts.deleted == 0
        lie_at(sandbox, pages, place, lie)
        told = hubspot.sync(name, **flags)
        assert told.status == "success"
        assert sandbox.faults.rules[0].hits == 1
        assert told.counts == foretold.counts
        assert wrong(sandbox, hubspot, name) == []
        assert told.counts.deleted == 0
        assert told.counts.add_up


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_always_lies_loses_nothing_either(
    sandbox: Sandbox, hubspot: HubSpotSyncs, lie: str, place: str
) -> None:
    pages = pages_of(sandbox, hubspot, "deals")
    lie_at(sandbox, pages, place, lie, on="all")
    for flags in ({"batch_size": 5}, FULL, REPLACED):
        told = hubspot.sync("deals", **flags)
        assert (told.status, told.counts.deleted) == ("success", 0)
        assert wrong(sandbox, hubspot) == []


@pytest.mark.parametrize("lie", LIES)
def test_what_a_lie_hid_is_as_new_as_what_it_did_not(
    sandbox: Sandbox, hubspot: HubSpotSyncs, lie: str
) -> None:
    """A full sync moves the watermark: no delta would bring what changed before it."""
    pages = pages_of(sandbox, hubspot, "deals")
    hubspot.sync("deals", batch_size=5)
    sandbox.clock.advance(3_600)
    sandbox.hubspot.bulk_touch("deals", count=46, properties={"description": "changed"})
    sandbox.clock.advance(3_600)
    lie_at(sandbox, pages, "middle", lie)
    assert hubspot.sync("deals", **FULL).counts.updated == 46
    assert wrong(sandbox, hubspot) == []


def test_what_is_really_gone_is_marked_beside_what_a_lie_hid(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    pages = pages_of(sandbox, hubspot, "deals")
    hubspot.sync("deals", batch_size=5)
    ids = sandbox.hubspot.ids("deals")
    sandbox.hubspot.purge("deals", ids[2])
    sandbox.hubspot.archive("deals", ids[3])
    sandbox.hubspot.merge("deals", ids[4], ids[5])
    lie_at(sandbox, pages, "middle", "empty")
    told = hubspot.sync("deals", **FULL)
    assert told.status == "success"
    assert wrong(sandbox, hubspot) == []


@pytest.mark.parametrize("flags", [{}, FULL, REPLACED], ids=["first", "full", "replaced"])
def test_a_sync_that_breaks_while_it_asks_by_key_asks_again(
    sandbox: Sandbox, hubspot: HubSpotSyncs, flags: dict[str, Any]
) -> None:
    pages = pages_of(sandbox, hubspot, "deals")
    if flags:
        hubspot.sync("deals", batch_size=5)
    lie_at(sandbox, pages, "middle", "short")
    broken = sandbox.faults.add(r"POST .*/deals/batch/read", on="all", status=502)
    with pytest.raises(TransientError):
        hubspot.sync("deals", **{"batch_size": 5, **flags})
    assert broken.hits
    row = history(hubspot.warehouse)[-1]
    assert (row["status"], row["watermark"]) == ("failed", None)
    assert row["checkpoint"]["cursor"]["phase"] == "done"
    sandbox.faults.clear()
    before = len(sandbox.ledger.entries)
    again = hubspot.sync("deals", **{"batch_size": 5, **flags})
    assert (again.resumed, again.status) == (True, "success")
    asked = [e for e in list(sandbox.ledger.entries)[before:] if "archived=" in e.query]
    assert not [e for e in asked if e.method == "GET"], "no page is listed again"
    assert wrong(sandbox, hubspot) == []
    assert again.counts.processed == len([*sandbox.hubspot.ids("deals"), *_bin(sandbox)])


def _bin(sandbox: Sandbox) -> list[str]:
    return sandbox.hubspot.ids("deals", "archived")


def test_a_source_that_does_not_answer_by_key_proves_nothing(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """The batch read leaves the record out too: the sync fails, and nothing is marked."""
    pages = pages_of(sandbox, hubspot, "deals")
    hubspot.sync("deals", batch_size=5)
    lie_at(sandbox, pages, "middle", "short")
    sandbox.faults.add(r"POST .*/deals/batch/read", on="all", lie="short")
    with pytest.raises(FatalError, match="short read"):
        hubspot.sync("deals", **FULL)
    live = "SELECT count(*) FROM hubspot_deal WHERE deleted_at IS NULL"
    assert rows(hubspot.warehouse, live) == [(46,)]


def test_a_list_that_lost_too_much_is_made_whole_by_the_search(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """More than a full sync would ever mark as gone, without one being refused."""
    hubspot.sync("deals", batch_size=5)
    sandbox.faults.add(LISTS["deals"], on="all", lie="empty")
    told = hubspot.sync("deals", full=True)
    assert (told.status, told.counts.deleted, told.counts.unchanged) == ("success", 0, 46 + 0)
    assert wrong(sandbox, hubspot) == []


# The recycle bin


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("gone", [1, 12])
def test_a_lie_about_the_recycle_bin_hides_no_deletion(
    sandbox: Sandbox, hubspot: HubSpotSyncs, gone: int, lie: str
) -> None:
    hubspot.sync("deals")
    for deal in sandbox.hubspot.ids("deals")[:gone]:
        sandbox.hubspot.archive("deals", deal)
    for number in (1, 3):
        sandbox.faults.clear()
        sandbox.faults.add(BIN, on=number, lie=lie)
        assert hubspot.sync("deals", batch_size=5).status == "success"
        assert wrong(sandbox, hubspot) == []


# Searches


@pytest.mark.parametrize("number", [1, 3, 10])
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_the_search_of_a_delta_loses_nothing(
    sandbox: Sandbox, hubspot: HubSpotSyncs, lie: str, number: int
) -> None:
    hubspot.sync("deals")
    sandbox.clock.advance(3_600)
    sandbox.hubspot.bulk_touch("deals", count=46, properties={"description": "changed"})
    sandbox.clock.advance(3_600)
    rule = sandbox.faults.add(SEARCH, on=number, lie=lie)
    told = hubspot.sync("deals", batch_size=5)
    assert rule.hits == 1
    assert (told.strategy.name, told.status) == ("incremental", "success")
    assert (told.counts.updated, wrong(sandbox, hubspot)) == (46, [])


def test_a_page_full_of_others_in_place_of_one_that_was_left_out_is_noticed(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """The page has as many records as were asked for; only the count of the next one tells."""
    hubspot.sync("deals")
    sandbox.clock.advance(3_600)
    sandbox.hubspot.bulk_touch("deals", count=46, properties={"description": "changed"})
    sandbox.clock.advance(3_600)
    true: list[dict[str, Any]] = []

    def written_down(body: bytes) -> bytes:
        true.extend(json.loads(body)["results"])
        return body

    rule = sandbox.faults.add(SEARCH, on="all", rewrite=written_down)
    hubspot.sync("deals", batch_size=6, dry_run=True)
    sandbox.faults.remove(rule)

    def one_left_out(body: bytes) -> bytes:
        return json.dumps({**json.loads(body), "results": [*true[6:8], *true[9:13]]}).encode()

    sandbox.faults.add(SEARCH, on=2, rewrite=one_left_out)
    assert hubspot.sync("deals", batch_size=6).counts.updated == 46
    assert wrong(sandbox, hubspot) == []


@pytest.mark.parametrize("lie", ["empty", "short"])
def test_a_search_that_goes_on_lying_fails_in_the_right_words(
    sandbox: Sandbox, hubspot: HubSpotSyncs, lie: str
) -> None:
    hubspot.sync("deals")
    first = history(hubspot.warehouse)[-1]
    sandbox.clock.advance(3_600)
    sandbox.hubspot.bulk_touch("deals", count=46, properties={"description": "changed"})
    sandbox.clock.advance(3_600)
    sandbox.faults.add(SEARCH, on="all", lie=lie)
    with pytest.raises(FatalError, match=r"short read: a search for ids .* counts \d+ records"):
        hubspot.sync("deals")
    assert "login page" not in history(hubspot.warehouse)[-1]["error_message"]
    sandbox.faults.clear()
    again = hubspot.sync("deals")
    assert again.strategy.since == first["watermark"]
    assert wrong(sandbox, hubspot) == []


@pytest.mark.parametrize("lie", LIES)
def test_lists_and_searches_that_lie_alike_end_in_the_truth_or_in_a_failure(
    sandbox: Sandbox, hubspot: HubSpotSyncs, lie: str
) -> None:
    sandbox.faults.add(r"/objects/deals", on="every 2", lie=lie)
    try:
        told = hubspot.sync("deals", batch_size=5)
    except SyncError:
        assert history(hubspot.warehouse)[-1]["status"] == "failed"
    else:
        assert told.status == "success"
        assert wrong(sandbox, hubspot) == []
    sandbox.faults.clear()
    assert hubspot.sync("deals", batch_size=5).status == "success"
    assert wrong(sandbox, hubspot) == []


def test_what_was_created_while_the_list_was_read_comes_with_the_delta(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """And makes nobody read all ids: the search counts what is older."""
    pages = pages_of(sandbox, hubspot, "deals")

    def meanwhile(_: int) -> None:
        sandbox.hubspot.create("deals", {"dealname": "Late"}, at=sandbox.clock.now())

    sandbox.knobs.index_lag = 300
    sandbox.faults.add(re.escape(pages[2]), on=1, callback=meanwhile)
    before = len(sandbox.ledger.entries)
    assert hubspot.sync("deals", batch_size=5).status == "success"
    entries = list(sandbox.ledger.entries)[before:]
    assert sum(e.path.endswith("/search") for e in entries) == 2
    assert not [e for e in entries if e.path.endswith("/batch/read")]
    sandbox.clock.advance(timedelta(minutes=20).total_seconds())
    hubspot.sync("deals")
    assert wrong(sandbox, hubspot) == []


# By key


def test_what_left_the_small_lists_is_asked_for_where_it_may_be(
    sandbox: Sandbox, hubspot: HubSpotSyncs
) -> None:
    """An owner who was deactivated meanwhile, a pipeline and a stage that were archived."""
    directory = sandbox.hubspot.directory
    for name in ("owners", "pipelines", "pipeline_stages"):
        hubspot.sync(name)
    before = len(sandbox.ledger.entries)
    directory.edit_pipeline("deals", "renewals", archived=True)
    directory.edit_stage("deals", "default", "closedlost", archived=True)
    assert hubspot.sync("pipelines", force=True).counts.deleted == 1
    # The stages of an archived pipeline went with it: 3 of 14 are more than may vanish at once.
    assert hubspot.sync("pipeline_stages", force=True).counts.deleted == 3
    asked = [e.path for e in list(sandbox.ledger.entries)[before:]]
    assert sum("/deals/renewals" in path for path in asked) == 3
    assert any(path.endswith("/deals/default/stages/closedlost") for path in asked)
    owner = directory.list_owners(archived=False)[3]["id"]
    rule = sandbox.faults.add(
        LISTS["owners"], on=1, callback=lambda _: directory.archive_owner(owner)
    )

    def without(body: bytes) -> bytes:
        page = json.loads(body)
        return json.dumps({"results": [o for o in page["results"] if o["id"] != owner]}).encode()

    sandbox.faults.add(r"GET /hubspot/crm/v3/owners\?.*archived=true", on="all", rewrite=without)
    assert hubspot.sync("owners").counts.deleted == 0
    assert rule.hits == 1
    stored = "SELECT archived FROM hubspot_owner WHERE id = %s AND deleted_at IS NULL"
    assert rows(hubspot.warehouse, stored, owner) == [(True,)]


def test_a_pipeline_of_a_type_that_is_no_longer_read_is_gone(
    sandbox: Sandbox, hubspot: HubSpotSyncs, environment: pytest.MonkeyPatch
) -> None:
    hubspot.sync("pipelines")
    environment.setenv("HUBSPOT_PIPELINE_OBJECTS", "deals,tickets")
    fewer = HubSpotSyncs()
    before = len(sandbox.ledger.entries)
    assert fewer.sync("pipelines", force=True).counts.deleted == 1
    asked = [e.path for e in list(sandbox.ledger.entries)[before:]]
    assert not [path for path in asked if "appointments" in path or "0-421" in path]
    fewer.close()


# Verification


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", ["deals", "pipelines"])
def test_a_verification_believes_no_list_either(
    sandbox: Sandbox, hubspot: HubSpotSyncs, name: str, lie: str
) -> None:
    """Of a row that is missing here a lie would say that nothing differs."""
    hubspot.sync(name)
    entity = registry.entity(f"hubspot.{name}")
    missing = sandbox.hubspot.ids("deals")[23] if name == "deals" else "renewals"
    with hubspot.warehouse.connection() as connection:
        connection.execute(f"DELETE FROM {entity.table} WHERE id = %s", (missing,))  # noqa: S608
        connection.commit()
    sandbox.faults.add(LISTS[name], on=1, lie=lie)
    found = verify(
        hubspot.warehouse, entity, hubspot.client, settings_for(hubspot.crm, entity), repair=True
    )
    assert [(f.kind, f.key[-1], f.repaired) for f in found.findings] == [("missing", missing, True)]
    assert wrong(sandbox, hubspot, name) == []
