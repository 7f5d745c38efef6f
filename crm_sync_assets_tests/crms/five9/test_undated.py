"""Contacts that say in no known way when they changed: set aside, asked for again, too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_sync_assets.crms.five9 import reading
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import Refused, SyncError
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.five9.conftest import CRM, NOON, Bench
from crm_sync_assets_tests.crms.five9.test_changed import with_report

FIELD = "New Contact Field"
ODD = "04/12/2024 01:12:44 PM"
Misdate = Callable[..., None]


@pytest.fixture
def misdate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Misdate:
    """What these contacts say from now on of when they changed; all others are right again."""
    odd: set[str] = set()
    row = bench.world.row

    def misdated(*about: Any) -> dict[str, str | None]:
        found = row(*about)
        return {**found, FIELD: ODD} if found["contactID"] in odd else found

    def misdate(*ids: str) -> None:
        odd.clear()
        odd.update(ids)

    monkeypatch.setattr(bench.world, "row", misdated)
    return misdate


def quarantined(bench: Bench) -> list[tuple[str, str]]:
    with bench.warehouse.connection() as connection:
        return connection.execute(
            "SELECT record_id, reason FROM ingestion_quarantine ORDER BY record_id"
        ).fetchall()


def asked_by_id(bench: Bench, one: str) -> int:
    return sum(line == f"getContactRecords contactID={one}" for line in bench.questions())


def test_one_contact_costs_itself_only(bench: Bench, misdate: Misdate) -> None:
    one, *others = bench.world.ids("contacts")
    misdate(one)
    told = bench.sync("contacts")
    assert (told.status, told.counts.failed, told.counts.created) == ("partial", 1, len(others))
    assert set(bench.rows("contacts")) == set(others)
    [(key, reason)] = quarantined(bench)
    assert key == one
    assert "neither as the field's DateFormat and TimeFormat say" in reason


@pytest.mark.parametrize("by", ["days", "a report"])
def test_it_is_asked_for_until_it_can_be_read_however_old_its_change_is(
    bench: Bench, misdate: Misdate, by: str
) -> None:
    """No delta by the day of a change meets it, now or when its format is mended."""
    if by == "a report":
        with_report(bench)
    other, *_, one = bench.world.ids("contacts")
    misdate(one)
    bench.sync("contacts")
    for _ in range(2):
        bench.pass_time(10 * 86_400)
        bench.world.edit("contacts", other, {"city": "Tampa"})
        bench.sandbox.ledger.reset()
        told = bench.sync("contacts")
        assert (told.strategy.name, told.status) == ("incremental", "partial")
        assert (told.counts.failed, told.counts.updated) == (1, 1)
        assert asked_by_id(bench, one) == 1
    misdate()
    bench.pass_time(10 * 86_400)
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 1)
    assert bench.wrong() == []
    assert quarantined(bench) == []
    bench.pass_time(3_600)
    bench.sandbox.ledger.reset()
    assert bench.sync("contacts").status == "success"
    assert asked_by_id(bench, one) == 0


def test_a_stored_contact_that_cannot_be_read_any_more_stays_as_it_is(
    bench: Bench, misdate: Misdate
) -> None:
    bench.sync("contacts")
    before = bench.rows("contacts")
    one, *_ = before
    misdate(one)
    bench.pass_time(3_600)
    assert bench.sync("contacts", full=True).status == "partial"
    assert bench.rows("contacts")[one] == before[one]
    entity = bench.entity("contacts")
    found = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert found.count("extra") == 0
    assert bench.rows("contacts")[one]["deleted_at"] is None


def test_one_that_is_set_aside_before_a_crash_is_remembered_by_who_goes_on(
    bench: Bench, misdate: Misdate
) -> None:
    bench.cut_at(7)
    bench.configure(load_rows=1, prefetch_pages=1)
    one = bench.world.ids("contacts")[0]
    misdate(one)
    bench.sandbox.faults.add("POST .*AdminWebService", on="25-", status=500)
    with pytest.raises(SyncError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    assert [key for key, _ in quarantined(bench)] == [one]
    told = bench.sync("contacts")
    assert (told.resumed, told.status) == (True, "partial")
    misdate()
    bench.pass_time(10 * 86_400)
    bench.sync("contacts")
    assert bench.wrong() == []


def test_many_are_no_accident(
    bench: Bench, misdate: Misdate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be a request of each delta, and none would be read."""
    monkeypatch.setattr(reading, "MOST_UNDATED", 3)
    misdate(*bench.world.ids("contacts")[:3])
    assert bench.sync("contacts").status == "partial"
    misdate(*bench.world.ids("contacts")[:4])
    with pytest.raises(Refused, match="more than 3 contacts say in no known way"):
        bench.sync("contacts", full=True)


@pytest.mark.parametrize("said", ["", "999999"])
def test_an_answer_about_nobody_who_was_asked_for_proves_nobody_gone(
    bench: Bench, said: str
) -> None:
    one, *_ = bench.world.ids("contacts")
    told, lie = (f"<data>{text}</data>".encode() for text in (one, said))
    bench.sandbox.faults.add(
        "AdminWebService", on="all", rewrite=lambda body: body.replace(told, lie)
    )
    [page] = bench.by_key(bench.entity("contacts"), one)
    assert (list(page.tombstones), list(page.kept)) == ([], [(one,)])
    assert [record["contactID"] for record in page.records] == ([None] if not said else [])
    bench.sandbox.faults.clear()
    [page] = bench.by_key(bench.entity("contacts"), "999999")
    assert [tombstone.key for tombstone in page.tombstones] == [("999999",)]


@pytest.mark.parametrize("end", ["2026-11-21", None])
def test_it_may_fall_into_any_window(bench: Bench, misdate: Misdate, end: str | None) -> None:
    bench.sandbox.clock.freeze(NOON)
    bench.sync("contacts")
    bench.sandbox.knobs.turn({"five9_date_wildcards": False})
    bench.connect()
    one, *_ = bench.world.ids("contacts")
    misdate(one)
    told = bench.sync("contacts", start_date="2026-11-19", end_date=end)
    assert (told.status, told.counts.failed) == ("partial", 1)
