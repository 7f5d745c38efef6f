"""What HubSpot alone does to a sync: searches, recycle bins, batches, pairs, the file of zip codes.

The promises that every CRM keeps are in `promises/`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences, stored_rows

LIST = r"GET /hubspot/crm/v3/objects/contacts\?"
SEARCH = r"POST /hubspot/crm/v3/objects/contacts/search"
BATCH = r"POST /hubspot/crm/v3/objects/contacts/batch/read"


@pytest.fixture
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """400 contacts, little else."""
    others = {"deals": 10, "appointments": 10, "companies": 5, "tickets": 5, "line_items": 5}
    with Sandbox(seed=11, contacts=400, counts=others, zipcodes=60) as sandbox:
        _point_to(sandbox, environment)
        yield sandbox


def _point_to(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')


class Syncs(HubSpotSyncs):
    """HubSpot's syncs, with waits written down instead of waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        client: Any = self.client
        client._sleep = self.waits.append
        for http in client._opened:
            http.sleep = self.waits.append


@pytest.fixture
def open_syncs(sandbox: Sandbox) -> Iterator[Callable[[], Syncs]]:
    """Makes syncs for the environment as it is then."""
    opened: list[Syncs] = []

    def make() -> Syncs:
        opened.append(Syncs())
        return opened[-1]

    yield make
    for syncs in opened:
        syncs.close()


@pytest.fixture
def hubspot(open_syncs: Callable[[], Syncs]) -> Syncs:
    return open_syncs()


def wrong(
    sandbox: Sandbox, warehouse: Warehouse, name: str = "contacts", *, purges_seen: bool = True
) -> list[str]:
    """Every way in which one entity's table differs from the truth."""
    entity = registry.entity(f"hubspot.{name}")
    return list(entity_differences(sandbox, warehouse, entity, purges_seen))


def contact(warehouse: Warehouse, record_id: str) -> dict[str, Any]:
    return stored_rows(warehouse, registry.entity("hubspot.contacts"))[(record_id,)]


def asked(sandbox: Sandbox, pattern: str, *, since: int = 0) -> int:
    """How many requests had this end of their path."""
    return sum(e.path.endswith(pattern) for e in sandbox.ledger.entries if e.number > since)


def number(sandbox: Sandbox) -> int:
    """The number of the last request."""
    return sandbox.ledger.entries[-1].number if sandbox.ledger.entries else 0


# Caps and lag


def test_more_records_than_a_search_can_page_through_arrive_in_bounded_requests(
    environment: pytest.MonkeyPatch,
) -> None:
    """25,001 changed deals, 12,000 of them on one timestamp; a search ends at 10,000."""
    counts = {"deals": 25_001, "contacts": 60}
    with Sandbox(seed=5, contacts=60, counts=counts, search_cap=10_000) as sandbox:
        _point_to(sandbox, environment)
        hubspot = Syncs()
        moment = sandbox.clock.now()
        sandbox.hubspot.bulk_touch("deals", count=12_000, timestamp=moment)
        with hubspot.warehouse.connection() as connection:
            connection.execute(
                "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
                "status, watermark) VALUES ('hubspot', 'deals', now(), now(), 'success', %s)",
                (datetime(2000, 1, 1, tzinfo=UTC),),
            )
            connection.commit()
        begun = hubspot.sync("deals")
        assert begun.strategy.name == "incremental"
        live = rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_deal WHERE NOT archived")
        assert live == [(25_001,)]
        tied = rows(
            hubspot.warehouse,
            "SELECT count(*) FROM hubspot_deal WHERE hs_lastmodifieddate = "
            "date_trunc('milliseconds', %s::timestamptz)",
            moment,
        )
        assert tied == [(12_000,)]
        assert asked(sandbox, "/search") <= 127, "126 full pages and the empty one"
        assert history(hubspot.warehouse)[-1]["records_processed"] == begun.counts.processed
        hubspot.close()


def test_writes_that_show_up_later_than_their_timestamp_arrive(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    sandbox.knobs.commit_delay = 240
    for turn in range(8):
        sandbox.clock.advance(45)
        sandbox.hubspot.move(10, seed=turn, types=["contacts"])
        hubspot.sync("contacts")
    sandbox.clock.advance(300)
    hubspot.sync("contacts")
    assert wrong(sandbox, hubspot.warehouse, purges_seen=False) == []


# Odd pages


def test_empty_repeated_and_short_pages_of_a_list_change_nothing(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    sandbox.knobs.turn({"empty_pages": 2, "repeat_page": True, "page_shrink": 37})
    begun = hubspot.sync("contacts")
    assert wrong(sandbox, hubspot.warehouse) == []
    truth = [r for r in sandbox.hubspot.truth("contacts") if r["state"] in ("live", "archived")]
    assert begun.counts.created == len(truth)
    assert begun.counts.add_up


def test_a_record_twice_on_a_page_is_stored_once(hubspot: Syncs, sandbox: Sandbox) -> None:
    def doubled(body: bytes) -> bytes:
        page = json.loads(body)
        page["results"] = [*page["results"], *page["results"][::-1]]
        return json.dumps(page).encode()

    sandbox.faults.add(LIST, on="all", rewrite=doubled)
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []
    hubspot.sync("contacts", full=True)
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_search_that_gives_less_than_it_promised_is_a_short_read(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    sandbox.hubspot.bulk_touch("contacts", count=250, properties={"tier": "B"})
    sandbox.knobs.short_total = 5
    with pytest.raises(FatalError, match="short read"):
        hubspot.sync("contacts")
    first, second = history(hubspot.warehouse)
    assert (second["status"], second["watermark"]) == ("failed", None)
    assert "short read: a search for ids after" in second["error_message"]
    assert "login page" not in second["error_message"]
    sandbox.knobs.reset()
    again = hubspot.sync("contacts")
    assert again.strategy.since == first["watermark"]
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_search_whose_pages_are_shorter_than_asked_for_is_read_to_its_end(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    """HubSpot answers so; each page's range of ids is counted once more."""
    hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    sandbox.hubspot.bulk_touch("contacts", count=250, properties={"tier": "B"})
    sandbox.clock.advance(3600)
    sandbox.knobs.page_shrink = 1
    before = number(sandbox)
    told = hubspot.sync("contacts")
    assert (told.status, told.counts.updated) == ("success", 250)
    assert wrong(sandbox, hubspot.warehouse) == []
    assert asked(sandbox, "/search", since=before) == 2 + 1 + 1, "199, counted, 51, and no more"


# Removals and pairs


def test_a_removal_marks_the_purged_and_nobody_else(hubspot: Syncs, sandbox: Sandbox) -> None:
    """A batch with one missing id answers 207; that is not "all hundred are gone". What was merged
    away before is left as it is.
    """
    hubspot.sync("contacts")
    sandbox.clock.advance(60)
    kept, lost, *purged = sandbox.hubspot.ids("contacts")[28:33]
    survivor = sandbox.hubspot.merge("contacts", kept, lost)
    for record_id in purged:
        sandbox.hubspot.purge("contacts", record_id)
    hubspot.sync("contacts")
    assert contact(hubspot.warehouse, purged[0])["deleted_at"] is None, "a purge is in no feed"
    begun = hubspot.sync("contacts_removal")
    assert (begun.counts.deleted, begun.counts.updated) == (3, 3)
    assert contact(hubspot.warehouse, lost)["merged_into"] == survivor
    assert wrong(sandbox, hubspot.warehouse) == []
    assert hubspot.sync("contacts_removal").counts.deleted == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 500}, id="500"),
        pytest.param({"status": 429, "retry_after": "86400"}, id="429"),
        pytest.param({"status": 403}, id="403"),
        pytest.param({"body": "html"}, id="HTML with 200"),
        pytest.param({"drop": True}, id="dropped"),
        pytest.param({"status": 207, "body": '{"results": [], "errors": []}'}, id="an empty 207"),
        pytest.param({"status": 200, "body": '{"results": []}'}, id="an empty 200"),
    ],
)
@pytest.mark.parametrize("on", ["all", "3-"])
def test_a_removal_that_is_answered_oddly_removes_nobody(
    hubspot: Syncs, sandbox: Sandbox, fault: dict[str, Any], on: str
) -> None:
    hubspot.sync("contacts")
    sandbox.faults.add(BATCH, on=on, **fault)
    try:
        hubspot.sync("contacts_removal")
    except SyncError:
        assert history(hubspot.warehouse)[-1]["status"] == "failed"
    assert rows(
        hubspot.warehouse,
        "SELECT count(*) FROM hubspot_contact WHERE deleted_at IS NOT NULL AND NOT archived",
    ) == [(0,)]
    assert wrong(sandbox, hubspot.warehouse) == []


def test_records_a_batch_leaves_out_without_a_word_are_not_removed(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    """Few enough to pass the guard against mass deletion: only what is named is gone."""

    def shortened(body: bytes) -> bytes:
        batch = json.loads(body)
        return json.dumps({**batch, "results": batch["results"][3:]}).encode()

    hubspot.sync("contacts")
    sandbox.faults.add(BATCH, on="all", rewrite=shortened)
    begun = hubspot.sync("contacts_removal")
    assert (begun.status, begun.counts.deleted) == ("success", 0)
    assert wrong(sandbox, hubspot.warehouse) == []


def test_pairs_come_and_go_without_touching_their_records(hubspot: Syncs, sandbox: Sandbox) -> None:
    """The pairs of one contact come in several pages of their own."""
    sandbox.knobs.association_page_size = 3
    contacts, deals = sandbox.hubspot.ids("contacts"), sandbox.hubspot.ids("deals")
    for deal in deals:
        sandbox.hubspot.associate("contacts", contacts[0], "deals", deal)
    for other in contacts[1:60]:
        sandbox.hubspot.associate("contacts", other, "deals", deals[0])
    hubspot.sync("contacts")
    hubspot.sync("deals")
    name = "associations_contact_deal"
    hubspot.sync(name)
    assert wrong(sandbox, hubspot.warehouse, name) == []
    before = sandbox.hubspot.get("contacts", contacts[0])["updatedAt"]
    sandbox.hubspot.dissociate("contacts", contacts[0], "deals", deals[4])
    sandbox.hubspot.associate("contacts", contacts[70], "deals", deals[5])
    assert sandbox.hubspot.get("contacts", contacts[0])["updatedAt"] == before
    begun = hubspot.sync(name)
    assert (begun.counts.created, begun.counts.deleted) == (1, 1)
    assert wrong(sandbox, hubspot.warehouse, name) == []
    sandbox.hubspot.associate("contacts", contacts[0], "deals", deals[4])
    assert hubspot.sync(name).counts.updated == 1
    assert wrong(sandbox, hubspot.warehouse, name) == []


# Poison

NOTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a NUL": ({"firstname": "Ann\x00a"}, {"firstname": "Anna"}),
    "half a character": ({"firstname": "Bo\ud800b"}, {"firstname": "Bo\ufffdb"}),
    "NaN": ({"price": float("nan")}, {"price": None}),
    "infinity": ({"hs_analytics_revenue": float("inf")}, {"hs_analytics_revenue": None}),
    "2^64": ({"lead_id": str(2**64)}, {"lead_id": None}),
    "2^64 as a number": ({"lead_id": 2**64}, {"lead_id": None}),
    "year 20000": ({"lead_sourced_on": "20000-01-01T00:00:00Z"}, {"lead_sourced_on": None}),
    "a zero date": ({"lead_sourced_on": "0000-00-00"}, {"lead_sourced_on": None}),
    "an object": ({"lead_status": {"a": 1}}, {"lead_status": None}),
}
PLAIN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "200 KB": ({"comments": "long " * 40_000}, {}),
    "a formula": ({"firstname": "=cmd|' /C calc'!A0"}, {}),
    "a statement": ({"firstname": "'); DROP TABLE hubspot_contact; --"}, {}),
    "a log line": ({"firstname": "x\n2026-01-01 CRITICAL all is lost \x1b[31m %s {}"}, {}),
    "2,000 properties": ({f"custom_{n}": f"value {n}" for n in range(2_000)}, {}),
    "a key of the engine": ({"sync_issues": "no", "sync_created_at": "never"}, {}),
}


def test_poison_from_the_wire_is_noted_or_set_aside_alone(
    hubspot: Syncs, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    ids = sandbox.hubspot.ids("contacts")
    # An indexed value of 200 KB that does not compress: PostgreSQL refuses the row.
    sent: dict[str, dict[str, Any]] = {ids[40]: {"email": secrets.token_hex(100_000)}}
    expected: dict[str, dict[str, Any]] = {}
    for record_id, (values, stored) in zip(ids[50:], {**NOTED, **PLAIN}.values(), strict=False):
        sent[record_id] = values
        expected[record_id] = stored or {n: v for n, v in values.items() if "_" not in n}

    def poison(body: bytes) -> bytes:
        page = json.loads(body)
        for record in page["results"]:
            record.get("properties", {}).update(sent.get(record["id"], {}))
        return json.dumps(page).encode()

    sandbox.faults.add(f"({LIST})|({BATCH})", on="all", rewrite=poison)
    with caplog.at_level("INFO"):
        begun = hubspot.sync("contacts")
    assert begun.status == "partial"
    assert begun.counts.failed == 1
    ((record_id, stage, reason),) = rows(
        hubspot.warehouse, "SELECT record_id, stage, reason FROM ingestion_quarantine"
    )
    assert (record_id, stage) == (ids[40], "load")
    assert "index row size" in reason or "index row requires" in reason
    for place, (record_id, values) in enumerate(expected.items()):
        row = contact(hubspot.warehouse, record_id)
        assert {name: row[name] for name in values} == values
        assert (row["sync_issues"] is not None) >= (place < len(NOTED))
    many = contact(hubspot.warehouse, ids[50 + len(NOTED) + list(PLAIN).index("2,000 properties")])
    assert many["properties"]["custom_1999"] == "value 1999"
    problems = wrong(sandbox, hubspot.warehouse)
    assert not [line for line in problems if not any(record_id in line for record_id in sent)]
    assert not [line for line in caplog.text.splitlines() if line.startswith("2026-01-01 CRITICAL")]
    assert "\x1b[31m" not in caplog.text


# Credentials


def test_a_missing_scope_fails_one_entity_and_is_named(hubspot: Syncs, sandbox: Sandbox) -> None:
    sandbox.knobs.missing_scopes = {"crm.objects.deals.read"}
    with pytest.raises(FatalError, match=r"crm\.objects\.deals\.read"):
        hubspot.sync("deals")
    assert hubspot.sync("contacts").status == "success"
    deals, contacts = history(hubspot.warehouse)
    assert (deals["status"], contacts["status"]) == ("failed", "success")
    assert "crm.objects.deals.read" in deals["error_message"]


# The file of zip codes


def test_zip_codes_are_read_again_only_when_the_file_changed(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    hubspot.sync("zipcodes")
    assert wrong(sandbox, hubspot.warehouse, "zipcodes") == []
    unchanged = hubspot.sync("zipcodes")
    assert unchanged.counts == Counts()
    assert unchanged.status == "success"
    assert sandbox.ledger.entries[-1].status == 304
    assert wrong(sandbox, hubspot.warehouse, "zipcodes") == []
    sandbox.github.put("21999", division="Baltimore", city="New")
    sandbox.github.remove(next(iter(sandbox.github.truth()))["zipcode"])
    begun = hubspot.sync("zipcodes")
    assert (begun.counts.created, begun.counts.deleted) == (1, 1)
    assert wrong(sandbox, hubspot.warehouse, "zipcodes") == []
    assert hubspot.sync("zipcodes").counts == Counts()


def test_a_file_that_lost_more_than_half_its_rows_is_refused(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    hubspot.sync("zipcodes")
    codes = [row["zipcode"] for row in sandbox.github.truth()]
    for code in codes[:31]:
        sandbox.github.remove(code)
    with pytest.raises(FatalError, match="31 of 60 live rows"):
        hubspot.sync("zipcodes")
    live = "SELECT count(*) FROM hubspot_zipcode WHERE deleted_at IS NULL"
    assert rows(hubspot.warehouse, live) == [(60,)]
    with pytest.raises(FatalError, match="31 of 60 live rows"):
        hubspot.sync("zipcodes")
    sandbox.github.put(codes[0], division="Back")
    assert hubspot.sync("zipcodes").counts.deleted == 30, "half is not more than half"
    assert wrong(sandbox, hubspot.warehouse, "zipcodes") == []


@pytest.mark.parametrize("text", ["", "zipcode,division\n", "<html>moved</html>"])
def test_a_file_without_rows_empties_no_table(hubspot: Syncs, sandbox: Sandbox, text: str) -> None:
    hubspot.sync("zipcodes")
    sandbox.github.replace(text)
    with pytest.raises(FatalError):
        hubspot.sync("zipcodes")
    live = "SELECT count(*) FROM hubspot_zipcode WHERE deleted_at IS NULL"
    assert rows(hubspot.warehouse, live) == [(60,)]


def test_zip_codes_stay_text_and_a_mark_at_the_files_beginning_is_no_part_of_it(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    sandbox.knobs.turn({"zip_bom": True, "zip_crlf": True, "zip_blank_lines": True})
    sandbox.github.put("00501", division="Holtsville")
    sandbox.github.put("2108", division="Boston")
    hubspot.sync("zipcodes")
    found = dict(rows(hubspot.warehouse, "SELECT zipcode, division FROM hubspot_zipcode"))
    assert found["00501"] == "Holtsville"
    assert found["02108"] == "Boston"
    assert len(found) == 62


def test_the_home_folder_stays_empty(hubspot: Syncs, tmp_path: Path) -> None:
    """With a warehouse of its own a sync writes no file."""
    hubspot.sync("contacts")
    assert list(tmp_path.iterdir()) == []
