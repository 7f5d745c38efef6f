"""A source that moves while it is read, and what its timestamps do not tell: nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_sync_assets_tests.promises.crms import who_can, with_each_reading
from crm_sync_assets_tests.promises.driver import HOUR, PAGE, Reading, Subject, lived


@with_each_reading()
def test_edits_between_two_pages_arrive_by_the_next_delta(crm: Subject, reading: Reading) -> None:
    """Before and behind the page that is being read, an hour before the sync ends."""
    if reading == "delta":
        lived(crm)
    keys = crm.keys()
    happened = []

    def meanwhile() -> None:
        crm.began()
        crm.edit(keys[3], {crm.column: "Read Already"})
        crm.edit(keys[-3], {crm.column: "Still To Come"})
        if "delete" not in crm.lacks:
            crm.delete(keys[5])
            crm.delete(keys[-5])
        crm.create()
        if crm.merges:
            crm.merge(keys[7], keys[-7], crm.merges[0])
        crm.pass_time(HOUR)
        happened.append(True)

    crm.before_page(3, meanwhile, reading)
    assert crm.read(reading).status == "success"
    assert happened
    crm.mend()
    crm.pass_time(60)
    assert crm.sync().status == "success"
    assert crm.wrong() == []
    assert crm.row(keys[3])[crm.column] == "Read Already"


@who_can("delta")
def test_the_watermark_is_where_the_sync_began_less_the_lag(crm: Subject) -> None:
    begun = crm.now()

    def meanwhile() -> None:
        crm.began()
        crm.pass_time(HOUR)

    crm.before_page(2, meanwhile, "full")
    told = crm.sync()
    assert crm.now() == begun + timedelta(hours=1)
    lag = crm.settings.lag
    assert told.watermark is not None
    assert begun - lag - timedelta(seconds=5) < told.watermark <= begun - lag


@who_can("delta")
def test_rows_changed_on_the_very_moment_of_the_watermark_arrive(crm: Subject) -> None:
    """Most share one moment, are synced, and more get that moment afterwards."""
    crm.configure(lag_seconds=0)
    crm.connect()
    crm.sync()
    crm.pass_time(HOUR)
    keys = crm.keys()
    crm.touch(keys[: crm.count // 2], "tied")
    first = crm.sync()
    assert first.counts.updated == crm.count // 2
    crm.query("UPDATE ingestion_sync_history SET watermark = %s", crm.now())
    crm.touch(keys[-5:], "late")
    crm.create(3)
    second = crm.sync()
    assert second.strategy.since == crm.now() - crm.settings.overlap
    assert (second.counts.created, second.counts.updated) == (3, 5)
    assert all(crm.row(key)[crm.column] == "late" for key in keys[-5:])
    assert crm.wrong() == []


@who_can("delta")
def test_thousands_of_rows_with_one_moment_are_read_once_each(crm: Subject) -> None:
    """Many pages of one moment; a second delta finds them again and rewrites none."""
    crm.create(2_000 - crm.count)
    crm.configure(page_size=100, load_rows=100)
    crm.connect()
    crm.sync()
    crm.pass_time(HOUR)
    crm.touch(crm.keys(), "one moment")
    told = crm.sync()
    assert told.counts.updated == 2_000
    assert told.counts.processed < 2_000 + PAGE, "and nothing twice"
    assert crm.wrong() == []
    again = crm.sync()
    assert again.counts.updated == 0
    assert again.counts.unchanged >= 2_000


@pytest.mark.parametrize("lag", [None, 0], ids=["its lag", "no lag"])
@who_can("late", "delta")
def test_a_write_that_shows_late_arrives_because_of_the_lag(crm: Subject, lag: int | None) -> None:
    """Without one it would be lost: that is what the declared lag is for."""
    if lag is not None:
        crm.configure(lag_seconds=lag)
        crm.connect()
    crm.sync()
    seconds = crm.settings.lag_seconds or 300
    crm.pass_time(HOUR)
    key = crm.keys()[4]
    crm.edit_late(key, {crm.column: "Late"}, seconds * 0.8)
    crm.pass_time(seconds * 0.5)
    crm.sync()
    assert crm.row(key)[crm.column] != "Late"
    crm.pass_time(seconds * 0.4)
    crm.sync()
    arrived = lag is None
    assert (crm.row(key)[crm.column] == "Late") == arrived
    assert (crm.wrong() == []) == arrived


@pytest.mark.parametrize("size", [3, PAGE + 1, 100])
def test_the_size_of_a_page_changes_nothing(crm: Subject, size: int) -> None:
    crm.sync()
    before = crm.rows()
    crm.forget()
    told = crm.sync(batch_size=size)
    assert told.counts.created == told.counts.processed
    assert crm.rows() == before
    assert crm.sync(batch_size=size, full=True, force=True).status == "success"
    assert crm.rows() == before
    assert crm.wrong() == []
