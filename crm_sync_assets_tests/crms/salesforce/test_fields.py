"""Fields that come, go, are too many, or are calculated."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import TransientError
from crm_sync_assets.operations.refresh import refresh
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.salesforce.conftest import CRM, Bench
from crm_sync_assets_tests.crms.salesforce.truth import OBJECTS


def test_a_field_that_is_hidden_keeps_its_values(bench: Bench) -> None:
    bench.sync("contacts")
    before = bench.rows("contacts")
    bench.world.hide_field("Contact", "Title")
    bench.pass_time(700)
    bench.world.bulk_touch("Contact", list(before), properties={"Department": "Roofs"})
    bench.pass_time(700)
    told = bench.sync("contacts")
    assert told.status == "success"
    rows = bench.rows("contacts")
    assert {row["department"] for row in rows.values()} == {"Roofs"}
    assert {k: row["title"] for k, row in rows.items()} == {
        k: row["title"] for k, row in before.items()
    }
    bench.world.show_field("Contact", "Title")
    bench.pass_time(700)
    bench.sync("contacts")
    assert bench.wrong("contacts") == []


def test_a_field_that_is_hidden_between_its_description_and_a_query(bench: Bench) -> None:
    bench.configure(page_size=20)
    bench.sandbox.faults.add(
        r"queryAll\?.*ORDER",
        on=2,
        callback=lambda _: bench.world.hide_field("Contact", "Title"),
    )
    told = bench.sync("contacts")
    assert told.status == "success"
    bench.world.show_field("Contact", "Title")
    bench.pass_time(700)
    bench.sync("contacts", full=True)
    assert bench.wrong("contacts") == []


def tiers(bench: Bench) -> dict[str, Any]:
    rows = bench.rows("contacts").items()
    return {key: (row["custom_fields"] or {}).get("tier__c") for key, row in rows}


@pytest.mark.parametrize("stored", ["bench", "encrypting"])
@pytest.mark.parametrize("jobs", [0, 10])
def test_a_custom_field_that_is_hidden_keeps_its_values(
    request: pytest.FixtureRequest, stored: str, jobs: int
) -> None:
    bench: Bench = request.getfixturevalue(stored)
    bench.configure(bulk_rows=jobs)
    bench.sync("contacts")
    before = tiers(bench)
    assert len(set(before.values())) > 2
    bench.world.hide_field("Contact", "Tier__c")
    for number in range(3):
        # The rows change, and those of the last turn are read by who reads everything.
        bench.pass_time(700)
        changes = {"Title": f"Boss {number}", "Notes__c": None}
        bench.world.bulk_touch("Contact", list(before), properties=changes)
        bench.pass_time(700)
        told = bench.sync("contacts", full=number == 2)
        assert told.status == "success"
        assert tiers(bench) == before
    rows = bench.rows("contacts").values()
    assert {row["title"] for row in rows} == {"Boss 2"}
    assert not [row for row in rows if "notes__c" in (row["custom_fields"] or {})]
    told = bench.sync("contacts", full=True)
    assert (told.counts.updated, told.counts.unchanged) == (0, told.counts.processed)
    # What was cleared or changed meanwhile is so once it is shown again, wherever it is.
    cleared, changed, *_ = (key for key, tier in before.items() if tier == "Gold")
    bench.world.show_field("Contact", "Tier__c")
    bench.world.recalculate("Contact", [cleared], {"Tier__c": None})
    bench.world.recalculate("Contact", [changed], {"Tier__c": "Bronze"})
    bench.pass_time(700)
    bench.sync("contacts")
    assert tiers(bench) == before | {cleared: None, changed: "Bronze"}


def test_a_custom_field_that_is_hidden_while_it_is_read_keeps_its_values(bench: Bench) -> None:
    bench.configure(page_size=20, load_rows=20, prefetch_pages=1)
    bench.sandbox.faults.add(
        r"queryAll\?.*ORDER",
        on=3,
        callback=lambda _: bench.world.hide_field("Contact", "Tier__c"),
    )
    bench.sync("contacts")
    before = tiers(bench)
    some = [key for key, tier in before.items() if tier]
    assert some
    bench.pass_time(700)
    bench.world.bulk_touch("Contact", some, properties={"Title": "Boss"})
    bench.pass_time(700)
    bench.sync("contacts")
    assert tiers(bench) == before
    bench.world.show_field("Contact", "Tier__c")
    bench.pass_time(700)
    bench.sync("contacts")
    assert bench.wrong("contacts") == []


def test_a_custom_field_that_is_hidden_before_a_sync_is_resumed_keeps_its_values(
    bench: Bench,
) -> None:
    bench.configure(page_size=20, load_rows=20, prefetch_pages=1)
    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on="3-", status=500)
    with pytest.raises(TransientError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    before = {key: tier for key, tier in tiers(bench).items() if tier}
    assert before
    bench.world.hide_field("Contact", "Tier__c")
    bench.pass_time(700)
    assert bench.sync("contacts").resumed
    assert {key: tiers(bench)[key] for key in before} == before


def test_a_row_that_is_repaired_keeps_what_is_hidden(bench: Bench) -> None:
    bench.sync("contacts")
    before = tiers(bench)
    bench.world.hide_field("Contact", "Tier__c")
    entity = bench.entity("contacts")
    older = "system_modstamp = system_modstamp - interval '1 day', title = 'old'"
    with bench.warehouse.connection() as connection:
        connection.execute(f"UPDATE {entity.table} SET {older}")
        connection.commit()
    bench.pass_time(700)
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert told.count("stale") == len(before)
    assert "old" not in {row["title"] for row in bench.rows("contacts").values()}
    assert tiers(bench) == before


def test_a_field_that_appears_is_filled_in_rows_that_did_not_change(bench: Bench) -> None:
    bench.sync("contacts")
    bench.world.add_field("Contact", "Score__c", "double", "Score")
    first, second, *_ = bench.world.ids("Contact")
    bench.world.recalculate("Contact", [first, second], {"Score__c": 12.5})
    bench.pass_time(700)
    told = bench.sync("contacts")
    assert told.counts.updated == 2
    assert bench.rows("contacts")[first]["custom_fields"]["score__c"] == 12.5
    assert bench.wrong("contacts") == []
    bench.pass_time(700)
    bench.sandbox.ledger.reset()
    assert bench.sync("contacts").counts.updated == 0
    assert not [one for one in bench.queries() if "Score__c+%21%3D" in one]


def test_what_a_read_of_everything_has_filled_no_delta_fills_again(bench: Bench) -> None:
    bench.sync("contacts")
    bench.world.add_field("Contact", "Score__c", "double", "Score")
    bench.pass_time(700)
    bench.sync("contacts", full=True)
    bench.pass_time(700)
    bench.sandbox.ledger.reset()
    bench.sync("contacts")
    assert not [one for one in bench.queries() if "Score__c+%21%3D" in one]
    assert bench.wrong("contacts") == []


def test_fields_that_are_too_many_for_an_address_are_read_in_parts(bench: Bench) -> None:
    for number in range(300):
        name = f"A_long_name_of_a_custom_field_{number}__c"
        bench.world.add_field("Lead", name, "string", name)
    one, *_ = bench.world.ids("Lead")
    bench.world.edit("Lead", one, {"A_long_name_of_a_custom_field_299__c": "last"})
    bench.pass_time(700)
    bench.sandbox.ledger.reset()
    bench.sync("leads")
    assert len([q for q in bench.queries() if "COUNT" not in q]) == 2
    assert bench.wrong("leads") == []
    assert (
        bench.rows("leads")[one]["custom_fields"]["a_long_name_of_a_custom_field_299__c"] == "last"
    )
    # One that changes between the parts of its row is met again.
    bench.sandbox.faults.add(
        r"queryAll\?.*ORDER",
        on=2,
        callback=lambda _: bench.world.edit("Lead", one, {"Company": "Other"}),
    )
    bench.pass_time(700)
    bench.sync("leads", full=True)
    assert bench.wrong("leads") == []


def test_amounts_have_their_currency(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"salesforce_multicurrency": True})
    bench.sync("opportunities")
    found = {
        row["custom_fields"]["CurrencyIsoCode"] for row in bench.rows("opportunities").values()
    }
    assert found <= {"USD", "EUR", "CAD"}
    assert found
    assert bench.wrong("opportunities") == []


def test_a_query_that_takes_too_long_is_asked_about_less(bench: Bench) -> None:
    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on="1-3", status=400, body="timeout")
    bench.sync("contacts")
    assert bench.wrong("contacts") == []
    ordered = [one for one in bench.queries() if "ORDER" in one]
    assert any("%3C+2" in one for one in ordered)
    # Three that took too long, and then twice as much with each.
    assert len(ordered) <= 3 + 4 + 1


def test_what_is_calculated_is_refreshed(bench: Bench) -> None:
    bench.sync("accounts")
    one, *_ = bench.world.ids("Account")
    bench.pass_time(700)
    bench.world.recalculate("Account", [one], {"Health__c": 87.5})
    bench.pass_time(700)
    assert bench.sync("accounts").counts.updated == 0
    entity = bench.entity("accounts")
    told: Any = refresh(bench.warehouse, entity, bench.client, settings_for(CRM, entity))
    assert told.counts.updated == 1
    assert bench.rows("accounts")[one]["custom_fields"]["health__c"] == 87.5
    assert bench.wrong("accounts") == []


@pytest.mark.parametrize("name", ["tasks", "events"])
def test_an_activity_that_is_archived_stays(bench: Bench, name: str) -> None:
    """Its stamp does not move, and queries that are not for all have it no more."""
    kind = OBJECTS[name]
    bench.sync(name)
    alive = {key for key, row in bench.rows(name).items() if row["deleted_at"] is None}
    shelved = [key for key in alive if not bench.rows(name)[key]["is_archived"]][:5]
    bench.world.shelve(kind, shelved)

    def archived() -> set[str]:
        rows = bench.rows(name)
        assert {key for key, row in rows.items() if row["deleted_at"] is None} == alive
        return {key for key in shelved if rows[key]["is_archived"]}

    entity = bench.entity(name)
    for jobs in (0, 5):
        bench.configure(bulk_rows=jobs)
        bench.pass_time(700)
        assert bench.sync(name).counts.deleted == 0
    assert archived() == set()
    found = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert [found.count(what) for what in ("missing", "stale", "extra")] == [0, 0, 0]
    refresh(bench.warehouse, entity, bench.client, settings_for(CRM, entity))
    assert archived() == set(shelved)
    # One that is archived before it was ever read, and what a read of everything finds.
    more = [key for key in alive if not bench.rows(name)[key]["is_archived"]][:3]
    bench.world.shelve(kind, more)
    bench.pass_time(700)
    assert bench.sync(name, full=True).counts.deleted == 0
    assert archived() == set(shelved)
    assert bench.wrong(name) == []


@pytest.mark.parametrize("name", ["tasks", "users"])
def test_a_comparison_names_what_is_missing_stale_and_extra(bench: Bench, name: str) -> None:
    kind = {"tasks": "Task", "users": "User"}[name]
    bench.sync(name)
    missing, stale, *_ = bench.world.ids(kind)
    if name == "tasks":
        bench.world.shelve(kind, bench.world.ids(kind)[2:5])
    table = bench.entity(name).table
    text = {"tasks": "subject", "users": "title"}[name]
    older = f"system_modstamp = system_modstamp - interval '1 day', {text} = 'old'"
    with bench.warehouse.connection() as connection:
        connection.execute(f"DELETE FROM {table} WHERE id = %s", (missing,))
        connection.execute(f"UPDATE {table} SET {older} WHERE id = %s", (stale,))
        connection.commit()
    bench.pass_time(700)
    entity = bench.entity(name)
    told = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert [told.count(kind) for kind in ("missing", "stale", "extra")] == [1, 1, 0]
    assert [one for one in bench.wrong(name) if "is_archived" not in one] == []
