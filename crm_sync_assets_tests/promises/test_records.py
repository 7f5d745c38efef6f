"""What happens to a record at the source happens here: cleared, deleted, back, merged, refused."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import Refused
from crm_sync_assets_tests.promises.crms import who_can, with_each
from crm_sync_assets_tests.promises.driver import HOUR, Subject


def test_a_value_that_was_cleared_is_cleared_here_too(crm: Subject) -> None:
    crm.sync()
    key = crm.keys()[8]
    filled = {crm.column: "Baltimore", **crm.values}
    crm.pass_time(10)
    crm.edit(key, filled)
    crm.sync()
    row = crm.row(key)
    assert all(row[name] is not None for name in filled)
    crm.pass_time(10)
    crm.edit(key, dict.fromkeys(filled))
    crm.sync()
    row = crm.row(key)
    assert {name: row[name] for name in filled} == dict.fromkeys(filled)
    assert crm.wrong() == []


@with_each("restores", "delete", "restore")
def test_a_deleted_record_is_marked_and_a_restored_one_is_back(crm: Subject, how: str) -> None:
    crm.sync()
    gone, back = crm.keys()[10:12]
    crm.pass_time(HOUR)
    for key in (gone, back):
        crm.delete(key)
    told = crm.sync()
    assert told.status == "success"
    assert told.strategy.reads_everything == ("delta" in crm.lacks)
    assert crm.row(back)["deleted_at"] is not None
    assert crm.wrong() == []
    crm.pass_time(HOUR)
    crm.restore(back, how)
    crm.sync()
    assert crm.row(back)["deleted_at"] is None
    assert crm.row(gone)["deleted_at"] is not None
    assert crm.wrong() == []


@who_can("vanish")
def test_what_is_gone_without_a_trace_is_marked_by_a_full_sync(crm: Subject) -> None:
    crm.sync()
    gone = crm.keys()[7:10]
    for key in gone:
        crm.vanish(key)
    told = crm.sync(full=True)
    assert (told.status, told.counts.deleted) == ("success", 3)
    assert crm.live() == set(crm.keys())
    assert crm.wrong() == []
    assert crm.sync(full=True).counts.deleted == 0


@who_can("vanish")
def test_too_many_deletions_are_refused_until_forced(crm: Subject) -> None:
    crm.sync()
    before = crm.rows()
    for key in crm.keys()[: crm.count // 3]:
        crm.vanish(key)
    for _ in range(2):
        with pytest.raises(Refused, match=f"{crm.count // 3} of [0-9]+ live rows"):
            crm.sync(full=True)
        row = crm.history()[-1]
        assert (row["status"], row["watermark"], row["reason"]) == ("failed", None, "data")
        assert crm.rows() == before
    assert crm.sync(force=True).counts.deleted == crm.count // 3
    assert crm.live() == set(crm.keys())
    assert crm.wrong() == []


@who_can("vanish", "compare")
def test_too_many_deletions_are_refused_of_a_delta_too(crm: Subject) -> None:
    """And a few are marked, where it compares."""
    crm.sync()
    few, many = crm.keys()[:3], crm.keys()[3 : crm.count // 3 + 3]
    for key in few:
        crm.vanish(key)
    told = crm.sync()
    assert (told.strategy.name, told.counts.deleted) == ("incremental", 3)
    assert crm.wrong() == []
    before = crm.rows()
    for key in many:
        crm.vanish(key)
    with pytest.raises(Refused, match=f"{len(many)} of {crm.count - 3} live rows"):
        crm.sync()
    assert crm.history()[-1]["watermark"] is None
    assert crm.rows() == before
    crm.sync(force=True)
    assert crm.wrong() == []


@with_each("merges", "merge")
def test_merged_records_leave_one(crm: Subject, how: str) -> None:
    """A + B, then what came of it + C: a chain, and everybody points to its end."""
    crm.sync()
    a, b, c = crm.keys()[20:23]
    crm.pass_time(60)
    first = crm.merge(a, b, how)
    crm.sync()
    crm.pass_time(60)
    last = crm.merge(c, first, how)
    crm.sync()
    for loser in {a, b, c, first} - {last}:
        row = crm.row(loser)
        assert (row["merged_into"],) == last
        assert row["deleted_at"] is not None
    assert crm.row(last)["deleted_at"] is None
    assert crm.wrong() == []
    crm.sync(full=True)
    assert crm.wrong() == []


@who_can("delta", "versions")
def test_an_older_version_overwrites_a_newer_one_only_when_forced(crm: Subject) -> None:
    crm.sync()
    key = crm.keys()[2]
    crm.query(
        f"UPDATE {crm.declared.table} SET {crm.column} = 'newer', {crm.version} = %s "  # noqa: S608
        f'WHERE "{crm.declared.key[0].name}"::text = %s',
        crm.now(),
        key[0],
    )
    crm.sync(full=True)
    assert crm.row(key)[crm.column] == "newer"
    crm.sync(full=True, force=True)
    assert crm.row(key)[crm.column] != "newer"
    assert crm.wrong() == []


def test_a_record_the_warehouse_refuses_is_set_aside_alone_and_returns_when_mended(
    crm: Subject,
) -> None:
    crm.sync()
    key = crm.keys()[17]
    crm.query(
        f"ALTER TABLE {crm.declared.table} ADD CONSTRAINT refused "
        f"CHECK ({crm.column} IS DISTINCT FROM 'poison')"
    )
    crm.pass_time(60)
    crm.touch(crm.keys(), "sound")
    crm.edit(key, {crm.column: "poison"})
    told = crm.sync()
    assert (told.status, told.counts.failed) == ("partial", 1)
    assert told.counts.updated == crm.count - 1
    assert told.counts.add_up
    aside = crm.query("SELECT split_part(record_id, '@', 1), stage FROM ingestion_quarantine")
    assert aside == [("/".join(key), "load")]
    assert all("poison" in line or str(key[0]) in line for line in crm.wrong())
    crm.pass_time(60)
    crm.edit(key, {crm.column: "mended"})
    assert crm.sync().status == "success"
    assert crm.query("SELECT 1 FROM ingestion_quarantine") == []
    assert crm.wrong() == []
