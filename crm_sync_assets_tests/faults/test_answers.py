"""What HubSpot itself may answer, down to the closed row of SyncHistory."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.faults import server as faults
from crm_sync_assets_tests.faults.conftest import Syncs, wrong
from crm_sync_assets_tests.faults.server import Answer, Fault, FaultServer, Wire
from crm_sync_assets_tests.scripted import history, rows

LIST = r"GET /hubspot/crm/v3/objects/contacts\?.*archived=false"
FOR_EVER = range(1, 1_000)

LIMITED = json.dumps(
    {
        "status": "error",
        "message": "Slow down.",
        "policyName": "SECONDLY",
        "category": "RATE_LIMITS",
    }
).encode()


def rewrites(change: Callable[[dict[str, Any]], Any]) -> Fault:
    """Sends the true page with a change to its JSON."""

    def send(wire: Wire, answer: Answer) -> None:
        page = json.loads(answer.body)
        page = change(page) or page
        body = page if isinstance(page, bytes) else json.dumps(page).encode()
        wire.send(Answer(body, answer.status, answer.headers).whole())

    return send


# Limits


def in_seconds(sandbox: Sandbox, seconds: float) -> str:
    return format_datetime(sandbox.clock.now() + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ("7", 7, 7),
        ("1.5", 1.5, 1.5),
        ("date +9", 5, 10),
        ("date -60", 0.05, 0.5),
        ("-3", 0.05, 0.5),
        (None, 1, 10),
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [429, 200])
def test_a_limit_is_waited_for_as_told_and_nothing_is_lost(
    hubspot: Syncs,
    wire: FaultServer,
    sandbox: Sandbox,
    status: int,
    told: str | None,
    least: float,
    most: float,
) -> None:
    """A 200 whose body says that the limit is reached counts as one too."""
    headers = {}
    if told:
        seconds = told.removeprefix("date ")
        headers["Retry_After"] = told if seconds == told else in_seconds(sandbox, float(seconds))
        headers["Date"] = in_seconds(sandbox, 0)
    wire.spoil(faults.answers(LIMITED, status, **headers), on=[2], match=LIST)
    begun = hubspot.sync("contacts")
    assert begun.status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []
    assert least <= hubspot.waits[0] <= most
    metrics = history(hubspot.warehouse)[-1]["performance_metrics"]
    assert (metrics["rate_limit_hits"], metrics["retries"]) == (1, 0)
    assert metrics["rate_limit_wait_seconds"] >= least


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_of_a_day_is_deferred_and_the_reading_goes_on_after_it(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, status: int
) -> None:
    wire.spoil(faults.answers(LIMITED, status, Retry_After="86400"), on=[2], match=LIST)
    row = hubspot.fails()
    assert row["error_message"].startswith("deferred until 20")
    until = datetime.fromisoformat(row["error_message"].split(": ")[0].split()[-1])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(days=1)
    assert row["checkpoint"] is not None
    assert hubspot.waits == []
    if status == 429:
        asked = len(wire.requests)
        again = hubspot.fails()
        assert again["error_message"].startswith("deferred until 20"), "by all of the account"
        assert len(wire.requests) == asked
        with hubspot.warehouse.connection() as connection:
            connection.execute("DELETE FROM ingestion_rate_budget")  # A day passes.
            connection.commit()
    resumed = hubspot.sync("contacts")
    assert (resumed.status, resumed.resumed) == ("success", True)
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_limit_slows_down_everybody_who_uses_the_account(
    environment: pytest.MonkeyPatch, wire: FaultServer, sandbox: Sandbox
) -> None:
    """The second client never got a 429: it waits for the pause the first was told."""
    hubspot, other = Syncs(), Syncs()
    wire.spoil(faults.answers(LIMITED, 429, Retry_After="300"), on=[2], match=LIST)
    hubspot.sync("contacts")
    assert hubspot.waits[0] == 300
    other.sync("deals")
    assert other.waits, "the other client did not wait at all"
    assert 0 < other.waits[0] <= 300
    assert history(other.warehouse)[-1]["performance_metrics"]["rate_limit_hits"] == 0
    for syncs in (hubspot, other):
        syncs.close()


# Failures


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 524, 530])
def test_four_failures_are_outlived_and_the_fifth_opens_the_breaker(
    environment: pytest.MonkeyPatch, wire: FaultServer, sandbox: Sandbox, status: int
) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__MAX_ATTEMPTS", "5")
    hubspot = Syncs()
    down = faults.answers(b'{"message": "down"}', status)
    wire.spoil(down, on=range(1, 6), match=LIST + ".*after=")
    row = hubspot.fails()
    assert f"answered {status}: down" in row["error_message"]
    assert "given up after 5 failures in a row" in row["error_message"]
    assert row["checkpoint"] is not None
    assert wire.spoilt == 5
    wire.spoil(down, on=range(1, 5), match=LIST)
    resumed = hubspot.sync("contacts")
    assert (resumed.status, resumed.resumed, resumed.usage.retries) == ("success", True, 4)
    assert wrong(sandbox, hubspot.warehouse) == []
    hubspot.close()


def test_403_on_all_entities_fails_each_of_them(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    denied = faults.answers(
        json.dumps(
            {
                "category": "MISSING_SCOPES",
                "errors": [{"context": {"requiredGranularScopes": ["crm.objects.x.read"]}}],
            }
        ).encode(),
        403,
    )
    wire.spoil(denied, on=FOR_EVER)
    for name in ("contacts", "deals", "owners", "pipelines"):
        row = hubspot.fails(name)
        assert "missing scopes: crm.objects.x.read" in row["error_message"]
    assert {row["status"] for row in history(hubspot.warehouse)} == {"failed"}


@pytest.mark.parametrize("body", [b"{}", b"gone"], ids=["JSON", "text"])
def test_a_cursor_that_expired_starts_the_list_anew(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, body: bytes
) -> None:
    wire.spoil(faults.answers(body, 410), on=[1], match=LIST + ".*after=")
    begun = hubspot.sync("contacts")
    assert begun.status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_list_that_is_gone_for_good_fails(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    wire.spoil(faults.answers(b"{}", 410), on=FOR_EVER, match=LIST + ".*after=")
    row = hubspot.fails()
    assert "410" in row["error_message"]
    assert wire.spoilt == 2
    wire.heal()
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_login_page_is_shown_masked_and_not_at_length(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    page = f"<html>ana@example.com {sandbox.env()['HUBSPOT_TOKEN']} ".encode() + b"x" * 5_000
    wire.spoil(faults.answers(page, Content_Type="text/html"), on=FOR_EVER, match=LIST)
    message = hubspot.fails()["error_message"]
    assert "unexpected content, 3 times in a row" in message
    assert "***@*** *** xxx" in message
    assert "html>" not in message
    assert message.count("x") < 250


# Paging


def goes_to(*cursors: str) -> Fault:
    """Pages whose next cursor is one of these in turn."""
    turns = iter(cursors * 100)

    def turn(page: dict[str, Any]) -> None:
        page["paging"] = {"next": {"after": next(turns)}}

    return rewrites(turn)


@pytest.mark.parametrize("cursors", [("7",), ("7", "8", "9")], ids=["stuck", "cycle of three"])
def test_cursors_that_lead_in_circles_fail_the_sync(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, cursors: tuple[str, ...]
) -> None:
    wire.spoil(goes_to(*cursors), on=FOR_EVER, match=LIST)
    row = hubspot.fails()
    assert "pagination loop: the source gave the cursor '7' again" in row["error_message"]
    assert wire.spoilt == len(cursors) + 1
    wire.heal()
    hubspot.sync("contacts", full=True)
    assert wrong(sandbox, hubspot.warehouse) == []


def test_empty_pages_without_end_fail_the_sync(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    numbers = iter(range(1, 1_000))

    def empty(page: dict[str, Any]) -> dict[str, Any]:
        return {"results": [], "paging": {"next": {"after": str(next(numbers))}}}

    wire.spoil(rewrites(empty), on=FOR_EVER, match=LIST)
    row = hubspot.fails()
    assert "21 empty pages in a row" in row["error_message"]
    assert wire.spoilt == 21 * 3, "each is asked for three times before it is followed"


def test_pages_in_another_order_and_records_on_two_pages_change_nothing(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    dice, seen = random.Random(1), []

    def shuffled(page: dict[str, Any]) -> None:
        page["results"] += seen[:50]
        seen[:] = page["results"]
        dice.shuffle(page["results"])

    wire.spoil(rewrites(shuffled), on=FOR_EVER, match=LIST)
    begun = hubspot.sync("contacts")
    assert begun.status == "success"
    assert begun.counts.add_up
    assert wrong(sandbox, hubspot.warehouse) == []
    (stored,) = rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_contact")[0]
    assert begun.counts.created == stored


# Records


@pytest.mark.parametrize(
    "odd",
    [None, "", True, 1.5, {"a": 1}, ["7"], "missing"],
    ids=["null", "empty", "a boolean", "a fraction", "an object", "a list", "missing"],
)
@pytest.mark.parametrize("delta", [False, True], ids=["list", "search"])
def test_a_record_without_a_proper_key_is_set_aside_alone(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, odd: Any, delta: bool
) -> None:
    spoilt_id = sandbox.hubspot.ids("contacts")[150]

    def change(page: dict[str, Any]) -> None:
        for record in page["results"]:
            if record["id"] == spoilt_id:
                record["id"] = odd
                if odd == "missing":
                    del record["id"]

    since = {"start_date": "2000-01-01"} if delta else {}
    match = "contacts/search" if delta else LIST
    wire.spoil(rewrites(change), on=FOR_EVER, match=match)
    begun = hubspot.sync("contacts", **since)
    assert (begun.status, begun.counts.failed) == ("partial", 1)
    assert rows(hubspot.warehouse, "SELECT stage FROM ingestion_quarantine") == [("parse",)]
    problems = wrong(sandbox, hubspot.warehouse)
    assert problems, "the record itself has to be missing"
    assert all(spoilt_id in problem for problem in problems)


def test_a_search_that_cannot_be_followed_by_id_fails(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    def change(page: dict[str, Any]) -> None:
        for record in page["results"]:
            record["id"] = f"contact {record['id']}"

    wire.spoil(rewrites(change), on=FOR_EVER, match="contacts/search")
    row = hubspot.fails(start_date="2000-01-01")
    assert "a search page without one record id" in row["error_message"]


def test_a_whole_number_is_a_key_as_its_digits_are(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    def change(page: dict[str, Any]) -> None:
        for record in page["results"]:
            record["id"] = int(record["id"])

    wire.spoil(rewrites(change), on=FOR_EVER, match=LIST)
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_of_a_key_that_comes_twice_in_a_record_the_last_is_kept(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    def doubled(page: dict[str, Any]) -> bytes:
        return json.dumps(page).replace('"city": ', '"city": "First", "city": ').encode()

    wire.spoil(rewrites(doubled), on=FOR_EVER, match=LIST)
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_an_array_of_a_million_elements_is_stored_and_its_neighbours_with_it(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    long_id = sandbox.hubspot.ids("contacts")[150]

    def change(page: dict[str, Any]) -> None:
        for record in page["results"]:
            if record["id"] == long_id:
                record["properties"]["many"] = list(range(1_000_000))

    wire.spoil(rewrites(change), on=FOR_EVER, match=LIST)
    begun = hubspot.sync("contacts")
    assert begun.status == "success"
    entity = registry.entity("hubspot.contacts")
    (count,) = rows(
        hubspot.warehouse,
        f"SELECT jsonb_array_length(properties->'many') FROM {entity.table} WHERE id = %s",  # noqa: S608
        long_id,
    )[0]
    assert count == 1_000_000
    problems = wrong(sandbox, hubspot.warehouse)
    assert all(long_id in problem for problem in problems)


@pytest.mark.parametrize(
    "page",
    [
        {"results": [], "paging": "none"},
        {"results": [], "paging": {"next": ["x"]}},
        {"results": {"id": "1"}},
        {"results": ["a", "b"]},
        [],
        "results",
        None,
    ],
    ids=json.dumps,
)
def test_a_page_of_another_shape_is_no_page(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, page: Any
) -> None:
    """Were it taken for an empty last page, all contacts would be gone."""
    hubspot.sync("contacts")
    wire.spoil(faults.answers(json.dumps(page).encode()), on=FOR_EVER, match=LIST)
    row = hubspot.fails(full=True)
    assert "unexpected content" in row["error_message"]
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_refusal_that_nests_too_deep_is_a_refusal_all_the_same(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    deep = b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wire.spoil(faults.answers(deep, 429, Retry_After="7"), on=[1], match=LIST)
    assert hubspot.sync("contacts").status == "success"
    assert hubspot.waits[0] == 7
    wire.spoil(faults.answers(deep, 400), on=FOR_EVER, match=LIST)
    assert "answered 400" in hubspot.fails(full=True)["error_message"]
