"""What is asked for, page by page, and what becomes of what lists show and do not show."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import NotAvailable
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.pipedrive.conftest import CRM, FULL, NOON, RECORDS, Company

ALL = [entity.sync_type for entity in registry.entities("pipedrive")]
LISTS = {"deals": 4, "leads": 2, "fields": 5}
DELTA = Strategy("incremental", since=NOON - timedelta(days=400), moves_watermark=True)


# Every page once


@pytest.mark.parametrize("strategy", [FULL, DELTA], ids=["full", "delta"])
@pytest.mark.parametrize("name", ALL)
def test_a_reading_goes_on_from_every_page_and_asks_for_none_again(
    company: Company, name: str, strategy: Strategy
) -> None:
    def keys(pages: list[object]) -> list[str]:
        entity = registry.entity(f"pipedrive.{name}")
        names = [column.name for column in entity.key]
        return sorted(str([r[n] for n in names]) for p in pages for r in p.records)  # type: ignore[attr-defined]

    whole = list(company.read(name, strategy, page_size=9))
    assert len(keys(whole)) == len(set(keys(whole)))
    for number, page in enumerate(whole):
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        before = len(company.sandbox.ledger.entries)
        rest = list(company.read(name, strategy, page_size=9, cursor=cursor))
        assert keys([*whole[: number + 1], *rest]) == keys([*whole])
        assert len(company.asked(before)) == len(whole) - number - 1


@pytest.mark.parametrize("name", ALL)
def test_no_more_is_asked_than_pages_make_unavoidable(company: Company, name: str) -> None:
    before = len(company.sandbox.ledger.entries)
    company.sync(name)
    asked = company.asked(before)
    definitions = name in RECORDS and name != "notes"
    again = name in ("pipelines", "stages")
    assert len(asked) == 1 + LISTS.get(name, 1) + definitions + again, asked
    assert all(
        "limit=500" in one for one in asked if f"/{name}?" in one and name != "users" and not again
    )


def test_a_hundred_are_asked_for_at_a_time_and_alone_only_what_did_not_come(
    company: Company,
) -> None:
    company.sync("persons")
    first, second, third, *_ = company.world.ids("persons")
    company.world.archive("persons", first)
    company.world.hide("persons", second)
    company.world.merge("persons", third, company.world.ids("persons")[-1])
    before = len(company.sandbox.ledger.entries)
    told = company.sync("persons", full=True)
    assert told.counts.deleted == 2
    ids = [one for one in company.asked(before) if "ids=" in one]
    alone = [one for one in company.asked(before) if re.search(r"persons/\d+", one)]
    assert (len(ids), len(alone)) == (1, 3)
    assert company.wrong("persons") == []
    assert company.rows("persons")[second]["deleted_at"] is None, "403 is no proof"
    assert company.rows("persons")[first]["is_deleted"]


@pytest.mark.parametrize("status", [200, 404, 410])
def test_what_is_deleted_is_gone_however_its_address_says_so(company: Company, status: int) -> None:
    company.sandbox.knobs.pipedrive_deleted_status = status
    for name in ("organizations", "activities", "products"):
        company.sync(name)
        company.world.archive(name, company.world.ids(name)[2])
        assert company.sync(name, full=True).counts.deleted == 1
        assert company.wrong(name) == []


def test_what_is_hidden_behind_a_404_is_taken_for_deleted_and_comes_back(company: Company) -> None:
    """Nobody can tell the two apart."""
    company.sandbox.knobs.pipedrive_hidden_status = 404
    company.sync("persons")
    one = company.world.ids("persons")[0]
    company.world.hide("persons", one)
    company.sync("persons", full=True)
    assert company.rows("persons")[one]["deleted_at"] is not None
    company.world.show("persons", one)
    company.sync("persons", full=True)
    assert company.wrong("persons") == []


# Windows


@pytest.mark.parametrize("name", ["deals", "persons", "organizations", "activities"])
def test_a_window_has_both_ends_to_the_second(company: Company, name: str) -> None:
    company.sync(name, start_date="2026-01-01", end_date="2026-03-01")
    asked = [one for one in company.asked() if re.search(rf"/{name}(/archived)?\?", one)]
    assert len(asked) == LISTS.get(name, 1)
    for one in asked:
        assert "updated_since=2026-01-01T00%3A00%3A00Z" in one
        assert "updated_until=2026-03-01T00%3A00%3A00Z" in one
        assert "sort_by=id" in one


@pytest.mark.parametrize("refused", [False, True])
def test_products_are_not_asked_for_the_end_of_a_window(company: Company, refused: bool) -> None:
    company.sandbox.knobs.pipedrive_until_refused = refused
    company.sync("products", start_date="2026-01-01", end_date="2026-03-01")
    assert not any("updated_until" in one for one in company.asked())


def test_a_delta_begins_ten_minutes_before_the_watermark(company: Company) -> None:
    first = company.sync("deals")
    company.sandbox.clock.advance(3_600)
    told = company.sync("deals")
    assert first.watermark is not None
    assert told.strategy.since == first.watermark - timedelta(minutes=10)


@pytest.mark.parametrize(("days", "strategy"), [(28, "incremental"), (30, "full")])
def test_a_gap_longer_than_the_bin_keeps_is_read_whole(
    company: Company, days: int, strategy: str
) -> None:
    company.sync("deals")
    gone = company.world.ids("deals")[0]
    company.world.archive("deals", gone)
    with company.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET watermark = %s",
            (company.sandbox.clock.now() - timedelta(days=days),),
        )
        connection.commit()
    told = company.sync("deals")
    assert told.strategy.name == strategy
    assert told.counts.deleted == 1
    assert company.rows("deals")[gone]["is_deleted"]
    assert company.wrong("deals") == []


# What moves between lists


def after(pattern: str, company: Company, act: Callable[[], object]) -> None:
    company.sandbox.faults.add(pattern, on=1, callback=lambda _: act() and None)


@pytest.mark.parametrize("name", ["deals", "leads"])
@pytest.mark.parametrize("is_change", [True, False])
def test_what_is_archived_between_the_two_lists_is_read(
    company: Company, name: str, is_change: bool
) -> None:
    company.sandbox.knobs.pipedrive_archive_is_change = is_change
    one = next(i for i in company.world.ids(name) if not _is_archived(company, name, i))
    after(rf"/{name}/archived\?", company, lambda: company.world.shelve(name, one))
    company.sync(name)
    assert company.rows(name)[one]["is_archived"]
    assert company.wrong(name) == []


@pytest.mark.parametrize("name", ["deals", "leads"])
def test_what_comes_back_between_the_two_lists_is_asked_for(company: Company, name: str) -> None:
    """Both lists missed it; a full read asks for what it did not meet."""
    company.sync(name)
    one = next(i for i in company.world.ids(name) if _is_archived(company, name, i))
    company.sandbox.knobs.pipedrive_archive_is_change = False
    after(rf"/{name}/archived\?", company, lambda: company.world.unshelve(name, one))
    assert company.sync(name, full=True).counts.deleted == 0
    assert not company.rows(name)[one]["is_archived"]
    assert company.wrong(name) == []


def _is_archived(company: Company, name: str, one: str) -> bool:
    return bool(company.world.get(name, one)["properties"]["is_archived"])


def test_a_lead_that_became_a_deal_is_a_lead_no_more(company: Company) -> None:
    for name in ("leads", "deals"):
        company.sync(name)
    lead = company.world.ids("leads")[3]
    deal = company.world.convert(lead)
    company.sandbox.clock.advance(60)
    company.sync("deals")
    company.sync("leads", full=True)
    assert company.rows("leads")[lead]["is_deleted"]
    assert company.rows("deals")[deal]["title"]
    assert company.wrong("deals", "leads") == []


# Shapes that nobody confirmed


@pytest.mark.parametrize("knob", ["pipedrive_flat_pagination", "pipedrive_silent_pagination"])
@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("name", ["leads", "notes"])
def test_an_offset_list_is_read_to_its_end_however_it_says_so(
    company: Company, name: str, knob: str, value: bool
) -> None:
    company.sandbox.knobs.turn({knob: value})
    company.configure(page_size=9)
    company.connect()
    company.sync(name)
    assert company.wrong(name) == []


@pytest.mark.parametrize("null", [True, False])
def test_an_empty_list_is_empty_also_as_null(company: Company, null: bool) -> None:
    company.sandbox.knobs.pipedrive_null_lists = null
    company.sync("persons")
    company.sandbox.clock.advance(3_600)
    assert company.sync("persons").counts.processed == 0


def test_a_cursor_that_is_forgotten_begins_its_list_anew(company: Company) -> None:
    company.configure(page_size=9, max_attempts=1)
    company.connect()
    rule = company.sandbox.faults.add(r"/api/v2/persons\?.*cursor=", on="3-", status=500)
    with pytest.raises(Exception, match="answered 500"):
        company.sync("persons")
    company.sandbox.faults.remove(rule)
    company.world.expire_cursors()
    told = company.sync("persons")
    assert (told.resumed, told.status) == (True, "success")
    assert company.wrong("persons") == []


def test_a_thousand_of_one_moment_are_read_once_each(company: Company) -> None:
    for number in range(1_050):
        company.world.create("activities", {"subject": f"Call {number}"}, at=NOON)
    told = company.sync("activities")
    assert told.counts.created == told.counts.processed
    assert company.wrong("activities") == []


# The small ones


def test_the_small_ones_follow_what_comes_and_goes(company: Company) -> None:
    directory = company.world.directory
    for name in ("users", "pipelines", "stages", "fields"):
        company.sync(name)
        assert company.wrong(name) == []
    directory.remove("stages", 8)
    directory.put("pipelines", 3, name="New", update_time="2026-11-20T12:00:00Z")
    directory.put("users", 12, last_login="2026-11-20 12:00:00", name="Renamed")
    directory.remove("fields/deal", "title")
    directory.put("fields/person", "name", field_name="Full name")
    for name in ("users", "pipelines", "stages", "fields"):
        assert company.sync(name, force=True).status == "success"
        assert company.wrong(name) == []
    assert company.rows("stages")["8"]["is_deleted"]
    assert company.rows("fields")["deal/title"]["deleted_at"] is not None


def test_a_user_who_was_deleted_is_marked(company: Company) -> None:
    company.sync("users")
    company.world.directory.put("users", 13, is_deleted=1)
    assert company.sync("users").counts.deleted == 1
    assert company.rows("users")["13"]["is_deleted"]


def test_an_entity_that_is_closed_names_the_scope(company: Company) -> None:
    company.sandbox.knobs.pipedrive_fields_closed = True
    with pytest.raises(NotAvailable, match="Scope and URL mismatch"):
        company.sync("fields")


# Do I have everything?


@pytest.mark.parametrize("name", [*RECORDS, "stages"])
def test_a_verification_finds_what_is_missing_stale_or_too_much_and_nothing_else(
    company: Company, name: str
) -> None:
    entity = registry.entity(f"pipedrive.{name}")
    settings = settings_for(CRM, entity)
    company.sync(name)
    assert verify(company.warehouse, entity, company.client, settings).findings == []
    first, second, *_ = sorted(company.rows(name))
    with company.warehouse.connection() as connection:
        table = sql.Identifier(entity.table)
        connection.execute(sql.SQL("DELETE FROM {} WHERE id::text = %s").format(table), (first,))
        connection.execute(
            sql.SQL("UPDATE {} SET update_time = '2020-01-01' WHERE id::text = %s").format(table),
            (second,),
        )
        connection.commit()
    found = verify(company.warehouse, entity, company.client, settings, repair=True)
    assert {finding.kind for finding in found.findings} == {"missing", "stale"}
    assert found.left == []
    assert company.wrong(name) == []
