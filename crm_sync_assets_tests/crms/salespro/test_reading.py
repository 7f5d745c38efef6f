"""What is read of SalesPro's tables: one query per sync, everything or what changed."""

from __future__ import annotations

import logging

import pytest

from crm_sync_assets.errors import Refused, TransientError
from crm_sync_assets_tests.crms.bench import DAY
from crm_sync_assets_tests.crms.salespro.conftest import ENTITIES, ORDERS, PAGES, Bench

NAMES = [entity.sync_type for entity in ENTITIES]


@pytest.mark.parametrize("name", NAMES)
def test_every_entity_is_what_its_source_has(bench: Bench, name: str) -> None:
    first = bench.sync(name)
    assert (first.status, first.counts.failed) == ("success", 0)
    assert first.counts.created == len(bench.rows(name)) > 0
    assert bench.wrong(name) == []
    again = bench.sync(name, full=True)
    assert again.counts.unchanged == again.counts.processed == first.counts.processed


@pytest.mark.parametrize("full", [True, False])
def test_a_sync_is_one_query_and_its_pages(bench: Bench, full: bool) -> None:
    bench.configure(page_size=10)
    bench.sync("customers")
    bench.sandbox.ledger.reset()
    bench.pass_time(DAY)
    bench.world.touch("customer", bench.world.keys("customer"), {"company_id": "c-9"})
    told = bench.sync("customers", full=full)
    assert told.counts.updated == 40
    assert (bench.calls(ORDERS), bench.calls(PAGES)) == (1, 4)


def test_a_delta_reads_what_changed_and_nothing_else(bench: Bench) -> None:
    bench.sync("customers")
    bench.pass_time(DAY)
    key = bench.world.keys("customer")[3]
    bench.world.edit("customer", key, {"company_name": "Renamed"})
    new = bench.world.create("customer")
    told = bench.sync("customers")
    counts = told.counts
    assert (counts.processed, counts.updated, counts.created) == (2, 1, 1)
    assert bench.rows("customers")[str(new[0])]["deleted_at"] is None
    assert bench.wrong("customers") == []


def test_null_is_kept_apart_from_an_empty_text(bench: Bench) -> None:
    one, other = bench.world.keys("customer")[:2]
    bench.world.edit("customer", one, {"crm_source_id": ""})
    bench.world.edit("customer", other, {"crm_source_id": None})
    bench.sync("customers")
    rows = bench.rows("customers")
    assert rows[str(one[0])]["crm_source_id"] == ""
    assert rows[str(other[0])]["crm_source_id"] is None


def test_rows_of_one_moment_over_the_edge_of_a_page_are_all_read(bench: Bench) -> None:
    bench.configure(page_size=7)
    bench.sync("payments")
    bench.pass_time(DAY)
    keys = bench.world.keys("payments")
    bench.world.touch("payments", keys, {"payment_type": "check"})
    assert bench.sync("payments").counts.updated == len(keys)
    assert bench.wrong("payments") == []


@pytest.mark.parametrize("page_size", [3, 999])
def test_of_several_rows_of_a_key_the_newest_counts(bench: Bench, page_size: int) -> None:
    bench.configure(page_size=page_size, load_rows=3)
    for number, key in enumerate(bench.world.keys("estimate")[:6]):
        seconds = -86_400 if number % 2 else 60
        bench.world.copy("estimate", key, {"job_type": f"of {seconds}"}, seconds)
    bench.sync("estimates")
    assert bench.wrong("estimates") == []
    kinds = [row["job_type"] for row in bench.rows("estimates").values()]
    assert kinds.count("of 60") == 3
    assert "of -86400" not in kinds


def test_a_row_without_a_moment_is_read_by_full_reads_and_deltas_say_what_they_miss(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    key = bench.world.keys("customer")[0]
    bench.world.undate("customer", key)
    bench.sync("customers")
    assert bench.wrong("customers") == []
    bench.pass_time(DAY)
    bench.world.edit("customer", key, {"company_name": "Renamed"}, undated=True)
    with caplog.at_level(logging.WARNING):
        assert bench.sync("customers").counts.processed == 0
    assert "1 rows had no updated_at at the last full read" in caplog.text
    assert bench.wrong("customers") != []
    bench.sync("customers", full=True)
    assert bench.wrong("customers") == []


def test_a_row_without_a_moment_gives_way_to_one_of_its_key_that_has_one(bench: Bench) -> None:
    key = bench.world.keys("customer")[0]
    bench.world.copy("customer", key, {"company_name": "old"}, seconds=-60)
    old = next(one for one in bench.world.tables["customer"] if one["company_name"] == "old")
    old["updated_at"] = None
    for _ in range(2):
        bench.sync("customers", full=True)
        assert bench.rows("customers")[str(key[0])]["company_name"] != "old"


def test_a_row_without_a_key_is_left_out_and_counted(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.world.create("customer", {"customer_id": ""})
    bench.world.create("customer", {"customer_id": None})
    with caplog.at_level(logging.WARNING):
        told = bench.sync("customers")
    assert (told.status, told.counts.processed) == ("success", 40)
    assert "2 rows without a value in customer_id" in caplog.text


def test_what_is_dated_ahead_is_stored_and_holds_nothing_up(bench: Bench) -> None:
    bench.sync("customers")
    bench.pass_time(DAY)
    key = bench.world.create("customer", {"updated_at": "2028-01-01 00:00:00.000"})
    bench.sync("customers")
    assert str(key[0]) in bench.rows("customers")
    bench.pass_time(DAY)
    other = bench.world.create("customer")
    bench.sync("customers")
    assert str(other[0]) in bench.rows("customers")


def test_what_is_written_late_is_met_by_the_overlap(bench: Bench) -> None:
    bench.sync("customers")
    bench.pass_time(300)
    late = bench.world.create("customer", {"updated_at": "2026-11-20 16:52:00.000"})
    bench.sync("customers")
    assert str(late[0]) in bench.rows("customers")


def test_a_row_that_is_gone_is_found_by_a_full_read_and_asked_for_again(bench: Bench) -> None:
    bench.sync("customers")
    key = bench.world.keys("customer")[0]
    bench.world.delete("customer", key)
    assert bench.sync("customers").counts.deleted == 0
    bench.sandbox.ledger.reset()
    assert bench.sync("customers", full=True).counts.deleted == 1
    assert bench.rows("customers")[str(key[0])]["deleted_at"] is not None
    assert bench.calls(ORDERS) == 2


def test_a_table_that_is_half_written_deletes_nothing(bench: Bench) -> None:
    bench.sync("customers")
    bench.world.half_write("customer")
    with pytest.raises(Refused, match="20 of 40 live rows"):
        bench.sync("customers", full=True)
    assert bench.history()[-1]["status"] == "failed"
    assert all(row["deleted_at"] is None for row in bench.rows("customers").values())
    bench.world.written("customer")
    bench.sync("customers", full=True)
    assert bench.wrong("customers") == []


@pytest.mark.parametrize("name", ["customers", "lead_result_line_items"])
def test_a_delta_of_a_table_that_is_empty_for_now_is_no_success(bench: Bench, name: str) -> None:
    table = {"customers": "customer"}.get(name, "lead_results")
    bench.sync(name)
    bench.pass_time(DAY)
    bench.world.edit(table, bench.world.keys(table)[0], {"company_id": "c-9"})
    bench.world.create(table)
    bench.world.half_write(table, share=0)
    for _ in range(2):
        with pytest.raises(TransientError, match="no row at all"):
            bench.sync(name)
        bench.pass_time(DAY)
    bench.world.written(table)
    bench.sync(name)
    assert bench.wrong(name) == []


def test_a_delta_of_a_table_in_which_nothing_changed_asks_for_one_row(bench: Bench) -> None:
    bench.sync("customers")
    bench.pass_time(DAY)
    bench.sandbox.ledger.reset()
    told = bench.sync("customers")
    assert (told.status, told.counts.processed) == ("success", 0)
    assert bench.calls(ORDERS) == 2


def test_an_activity_is_known_by_when_it_was_whose_and_what_is_said_of_it(bench: Bench) -> None:
    bench.sync("user_activities")
    first = len(bench.rows("user_activities"))
    same = {"created_at": "2026-11-20 17:00:00.000", "user_id": "u", "activity_note": ""}
    bench.world.create("user_activity", same)
    bench.world.create("user_activity", same)
    bench.world.create("user_activity", {**same, "activity_note": None})
    assert bench.sync("user_activities").counts.created == 2
    assert len(bench.rows("user_activities")) == first + 2


def test_activities_that_are_listed_no_more_stay(bench: Bench) -> None:
    bench.sync("user_activities")
    bench.world.tables["user_activity"].clear()
    assert bench.sync("user_activities", full=True).counts.deleted == 0
    assert len(bench.rows("user_activities")) == 40


def test_a_table_that_calls_its_moment_otherwise_is_asked_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALESPRO_CHANGED_BY", "customer=created_at, user_activity=created_at")
    bench.connect()
    bench.sync("customers")
    assert bench.rows("customers").keys() == {str(key[0]) for key in bench.world.keys("customer")}
