"""LeadConduit's lists: ids that are cursors and in no order within a second, and what is asked."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets_tests.crms.leadconduit.conftest import ENTITIES, NOON, Bench

(LEADS,) = ENTITIES


def test_what_is_recorded_late_is_in_a_later_delta(bench: Bench) -> None:
    bench.sync("leads")
    bench.sandbox.knobs.leadconduit_recorded_after = 3_600
    one = bench.world.submit({"first_name": "Late"})
    bench.pass_time(600)
    bench.sync("leads")
    assert one not in bench.rows("leads")
    bench.pass_time(3_600)
    bench.sync("leads")
    assert bench.wrong() == []


@pytest.mark.parametrize("by_date", [False, True], ids=["by id", "by date"])
@pytest.mark.parametrize("size", [2, 3, 7, 50])
def test_events_of_one_second_are_read_once_each_whatever_their_order(
    bench: Bench, size: int, by_date: bool
) -> None:
    bench.sandbox.knobs.leadconduit_by_date = by_date
    for number in range(20):
        bench.world.submit({"first_name": f"n {number}"})
    pages = bench.pages(LEADS, page_size=size)
    found = [record["id"] for page in pages for record in page.records]
    told = {one.id for one in bench.world.events if one.type in ("source", "feedback")}
    assert (set(found), len(found)) == (told, len(told))
    for number, page in enumerate(pages):
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = bench.pages(LEADS, page_size=size, cursor=cursor)
        again = [record["id"] for p in [*pages[: number + 1], *rest] for record in p.records]
        assert again == found


def test_more_events_of_one_second_than_a_page_may_have_in_no_order_cannot_be_read(
    bench: Bench,
) -> None:
    bench.sandbox.knobs.leadconduit_by_date = True
    for _ in range(1_001):
        bench.world.submit()
    with pytest.raises(FatalError, match="a page of 1000 events of one second, in no order"):
        bench.pages(LEADS)


def test_an_event_made_in_the_second_that_was_just_read_is_not_passed_over(bench: Bench) -> None:
    """Whatever its id: a lower one than the last that was read among them."""

    def more(_: int) -> None:
        for _turn in range(12):
            bench.world.submit({"first_name": "Just now"})

    bench.world.submit({"first_name": "The last"})
    bench.sandbox.faults.add(r"type=source.*after_id|after_id.*type=source", 8, callback=more)
    bench.pages(LEADS, page_size=10)
    bench.sandbox.faults.clear()
    bench.sync("leads", batch_size=10)
    assert bench.wrong() == []


def test_a_window_is_one_range(bench: Bench) -> None:
    bench.sandbox.ledger.reset()
    since = NOON - timedelta(days=40)
    bench.pages(LEADS, Strategy("manual", since=since, until=NOON))
    queries = {one.query for one in bench.asked() if "after_id" not in one.query}
    assert len(queries) == 2
    assert all("start=2026-10-11T17" in q and "end=2026-11-20T17" in q for q in queries)


def test_types_may_be_asked_for_by_rules_or_not_at_all(bench: Bench) -> None:
    bench.sandbox.knobs.leadconduit_refuses_type = True
    with pytest.raises(FatalError, match="type is not allowed"):
        bench.sync("leads")
    for way, lists in (("rules", 2), ("none", 1)):
        bench.environment.setenv("LEADCONDUIT_TYPES_BY", way)
        bench.connect()
        bench.sandbox.ledger.reset()
        assert bench.sync("leads", full=True).counts.processed == 60
        assert len({one.query for one in bench.asked() if "after_id" not in one.query}) == lists
        assert bench.wrong() == []
    bench.environment.setenv("LEADCONDUIT_TYPES_BY", "guessing")
    with pytest.raises(UsageError, match="LEADCONDUIT_TYPES_BY is 'guessing': give one of"):
        bench.connect()
