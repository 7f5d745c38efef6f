"""Independent batches share the round trips' time: what is in flight at the server at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from crm_sync_assets.clients.ahead import AT_ONCE
from crm_sync_assets.crms.hubspot import listing
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.conftest import FULL, Reader, delta

MakeReader = Callable[..., Reader]
LATENCY = 0.25
LATE = timedelta(milliseconds=50)
BATCHES = 8


def most_at_once(sandbox: Sandbox, path: str) -> int:
    """The most requests with this in their path that were under way at the same time."""
    spans = []
    for entry in sandbox.ledger.select(path):
        written = datetime.fromisoformat(entry.at)
        # An answer may have arrived a moment before it is written down.
        spans.append((written - timedelta(seconds=entry.seconds), written - LATE))
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def many(contacts: int) -> set[str]:
    """Ids of contacts that HubSpot does not have: they are answered for like any other."""
    return {f"{7_000_000 + number}" for number in range(contacts)}


def linked(read: Reader, batches: int = BATCHES) -> None:
    read.stored.live["hubspot_contact"] = many(batches * 1_000)


def test_associations_are_asked_for_four_batches_at_a_time_and_come_in_key_order(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.knobs.latency = LATENCY
    read = reader()
    linked(read)
    pages = list(read.pages("associations_contact_deal", page_size=1_000))
    cursors = [page.cursor["after"] for page in pages]
    assert cursors == sorted(read.stored.live["hubspot_contact"])[999::1_000]
    assert most_at_once(sandbox, "associations") == AT_ONCE
    assert read.usage.api_calls == BATCHES


def test_a_limited_reading_asks_for_nothing_ahead(sandbox: Sandbox, reader: MakeReader) -> None:
    read = reader()
    linked(read)
    next(read.pages("associations_contact_deal", page_size=1_000, limit=5))
    assert sandbox.ledger.count("associations") == 1


def test_a_batch_that_fails_comes_after_those_before_it(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    """And a resumed reading goes on with it."""
    read = reader()
    linked(read)
    wanted = [page.cursor for page in read.pages("associations_contact_deal", page_size=1_000)]
    sandbox.faults.add(r"associations/", 3, status=403)
    pages: list[Page] = []
    with pytest.raises(FatalError, match="403"):
        pages.extend(read.pages("associations_contact_deal", page_size=1_000))
    assert [page.cursor for page in pages] == wanted[: len(pages)]
    assert len(pages) < BATCHES
    sandbox.faults.clear()
    cursor = pages[-1].cursor if pages else None
    rest = list(read.pages("associations_contact_deal", page_size=1_000, cursor=cursor))
    assert [page.cursor for page in [*pages, *rest]] == wanted


def test_they_keep_to_the_account_s_budget(sandbox: Sandbox, reader: MakeReader) -> None:
    read = reader(rate_windows=(("burst", 4, 2.0),), rate_reserve=0)
    linked(read)
    list(read.pages("associations_contact_deal", page_size=1_000))
    assert sandbox.ledger.count("associations") == BATCHES
    assert len(read.waits) == BATCHES - 4
    assert read.usage.rate_limit_wait_seconds == pytest.approx(sum(read.waits))


def test_a_removal_asks_for_four_batches_at_a_time(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.knobs.latency = LATENCY
    read = reader()
    read.stored.live["hubspot_contact"] = many(600)
    pages = list(read.pages("contacts_removal"))
    assert most_at_once(sandbox, "batch/read") == AT_ONCE
    assert [len(page.tombstones) for page in pages] == [100] * 6
    assert [page.cursor["after"] for page in pages] == sorted(many(600))[99::100]


def test_rows_held_as_deleted_are_asked_for_four_batches_at_a_time(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.knobs.latency = LATENCY
    read = reader()
    read.stored.deleted["hubspot_contact"] = many(600) | set(sandbox.hubspot.ids("contacts")[:2])
    pages = list(read.pages("contacts", delta(sandbox, seconds=0)))
    assert most_at_once(sandbox, "batch/read") == AT_ONCE
    found = [r["id"] for page in pages if page.cursor.get("after") for r in page.records]
    assert found == sandbox.hubspot.ids("contacts")[:2]


def test_records_by_key_come_four_batches_at_a_time(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.knobs.latency = LATENCY
    read = reader()
    entity = registry.entity("hubspot.contacts")
    live = sandbox.hubspot.ids("contacts")
    keys = [(key,) for key in live]
    asked = Read(entity, FULL, 100, read.stored)
    pages = list(read.client.by_key(asked, keys, read.usage))
    assert most_at_once(sandbox, "batch/read") == AT_ONCE
    assert [sorted(r["id"] for r in page.records) for page in pages] == [
        live[start : start + 100] for start in range(0, len(live), 100)
    ]


def test_a_list_of_ids_goes_on_while_its_batches_are_read(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of the list wait for one another, the batches for nobody."""
    monkeypatch.setattr(listing, "MOST_URL", 500)
    sandbox.knobs.latency = LATENCY
    read = reader()
    pages = list(read.pages("contacts"))
    assert most_at_once(sandbox, "objects/contacts") >= 2, "a page of the list and a batch"
    live = [r["id"] for page in pages for r in page.records if not r["archived"]]
    assert sorted(live) == sandbox.hubspot.ids("contacts")
    after = [page.cursor.get("after") for page in pages if page.cursor["phase"] == "live"]
    assert after == sorted(after, key=lambda key: int(str(key)))
