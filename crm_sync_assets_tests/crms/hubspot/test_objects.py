"""Conversations about contacts and their like: whatever happens on the way, nothing is missed."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from crm_sync_assets.clients.http import Session
from crm_sync_assets.crms.hubspot import listing
from crm_sync_assets.crms.hubspot.account import Property
from crm_sync_assets.crms.hubspot.searching import SEARCH_WINDOWS
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Read
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, TransientError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.conftest import FULL, Reader, delta

MakeReader = Callable[..., Reader]


def ids(records: list[Record]) -> list[str]:
    return [record["id"] for record in records]


def archived(sandbox: Sandbox, count: int) -> list[str]:
    """So many contacts that went to the recycle bin just now."""
    chosen = sandbox.hubspot.ids("contacts")[-count:]
    for contact in chosen:
        sandbox.hubspot.archive("contacts", contact)
    return chosen


def everything(sandbox: Sandbox) -> list[str]:
    return sandbox.hubspot.ids("contacts") + sandbox.hubspot.ids("contacts", "archived")


def test_a_full_read_has_the_live_records_and_then_the_archived(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    records = reader().read("contacts")
    assert ids(records) == everything(sandbox)
    last = records[-1]
    assert last["archived"] is True
    assert last["archivedAt"]
    assert records[0]["archived"] is False


def test_a_record_that_does_not_say_which_it_is_proves_nobody_gone(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    read, one = reader(), sandbox.hubspot.ids("contacts")[0]

    def nameless(body: bytes) -> bytes:
        return re.sub(rb'"id": ?"' + one.encode() + rb'"', b'"id":null', body)

    sandbox.faults.add(r"batch/read|objects/contacts/\d", on="all", rewrite=nameless)
    asked = Read(registry.entity("hubspot.contacts"), FULL, 100, read.stored)
    with pytest.raises(TransientError, match=f"what is stored of {one} stays"):
        list(read.client.by_key(asked, [(one,)], read.usage))


def test_pages_say_what_the_account_calls_its_properties(reader: MakeReader) -> None:
    pages = list(reader().pages("contacts"))
    labels = pages[0].labels or {}
    assert labels["lifecyclestage"] == "“Lifecyclestage”"
    assert labels["lastmodifieddate"] == "“Lastmodifieddate”"
    assert "properties" not in labels


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ({"label": "Owner", "description": "Who cares for it"}, "“Owner”: Who cares for it"),
        ({"label": "Owner", "description": "Owner"}, "“Owner”"),
        ({"label": "", "description": "Who cares for it"}, "Who cares for it"),
        ({"label": None}, ""),
    ],
)
def test_a_propertys_label_goes_before_its_description(said: dict[str, Any], label: str) -> None:
    assert Property.of({"name": "owner", "type": "string", **said}).label == label


@pytest.mark.parametrize("strategy", ["full", "delta"])
@pytest.mark.parametrize("instead", [None, {"value": "1"}, ["1"], True])
def test_a_record_without_an_id_is_passed_on_and_its_neighbours_with_it(
    sandbox: Sandbox, reader: MakeReader, strategy: str, instead: Any
) -> None:
    """Nor is an object one: as text it would be stored as if it were."""
    sandbox.hubspot.bulk_touch("contacts", count=250)

    def forget_an_id(body: bytes) -> bytes:
        page = msgspec.json.decode(body)
        page["results"][4]["id"] = instead
        return msgspec.json.encode(page)

    path = "GET .*/contacts" if strategy == "full" else "POST .*/contacts/search"
    sandbox.faults.add(path, on=2, rewrite=forget_an_id)
    how = FULL if strategy == "full" else delta(sandbox, minutes=5)
    records = reader().read("contacts", how)
    nameless = [record for record in records if not isinstance(record["id"], str)]
    assert [record["id"] for record in nameless] == [instead]
    assert nameless[0]["properties"]
    expected = everything(sandbox) if strategy == "full" else records
    assert len(records) == len(expected)
    assert len(records) >= 250


def test_an_id_twice_on_a_search_page_is_no_reason_to_stop(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.hubspot.bulk_touch("contacts", count=250)

    def repeat_one(body: bytes) -> bytes:
        page = msgspec.json.decode(body)
        page["results"].insert(5, page["results"][4])
        return msgspec.json.encode(page)

    sandbox.faults.add("POST .*/contacts/search", on=1, rewrite=repeat_one)
    found = ids(reader().read("contacts", delta(sandbox, minutes=5)))
    assert len(found) == len(set(found)) + 1
    assert len(set(found)) >= 250


def test_every_property_of_the_account_is_asked_for(reader: MakeReader) -> None:
    first = reader().read("contacts")[0]["properties"]
    mapped = registry.entity("hubspot.contacts").columns
    assert {c.name for c in mapped if c.at is None and c.kind != "rest"} <= set(first)
    assert "favourite_color" in first


@pytest.mark.parametrize("after_pages", range(1, 6))
def test_a_full_read_resumes_where_it_stopped(
    sandbox: Sandbox, reader: MakeReader, after_pages: int
) -> None:
    begun = list(itertools.islice(reader().pages("contacts"), after_pages))
    resumed = list(reader().pages("contacts", cursor=begun[-1].cursor))
    records = [record for page in (*begun, *resumed) for record in page.records]
    assert ids(records) == everything(sandbox)


def test_a_finished_read_resumes_to_nothing(reader: MakeReader) -> None:
    pages = list(reader().pages("contacts"))
    assert list(reader().pages("contacts", cursor=pages[-1].cursor)) == []


def test_properties_too_many_for_an_address_are_read_by_batches(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {record["id"]: record for record in reader().read("contacts")}
    monkeypatch.setattr(listing, "MOST_URL", 500)
    sandbox.knobs.max_url = 600
    filled = reader().read("contacts")
    assert ids(filled) == everything(sandbox)
    assert all(listed[record["id"]]["properties"] == record["properties"] for record in filled)


def test_a_record_deleted_between_the_list_and_its_batch_is_found_in_the_recycle_bin(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_URL", 500)
    victim = sandbox.hubspot.ids("contacts")[5]
    (back,) = archived(sandbox, 1)
    sandbox.faults.add(
        r"POST .*batch/read$", 1, callback=lambda _: sandbox.hubspot.archive("contacts", victim)
    )
    sandbox.faults.add(
        r"POST .*archived=true", 1, callback=lambda _: sandbox.hubspot.restore("contacts", back)
    )
    records = {record["id"]: record for record in reader().read("contacts")}
    assert records[victim]["archived"] is True
    assert records[back]["archived"] is False


def test_a_delta_reads_what_changed_was_archived_or_came_back(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    portal, read = sandbox.hubspot, reader()
    edited, gone = portal.ids("contacts")[:3], portal.ids("contacts")[3]
    back, purged = archived(sandbox, 2)
    read.stored.deleted["hubspot_contact"] = {*portal.ids("contacts", "archived"), "12345"}
    since = delta(sandbox, seconds=1)
    for contact in edited:
        portal.edit("contacts", contact, {"city": None})
    portal.archive("contacts", gone)
    portal.restore("contacts", back)
    portal.purge("contacts", purged)
    found = {record["id"]: record for record in read.read("contacts", since)}
    assert set(found) == {*edited, back, gone, *portal.ids("contacts", "archived")}
    assert found[edited[0]]["properties"]["city"] is None
    assert found[gone]["archived"] is True
    assert found[back]["archived"] is False


def test_more_ties_than_a_search_can_page_through_are_all_read(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.knobs.search_cap = 200
    since = delta(sandbox, seconds=1)
    touched = sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    assert len(touched) == 450
    read = reader()
    pages = list(read.pages("contacts", since))
    found = [
        record["id"]
        for page in pages
        if page.cursor["phase"] == "search"
        for record in page.records
    ]
    assert sorted(found) == sorted(touched)
    assert pages[0].total == 450
    assert [page.cursor["phase"] for page in pages].count("search") == 3


def test_a_record_edited_while_we_read_is_not_lost(sandbox: Sandbox, reader: MakeReader) -> None:
    since = delta(sandbox, seconds=1)
    touched = sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    sandbox.faults.add(
        r"contacts/search",
        2,
        callback=lambda _: [
            sandbox.hubspot.edit("contacts", c, {"city": "Bel Air"}) for c in touched[300:]
        ],
    )
    found = reader().read("contacts", since)
    assert set(touched) <= set(ids(found))
    assert next(r for r in found if r["id"] == touched[-1])["properties"]["city"] == "Bel Air"


def test_a_delta_resumes_in_each_of_its_phases(sandbox: Sandbox, reader: MakeReader) -> None:
    (back,) = archived(sandbox, 1)
    deleted = {"hubspot_contact": set(sandbox.hubspot.ids("contacts", "archived"))}
    since = delta(sandbox, seconds=1)
    sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    sandbox.hubspot.restore("contacts", back)
    whole = reader()
    whole.stored.deleted = deleted
    pages = list(whole.pages("contacts", since, page_size=99))
    assert {page.cursor["phase"] for page in pages} == {"search", "restored"}
    expected = {record["id"] for page in pages for record in page.records}
    for stop in range(1, len(pages)):
        again = reader()
        again.stored.deleted = deleted
        later = again.pages("contacts", since, page_size=99, cursor=pages[stop - 1].cursor)
        found = [record["id"] for page in (*pages[:stop], *later) for record in page.records]
        assert set(found) == expected


def test_a_window_is_searched_alone(sandbox: Sandbox, reader: MakeReader) -> None:
    now = sandbox.clock.now()
    inside = sandbox.hubspot.bulk_touch("contacts", count=7, timestamp=now - timedelta(hours=5))
    edge = sandbox.hubspot.create("contacts", {"city": "Edge"}, at=now - timedelta(hours=4))
    window = Strategy("manual", since=now - timedelta(hours=5), until=now - timedelta(hours=4))
    read = reader()
    found = read.read("contacts", window)
    assert sorted(ids(found)) == sorted(inside)
    assert edge not in ids(found)
    assert not [e for e in sandbox.ledger.entries if "archived=true" in e.query]


def test_a_search_that_holds_records_back_fails(sandbox: Sandbox, reader: MakeReader) -> None:
    since = delta(sandbox, seconds=1)
    sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    sandbox.knobs.short_total = 3
    with pytest.raises(FatalError, match="short read: a search for ids after"):
        reader().read("contacts", since)


@pytest.mark.parametrize("shrink", [1, 2, 150])
def test_pages_of_a_search_may_be_shorter_than_asked_for(
    sandbox: Sandbox, reader: MakeReader, shrink: int
) -> None:
    since = delta(sandbox, seconds=1)
    changed = sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    sandbox.knobs.page_shrink = shrink
    found = [r["id"] for page in reader().pages("contacts", since) for r in page.records]
    assert Counter(i for i in found if i in changed) == Counter(changed)


def test_a_list_whose_cursor_stands_still_fails(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.knobs.stuck_cursor = True
    with pytest.raises(FatalError, match=r"hubspot\.contacts: pagination loop"):
        reader().read("contacts")


def test_empty_pages_are_followed_and_repeated_pages_do_no_harm(
    sandbox: Sandbox, reader: MakeReader
) -> None:
    sandbox.knobs.empty_pages = 5
    assert ids(reader().read("contacts")) == everything(sandbox)
    sandbox.knobs.empty_pages, sandbox.knobs.repeat_page = 0, True
    counted = Counter(ids(reader().read("contacts")))
    assert set(counted) == set(everything(sandbox))


def test_pages_of_a_search_that_overlap_are_kept_once(sandbox: Sandbox, reader: MakeReader) -> None:
    since = delta(sandbox, seconds=1)
    touched = sandbox.hubspot.bulk_touch("contacts", timestamp=sandbox.clock.now())
    sandbox.knobs.repeat_page = True
    found = [
        record["id"]
        for page in reader().pages("contacts", since)
        if page.cursor["phase"] == "search"
        for record in page.records
    ]
    assert sorted(found) == sorted(touched)


@pytest.mark.parametrize(
    ("type_", "modified", "problem"),
    [
        ("contacts", "hs_lastmodifieddate", "only found by lastmodifieddate"),
        ("deals", "hs_lastmodified", "no such property"),
        ("deals", "dealname", "not datetime"),
    ],
)
def test_a_modified_field_that_finds_nothing_is_refused_before_reading(
    sandbox: Sandbox, reader: MakeReader, type_: str, modified: str, problem: str
) -> None:
    entity = replace(registry.entity(f"hubspot.{type_}"), source=Objects(type_, modified=modified))
    read = reader()
    asked = Read(entity, delta(sandbox, days=1), page_size=100, known=read.stored)
    with pytest.raises(FatalError, match=problem):
        list(read.client.pages(asked, read.usage))


FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 502, "body": "html"},
    {"status": 429, "retry_after": "7"},
    {"status": 429, "body": "secondly"},
    {"status": 423},
    {"status": 200, "body": "html"},
    {"status": 200, "body": "{}", "headers": {"content-type": "application/json"}},
    {"drop": True},
    {"truncate": 0.5},
    {"content_length": 100},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_on_the_way_changes_nothing(
    sandbox: Sandbox, reader: MakeReader, fault: dict[str, Any]
) -> None:
    sandbox.faults.add(r"GET /hubspot/crm/v3/objects/contacts", "every 2", **fault)
    read = reader()
    assert ids(read.read("contacts")) == everything(sandbox)
    assert read.usage.retries + read.usage.rate_limit_hits >= 3


def test_a_page_that_keeps_failing_fails_the_reading(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.faults.add(r"GET /hubspot/crm/v3/objects/contacts", "3-", status=503)
    pages = reader().pages("contacts")
    assert [len(next(pages).records) for _ in range(2)] == [100, 100]
    with pytest.raises(TransientError, match=r"hubspot\.contacts: .* answered 503"):
        next(pages)


def test_a_missing_scope_is_named(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.knobs.missing_scopes = {"crm.objects.deals.read"}
    read = reader()
    with pytest.raises(FatalError, match=r"403: .*missing scopes: crm\.objects\.deals\.read"):
        read.read("deals")
    assert read.read("contacts")


def test_a_limit_asks_for_no_more_than_it_needs(reader: MakeReader) -> None:
    page = next(iter(reader().pages("contacts", FULL, limit=7)))
    assert len(page.records) == 7


def test_an_unknown_column_is_told_once(
    reader: MakeReader, caplog: pytest.LogCaptureFixture
) -> None:
    from crm_sync_assets.declarations.columns import text

    deals = registry.entity("hubspot.deals")
    entity = replace(deals, columns=(*deals.columns, text("dealnme")))
    read = reader()
    for _ in range(2):
        list(read.client.pages(Read(entity, FULL, 100, read.stored), read.usage))
    told = [r.getMessage() for r in caplog.records if "dealnme" in r.getMessage()]
    assert len(told) == 1


@pytest.mark.parametrize("strategy", ["full", "delta"])
def test_the_next_pages_place_is_booked_before_a_page_is_passed_on(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    booked: list[object] = []
    monkeypatch.setattr(Session, "book_ahead", lambda _, *windows: booked.append(windows))
    sandbox.hubspot.bulk_touch("contacts", count=250)
    pages = reader().pages("contacts", FULL if strategy == "full" else delta(sandbox, days=1))
    next(pages)
    assert booked == ([()] if strategy == "full" else [(SEARCH_WINDOWS,)])
