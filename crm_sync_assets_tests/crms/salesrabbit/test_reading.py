"""SalesRabbit's entities read: whole, what changed, from any page on, with no request too many."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import (
    Deferred,
    FatalError,
    Refused,
    TransientError,
    Unauthorized,
    Unavailable,
)
from crm_sync_assets_tests.crms.salesrabbit.conftest import CRM, ENTITIES, NOON, Bench

EACH = pytest.mark.parametrize("entity", ENTITIES, ids=str)
DELTA = Strategy("incremental", since=NOON - timedelta(days=400))


def leads() -> Entity:
    return registry.entity("salesrabbit.leads")


def names(pages: list[Page]) -> list[str]:
    return [
        f"{one.get('leadId')}/{one.get('entry', one.get('id'))}" for p in pages for one in p.records
    ]


def test_all_stores_what_there_is_and_a_second_run_changes_nothing(bench: Bench) -> None:
    assert [entity.sync_type for entity in registry.selection("salesrabbit")] == [
        "users",
        "leads",
        "status_histories",
    ]
    for turn in range(2):
        for entity in ENTITIES:
            told = bench.sync(entity.sync_type)
            assert (told.status, told.counts.failed) == ("success", 0)
            assert bench.wrong(entity.sync_type) == []
            if turn:
                changes = (told.counts.created, told.counts.updated, told.counts.deleted)
                assert changes == (0, 0, 0)


@EACH
@pytest.mark.parametrize("strategy", [Strategy("full"), DELTA], ids=lambda one: one.name)
def test_a_reading_goes_on_from_every_page(
    bench: Bench, entity: Entity, strategy: Strategy
) -> None:
    bench.sandbox.knobs.salesrabbit_pages_users = True
    strategy = strategy if entity.tracks_changes else Strategy("full")
    whole = bench.pages(entity, strategy, page_size=20)
    assert len(set(names(whole))) >= 20
    for number, page in enumerate(whole):
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = bench.pages(entity, strategy, page_size=20, cursor=cursor)
        assert names([*whole[: number + 1], *rest]) == names(whole)


def test_no_request_is_made_that_pages_do_not_need(bench: Bench) -> None:
    """Leads say which page is the last; of users nothing does, and an empty page comes twice."""
    for name, first, second in (
        ("users", [200, 200], [200, 200]),
        ("leads", [200], [304, 304]),
        ("status_histories", [200, 200, 200], [304, 304]),
    ):
        for expected in (first, second):
            bench.sandbox.ledger.reset()
            bench.sync(name)
            assert [one.status for one in bench.asked()] == expected
            assert "perPage=2000" in bench.asked()[0].query
        bench.pass_time(9_000)


def test_a_304_is_a_success_that_stores_nothing_and_moves_the_watermark(bench: Bench) -> None:
    bench.sync("leads")
    before = bench.history()[-1]["watermark"]
    bench.pass_time(9_000)
    bench.sandbox.ledger.reset()
    told = bench.sync("leads")
    assert [one.status for one in bench.asked()] == [304, 304]
    assert (told.status, told.counts.processed, told.counts.deleted) == ("success", 0, 0)
    moved = bench.history()[-1]["watermark"] - before
    assert abs(moved - timedelta(seconds=9_000)) < timedelta(seconds=3)


@pytest.mark.parametrize("http_dates", [False, True])
def test_a_delta_asks_for_what_changed_on_each_page_in_either_form(
    bench: Bench, http_dates: bool
) -> None:
    bench.sandbox.knobs.salesrabbit_http_dates = http_dates
    bench.sync("leads")
    bench.pass_time(9_000)
    for one in bench.world.ids("leads")[10:55]:
        bench.world.edit("leads", one, {"notes": "seen"})
    bench.sandbox.ledger.reset()
    told = bench.sync("leads", batch_size=20)
    assert told.counts.updated == told.counts.processed == 45
    assert bench.wrong("leads") == []
    refused = [one for one in bench.asked() if one.status == 400]
    assert len(refused) == (1 if http_dates else 0), "it is not asked in vain a second time"


@pytest.mark.parametrize("dates", [True, False], ids=["with the lead", "alone"])
def test_a_new_status_is_in_a_delta_whatever_it_dates(bench: Bench, dates: bool) -> None:
    bench.sandbox.knobs.salesrabbit_status_dates = dates
    for name in ("leads", "status_histories"):
        bench.sync(name)
    bench.pass_time(3_600)
    one = bench.world.ids("leads")[5]
    for status in ("Sold", "Go Back", "Sold"):
        bench.world.set_status(one, status)
        bench.pass_time(60)
    assert bench.sync("leads").counts.updated == 1
    assert bench.sync("status_histories").counts.created == 3
    assert bench.wrong("leads") == bench.wrong("status_histories") == []


def test_what_changed_in_the_second_the_last_sync_began_is_not_lost(bench: Bench) -> None:
    bench.sync("leads")
    bench.world.edit("leads", bench.world.ids("leads")[3], {"notes": "at once"})
    bench.sync("leads")
    assert bench.wrong("leads") == []


# Deletions


@pytest.mark.parametrize("shown", [False, True], ids=["nowhere any more", "shown as deleted"])
def test_a_deleted_lead_is_marked_and_one_that_comes_back_is_not(bench: Bench, shown: bool) -> None:
    bench.sandbox.knobs.salesrabbit_shows_deleted = shown
    bench.sync("leads")
    one = bench.world.ids("leads")[4]
    bench.pass_time(60)
    bench.world.archive("leads", one)
    told = bench.sync("leads")
    assert told.counts.deleted == (1 if shown else 0)
    bench.sync("leads", full=True)
    assert bench.rows("leads")[one]["deleted_at"] is not None
    bench.pass_time(60)
    bench.world.restore("leads", one)
    bench.sync("leads")
    assert bench.wrong("leads") == []
    assert bench.rows("leads")[one]["deleted_at"] is None


def test_a_lead_that_a_list_leaves_out_is_asked_for_before_it_is_marked(bench: Bench) -> None:
    bench.sync("leads")
    bench.sandbox.faults.add(r"/leads\?", 1, lie="short")
    told = bench.sync("leads", full=True)
    assert told.counts.deleted == 0
    assert bench.wrong("leads") == []


def test_leads_of_a_division_that_the_token_sees_no_more_are_no_deletion(bench: Bench) -> None:
    bench.sync("leads")
    for one in bench.world.ids("leads")[:20]:
        bench.world.archive("leads", one)
    with pytest.raises(Refused, match="20 of 60 live rows would be marked as deleted"):
        bench.sync("leads", full=True)


def test_a_user_who_is_listed_no_more_is_marked(bench: Bench) -> None:
    bench.sync("users")
    one = bench.world.ids("users")[2]
    bench.world.purge("users", one)
    assert bench.sync("users").counts.deleted == 1
    assert bench.wrong("users") == []


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_a_lead_that_is_deleted_between_two_pages_hides_no_other(
    bench: Bench, number: int, silent: bool
) -> None:
    bench.sandbox.knobs.salesrabbit_silent = silent
    first = bench.world.ids("leads")[1]
    bench.sandbox.faults.add(
        r"/leads\?", number, callback=lambda _: bench.world.archive("leads", first)
    )
    bench.sync("leads", batch_size=20)
    assert bench.wrong("leads", deletions=False) == []


def test_a_page_again_and_again_is_no_end(bench: Bench) -> None:
    """The first page for each number, and more to come."""
    kept: list[bytes] = []

    def same(body: bytes) -> bytes:
        kept.append(body)
        return kept[0]

    bench.sandbox.faults.add(r"/leads\?", "all", rewrite=same)
    with pytest.raises(TransientError, match="short read"):
        bench.sync("leads", batch_size=20)
    assert bench.history()[-1]["status"] == "failed"


def test_users_without_pages_are_read_once(bench: Bench) -> None:
    for pages in (False, True):
        bench.sandbox.knobs.salesrabbit_pages_users = pages
        bench.sync("users", batch_size=10, full=True, force=True)
        assert bench.wrong("users") == []


def test_histories_that_know_no_pages_end(bench: Bench) -> None:
    bench.sandbox.faults.add(
        r"Histories\?", "2-", rewrite=lambda body, kept=[]: (kept.append(body), kept[0])[1]
    )
    bench.sync("status_histories", batch_size=60)
    assert bench.wrong("status_histories") == []


# Odd shapes


def test_addresses_may_stand_in_an_object(bench: Bench) -> None:
    bench.sandbox.knobs.salesrabbit_nested = True
    bench.sync("leads")
    assert bench.wrong("leads") == []


def test_places_that_are_not_known_have_no_coordinates(bench: Bench) -> None:
    one, two = bench.world.ids("leads")[:2]
    bench.world.edit("leads", one, {"latitude": 0.0, "longitude": 0})
    bench.world.edit("leads", two, {"latitude": 39.5, "longitude": -82.25})
    bench.sync("leads")
    rows = bench.rows("leads")
    assert (rows[one]["latitude"], rows[one]["longitude"]) == (None, None)
    assert [float(rows[two][name]) for name in ("latitude", "longitude")] == [39.5, -82.25]


@pytest.mark.parametrize(
    ("sent", "kept"), [({"start": "soon"}, '{"start": "soon"}'), ("at 3", "at 3"), (None, None)]
)
def test_an_appointment_is_text(bench: Bench, sent: Any, kept: str | None) -> None:
    one = bench.world.ids("leads")[0]
    bench.world.edit("leads", one, {"appointment": sent})
    bench.sync("leads")
    assert bench.rows("leads")[one]["appointment"] == kept


def test_custom_fields_and_the_whole_record_are_kept_as_sent(bench: Bench) -> None:
    one = bench.world.ids("leads")[0]
    custom = {"roofAge": "12", "A name, with: signs": None, "n": 1.5}
    bench.world.edit("leads", one, {"customFields": custom, "dateOfBirth": ""})
    bench.sync("leads")
    row = bench.rows("leads")[one]
    assert (row["custom_fields"], row["date_of_birth"]) == (custom, None)
    assert row["data"]["customFields"] == custom


# Limits and refusals


def test_a_429_that_does_not_say_how_long_is_waited_for_longer_and_longer(bench: Bench) -> None:
    bench.sandbox.faults.add(r"/leads\?", "1-", status=429)
    with pytest.raises(Deferred, match="deferred until"):
        bench.sync("leads")
    assert bench.waits[:3] == [60, 120, 240]
    assert bench.history()[-1]["watermark"] is None


def test_one_request_a_second() -> None:
    windows = settings_for(CRM).rate_windows
    assert [tuple(one) for one in windows] == [("second", 1, 1.0)]


@pytest.mark.parametrize("body", ['{"data2": []}', '{"data": 7}', "[]", '{"error": "x"}'])
def test_a_200_without_leads_is_no_empty_list(bench: Bench, body: str) -> None:
    bench.sync("leads")
    bench.pass_time(60)
    bench.sandbox.faults.add(r"/leads\?", "1-", status=200, body=body)
    for flags in ({}, {"full": True}):
        with pytest.raises(FatalError):
            bench.sync("leads", **flags)
        assert bench.history()[-1]["watermark"] is None
    assert all(row["deleted_at"] is None for row in bench.rows("leads").values())


def test_a_firewalls_404_is_no_deletion(bench: Bench) -> None:
    bench.sync("leads")
    one = bench.world.ids("leads")[0]
    bench.sandbox.faults.add(rf"/leads/{one}", "1-", status=404, body="html")
    with pytest.raises(Unavailable):
        bench.by_key(leads(), one)


def test_a_wrong_token_is_named_and_not_told(bench: Bench) -> None:
    bench.environment.setenv("SALESRABBIT_TOKEN", "canary-0123456789")
    bench.connect()
    with pytest.raises(Unauthorized, match="SALESRABBIT_TOKEN") as raised:
        bench.sync("leads")
    assert "canary" not in str(raised.value)


def test_the_doctor_is_told_who_answers_and_a_lead_has_a_page(bench: Bench) -> None:
    assert bench.client.check() == f"{bench.sandbox.env()['SALESRABBIT_BASE_URL']} answers"
    url = bench.client.record_url(leads(), ("7",))
    assert url == "https://app.salesrabbit.com/leads/7"


def test_old_command_names_mean_these_entities() -> None:
    crm, name = registry.command("sync_salesrabbit_leads")
    assert (crm.name, name) == ("salesrabbit", "leads")
    assert registry.command("sync_salesrabbit_all")[1] == registry.ALL
