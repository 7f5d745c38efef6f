"""Odd orgs: names like ours, more fields than an address holds, changes at the worst moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_sync_assets.errors import TransientError, UsageError
from crm_sync_assets_tests.crms.salesforce.conftest import DAY, Bench
from crm_sync_assets_tests.truth import stored_rows

RESULTS = r"GET /salesforce/.*/jobs/query/\w+/results"
LIKE_OURS = {
    "Name__c": "a name",
    "Deleted_At__c": "never",
    "Custom_Fields__c": "{}",
    "Sync_Issues__c": "none",
    "Order__c": "select",
    "Id__c": "001",
    "Quoted__c": "a \"quoted\" 'one', with\r\nlines; and, commas",
}


def test_an_object_of_400_fields_with_names_like_ours(
    bench: Bench, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(400):
        bench.world.add_field("Invoice__c", f"A_rather_long_name_of_a_field_{number:03d}__c")
    for name in LIKE_OURS:
        bench.world.add_field("Invoice__c", name)
    odd, gone, *_ = bench.world.ids("Invoice__c")
    bench.world.edit(
        "Invoice__c", odd, {**LIKE_OURS, "A_rather_long_name_of_a_field_399__c": "last"}
    )
    environment.setenv("CRM_SYNC_HOME", str(tmp_path / "home"))
    environment.setenv("CRM_SYNC_SALESFORCE_OBJECTS", "Invoice__c")
    bench.pass_time(700)
    with pytest.raises(UsageError, match="run it again"):
        bench.sync("invoice__c")
    bench.configure(page_size=7, bulk_rows=0)
    bench.sync("invoice__c")
    assert len([one for one in bench.queries() if "ORDER" in one]) == 4
    by_queries = stored_rows(bench.warehouse, bench.entity("invoice__c"))
    row = by_queries[(odd,)]
    assert {name: row[name.lower()] for name in LIKE_OURS} == LIKE_OURS
    assert row["a_rather_long_name_of_a_field_399__c"] == "last"
    assert (row["name"], row["deleted_at"], row["custom_fields"]) == ("INV-000001", None, None)
    bench.configure(bulk_rows=5)
    told = bench.sync("invoice__c", full=True)
    assert (told.counts.updated, told.counts.created) == (0, 0)
    assert stored_rows(bench.warehouse, bench.entity("invoice__c")) == by_queries
    bench.pass_time(700)
    bench.world.archive("Invoice__c", gone)
    bench.pass_time(700)
    assert bench.sync("invoice__c").counts.deleted == 1


def interrupted(bench: Bench) -> None:
    """A sync whose job is done, and read by half."""
    bench.configure(bulk_rows=10, page_size=20, load_rows=20, prefetch_pages=1)
    bench.sandbox.knobs.turn({"salesforce_job_page": 25, "token_lifetime": 1_000_000})
    bench.sandbox.faults.add(RESULTS, on="2-", status=500)
    with pytest.raises(TransientError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()


def test_a_job_of_another_version_of_the_api_is_ordered_again(bench: Bench) -> None:
    interrupted(bench)
    bench.environment.setenv("SALESFORCE_API_VERSION", "v66.0")
    bench.connect()
    bench.sandbox.ledger.reset()
    assert bench.sync("contacts").resumed
    assert [one.method for one in bench.asked("v66.0/jobs/query")].count("POST") == 1
    assert bench.wrong("contacts") == []


def test_a_sync_that_goes_on_by_queries_is_held_against_a_count(bench: Bench) -> None:
    """Its list leaves out a record; the job that would have had all of them is no more."""
    bench.configure(checkpoint_hours=24 * 30)
    interrupted(bench)
    bench.pass_time(8 * DAY)
    bench.sandbox.knobs.turn({"salesforce_jobs_fail": "InternalServerError"})
    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on=2, lie="short")
    told = bench.sync("contacts")
    assert told.resumed
    assert bench.wrong("contacts") == []


@pytest.mark.parametrize("way", ["hidden", "removed"])
def test_a_field_that_goes_while_its_job_runs(bench: Bench, way: str) -> None:
    bench.configure(bulk_rows=10, page_size=20)
    bench.sandbox.knobs.turn({"salesforce_job_polls": 2})
    go = bench.world.hide_field if way == "hidden" else bench.world.remove_field
    bench.sandbox.faults.add(
        r"GET /salesforce/.*/jobs/query/\w+ ?\??$",
        on=1,
        callback=lambda _: go("Contact", "Tier__c"),
    )
    assert bench.sync("contacts").status == "success"
    tiers = {row["custom_fields"].get("tier__c") for row in bench.rows("contacts").values()
             if row["custom_fields"]}  # fmt: skip
    assert "Gold" in tiers
    bench.pass_time(700)
    bench.world.bulk_touch("Contact", bench.world.ids("Contact"), properties={"Title": "New"})
    bench.pass_time(700)
    assert bench.sync("contacts").status == "success"
    assert {row["title"] for row in bench.rows("contacts").values()
            if row["deleted_at"] is None} == {"New"}  # fmt: skip


def test_what_comes_back_without_a_word_is_found_by_a_read_of_everything(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"salesforce_quiet_undelete": True})
    bench.sync("leads")
    one, *_ = bench.world.ids("Lead")
    bench.pass_time(700)
    bench.world.archive("Lead", one)
    bench.pass_time(2_000)
    bench.sync("leads")
    assert bench.rows("leads")[one]["deleted_at"] is not None
    bench.world.restore("Lead", one)
    bench.pass_time(700)
    bench.sync("leads", full=True)
    assert bench.wrong("leads") == []


def test_a_merge_of_what_was_merged_leads_to_the_last(bench: Bench) -> None:
    bench.sync("leads")
    first, second, third, *_ = bench.world.ids("Lead")
    for winner, loser in ((second, first), (third, second)):
        bench.pass_time(700)
        bench.world.merge("Lead", winner, loser)
        bench.pass_time(700)
        bench.sync("leads")
    rows = bench.rows("leads")
    assert [rows[one]["merged_into"] for one in (first, second)] == [third, third]
    assert bench.wrong("leads") == []
