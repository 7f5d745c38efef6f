"""The same broken wire between HubSpot and a sync, down to the closed row of SyncHistory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.errors import FatalError, SyncError, TransientError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.faults import server as faults
from crm_sync_assets_tests.faults.conftest import Syncs, wrong
from crm_sync_assets_tests.faults.server import Answer, Fault, FaultServer, Wire
from crm_sync_assets_tests.faults.test_wire import BROKEN, FOR_EVER, SLOW
from crm_sync_assets_tests.scripted import history

LIST = r"GET /hubspot/crm/v3/objects/contacts\?.*archived=false"
SEARCH = r"POST /hubspot/crm/v3/objects/contacts/search"


def watermarks(warehouse: Warehouse) -> list[Any]:
    return [row["watermark"] for row in history(warehouse)]


@pytest.mark.parametrize(("fault", "error"), BROKEN.values(), ids=BROKEN)
def test_a_page_that_breaks_on_the_way_is_read_again_whole_or_fails_the_sync(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, fault: Fault, error: type[SyncError]
) -> None:
    """Once: the sync succeeds. For ever: it fails, and the next one goes on from its checkpoint."""
    wire.spoil(fault, on=FOR_EVER, match=LIST + ".*after=")
    row = hubspot.fails()
    reason = "unexpected content, 3 times" if error is FatalError else "given up after 3 failures"
    assert row["error_message"].startswith("hubspot.contacts: ")
    assert reason in row["error_message"]
    assert row["checkpoint"] is not None
    assert row["records_processed"] == 100
    assert row["performance_metrics"]["retries"] == 2
    wire.heal()
    wire.spoil(fault, on=[1], match=LIST)
    asked = len(wire.requests)
    resumed = hubspot.sync("contacts")
    assert (resumed.status, resumed.resumed) == ("success", True)
    assert wrong(sandbox, hubspot.warehouse) == []
    assert 1 <= resumed.usage.retries <= 2
    listed = [r.target for r in wire.requests[asked:] if "archived=false" in r.target]
    assert all("after=" in target for target in listed), "the first page is not read again"


@pytest.mark.parametrize(("fault", "error"), SLOW.values(), ids=SLOW)
def test_a_page_that_comes_too_slowly_is_read_again_or_fails_the_sync(
    environment: pytest.MonkeyPatch,
    wire: FaultServer,
    sandbox: Sandbox,
    fault: Fault,
    error: type[SyncError],
) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__TIMEOUT_SECONDS", "2")
    environment.setenv("CRM_SYNC_HUBSPOT__MAX_ATTEMPTS", "2")
    hubspot = Syncs()
    wire.spoil(fault, on=FOR_EVER, match=LIST + ".*after=")
    began = time.monotonic()
    row = hubspot.fails()
    assert time.monotonic() - began < 30
    assert "no complete answer within 2 s; given up after 2 failures" in row["error_message"]
    wire.heal()
    resumed = hubspot.sync("contacts")
    assert (resumed.status, resumed.resumed) == ("success", True)
    assert wrong(sandbox, hubspot.warehouse) == []
    hubspot.close()


BROKEN_SEARCH = ["reset in the body", "body cut", "Content-Length too short", "gzip cut"]


@pytest.mark.parametrize("name", BROKEN_SEARCH)
def test_a_search_that_breaks_leaves_the_watermark_where_it_was(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, name: str
) -> None:
    first = hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    sandbox.hubspot.bulk_touch("contacts", count=290, properties={"tier": "A"})
    wire.spoil(BROKEN[name][0], on=range(2, 1_000), match=SEARCH)
    row = hubspot.fails()
    assert row["records_processed"] == 200
    wire.heal()
    resumed = hubspot.sync("contacts")
    assert resumed.strategy.since == first.watermark
    assert wrong(sandbox, hubspot.warehouse) == []
    assert watermarks(hubspot.warehouse)[2] > watermarks(hubspot.warehouse)[0]


@pytest.mark.parametrize(
    "fault", [faults.sends_100_mb, faults.bombs], ids=["100 MB in one string", "a gzip bomb"]
)
def test_a_page_beyond_all_measure_fails_the_sync_and_is_no_success_with_loss(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox, fault: Fault
) -> None:
    wire.spoil(fault, on=FOR_EVER, match=LIST + ".*after=")
    row = hubspot.fails()
    assert "larger than 67,108,864 bytes: refused" in row["error_message"]
    assert row["records_processed"] == 100
    wire.heal()
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_connections_closed_after_every_answer_cost_nothing_but_connections(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    wire.spoil(faults.closes_after, on=FOR_EVER)
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []
    assert wire.connections >= 5


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_elsewhere_in_mid_run_fails_the_sync_and_leaks_no_token(
    hubspot: Syncs,
    wire: FaultServer,
    sandbox: Sandbox,
    serve: Callable[..., FaultServer],
    status: int,
) -> None:
    thief = serve()
    wire.spoil(faults.redirects(f"{thief.url}/x", status), on=FOR_EVER, match=LIST + ".*after=")
    row = hubspot.fails()
    assert "another host, which would have received the token: refused" in row["error_message"]
    assert thief.connections == 0
    assert row["checkpoint"] is not None
    wire.heal()
    assert hubspot.sync("contacts").status == "success"
    assert wrong(sandbox, hubspot.warehouse) == []


def test_a_redirect_within_the_host_is_followed_in_mid_run(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    def moves(spoilt: Wire, answer: Answer) -> None:
        # The sync may ask for other things at the same time.
        target = [r.target for r in wire.requests if re.search(LIST, r.line)][-1]
        faults.redirects(target)(spoilt, answer)

    wire.spoil(moves, on=[2], match=LIST)
    assert hubspot.sync("contacts").status == "success"
    assert wire.spoilt == 1
    assert wrong(sandbox, hubspot.warehouse) == []


@pytest.mark.parametrize(
    ("url", "error", "reason"),
    [
        ("http://hubspot.invalid", TransientError, "given up after 3 failures"),
        ("{tls}", FatalError, "no trusted TLS connection"),
    ],
    ids=["DNS", "TLS"],
)
def test_a_host_that_cannot_be_reached_fails_the_sync_and_costs_nothing(
    environment: pytest.MonkeyPatch,
    wire: FaultServer,
    sandbox: Sandbox,
    serve: Callable[..., FaultServer],
    certificate: Path,
    url: str,
    error: type[SyncError],
    reason: str,
) -> None:
    before = Syncs()
    mark = before.sync("contacts").watermark
    before.close()
    tls = serve(certificate=certificate)
    environment.setenv("HUBSPOT_BASE_URL", url.format(tls=tls.url))
    nowhere = Syncs()
    with pytest.raises(error, match=reason):
        nowhere.sync("contacts")
    nowhere.close()
    assert tls.requests == []
    failed = history(nowhere.warehouse)[-1]
    assert (failed["status"], failed["watermark"]) == ("failed", None)
    environment.setenv("HUBSPOT_BASE_URL", f"{wire.url}/hubspot")
    after = Syncs()
    sandbox.hubspot.edit("contacts", sandbox.hubspot.ids("contacts")[0], {"city": "Later"})
    assert after.sync("contacts").strategy.since == mark
    assert wrong(sandbox, after.warehouse) == []
    after.close()
