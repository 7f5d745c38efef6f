"""Names that change between attempts, answers that say too little, deals between two lists."""

from __future__ import annotations

import pytest

from crm_sync_assets.errors import SyncError
from crm_sync_assets.sandbox.crms.pipedrive.values import code
from crm_sync_assets_tests.crms.pipedrive.conftest import Company

TRADE = code("deal", "Trade")


def rename(company: Company, label: str) -> None:
    company.world.directory.rename_option("deal", TRADE, 12, label)
    company.connect()


def test_renamed_between_two_attempts_of_one_read(company: Company) -> None:
    company.configure(page_size=5, max_attempts=1)
    company.connect()
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    rename(company, "First")
    company.sandbox.faults.add("/pipedrive/api/v2/deals", on=3, status=400)
    with pytest.raises(SyncError):
        company.sync("deals")
    company.sandbox.faults.clear()
    rename(company, "Second")
    told = company.sync("deals")
    assert told.resumed
    assert told.status == "success"
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sync("deals")
    assert company.wrong("deals") == []


def test_renamed_and_back_between_two_attempts(company: Company) -> None:
    company.configure(page_size=5, max_attempts=1)
    company.connect()
    company.sync("deals")
    {d: r["custom_fields_labeled"] for d, r in company.rows("deals").items()}
    fields = company.world.directory.tables["fields/deal"]
    old = next(
        o["label"]
        for f in fields
        if f["field_code"] == TRADE
        for o in f["options"]
        if o["id"] == 12
    )
    company.sandbox.clock.advance(3_600)
    rename(company, "First")
    company.sandbox.faults.add("/pipedrive/api/v2/deals", on=3, status=400)
    with pytest.raises(SyncError):
        company.sync("deals")
    company.sandbox.faults.clear()
    rename(company, old)
    for _ in range(3):
        company.sandbox.clock.advance(3_600)
        company.connect()
        try:
            last = company.sync("deals")
        except SyncError as e:
            print("FAILED", e)
    assert last.status == "success"
    assert company.wrong("deals") == []


def test_leads_resumed_in_the_archived_list_after_a_renaming(company: Company) -> None:
    company.configure(page_size=5, max_attempts=1)
    company.connect()
    company.sync("leads")
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sandbox.faults.add("/pipedrive/api/v1/leads/archived", on=1, status=400)
    with pytest.raises(SyncError):
        company.sync("leads")
    company.sandbox.faults.clear()
    rename(company, "Other")
    told = company.sync("leads")
    assert told.status == "success"
    assert told.resumed
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sync("leads")
    assert company.wrong("leads") == []


def test_definitions_closed_for_a_while(company: Company) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.sandbox.knobs.pipedrive_fields_closed = True
    one = next(
        i
        for i, r in company.rows("deals").items()
        if r["custom_fields_labeled"] and r["deleted_at"] is None
    )
    company.world.edit("deals", one, {"custom_fields": {TRADE: 11}})
    company.connect()
    assert company.sync("deals").counts.processed == 1
    company.sandbox.knobs.pipedrive_fields_closed = False
    for _ in range(2):
        company.sandbox.clock.advance(3_600)
        company.connect()
        assert company.sync("deals").status == "success"
    assert company.wrong("deals") == []


def test_definitions_closed_at_first(company: Company) -> None:
    company.sandbox.knobs.pipedrive_fields_closed = True
    company.sync("deals")
    company.sandbox.knobs.pipedrive_fields_closed = False
    for _ in range(2):
        company.sandbox.clock.advance(3_600)
        company.connect()
        assert company.sync("deals").status == "success"
    assert company.wrong("deals") == []


def test_definitions_closed_while_a_field_changes(company: Company) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.sandbox.knobs.pipedrive_fields_closed = True
    one = next(
        i
        for i, r in company.rows("deals").items()
        if (r["custom_fields_labeled"] or {}).get("Trade")
        and r["deleted_at"] is None
        and r["custom_fields"][TRADE] != 12
    )
    company.world.edit("deals", one, {"custom_fields": {TRADE: 12}})
    company.connect()
    assert company.sync("deals").counts.processed == 1
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sync("deals")
    company.sandbox.knobs.pipedrive_fields_closed = False
    for _ in range(2):
        company.sandbox.clock.advance(3_600)
        company.connect()
        assert company.sync("deals").status == "success"
    assert company.wrong("deals") == []


def test_an_answer_that_says_nothing_of_a_next_page(company: Company) -> None:
    import json

    company.configure(page_size=5)
    company.connect()

    def cut(body: bytes) -> bytes:
        page = json.loads(body)
        page.pop("additional_data")
        return json.dumps(page).encode()

    company.sandbox.faults.add("/pipedrive/api/v2/persons", on=2, rewrite=cut)
    told = company.sync("persons")
    assert told.status == "success"
    assert company.wrong("persons") == []


def test_leads_first_page_empty(company: Company) -> None:
    company.configure(page_size=5)
    company.connect()
    company.sandbox.faults.add("/pipedrive/api/v1/leads", on=1, lie="empty")
    told = company.sync("leads")
    assert told.status == "success"
    assert company.wrong("leads") == []


@pytest.mark.parametrize("name", ["deals", "leads"])
def test_unarchived_between_the_sweeps_of_a_first_read(company: Company, name: str) -> None:
    path = {
        "deals": "/pipedrive/api/v2/deals/archived",
        "leads": "/pipedrive/api/v1/leads/archived",
    }[name]
    company.world.table(name)
    done = []

    def un(_):
        if not done:
            for i in company.world.ids(name):
                from contextlib import suppress

                with suppress(Exception):
                    company.world.unshelve(name, i)
                    done.append(i)

    company.sandbox.faults.add(path, on=1, callback=un)
    company.sync(name)
    for _ in range(2):
        company.sandbox.clock.advance(3_600)
        company.connect()
        company.sync(name)
    assert company.wrong(name) == []


def test_replaced_while_a_deal_is_deleted_between_sweeps(company: Company) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.connect()
    one = company.world.ids("deals")[0]
    done = []

    def gone(_):
        if not done:
            done.append(1)
            company.world.archive("deals", one)

    company.sandbox.faults.add("/pipedrive/api/v2/deals/archived", on=1, callback=gone)
    company.sync("deals", full=True, force=True)
    assert company.wrong("deals") == []


def test_replaced_while_a_note_is_deleted(company: Company) -> None:
    """the same, and the delta after it"""
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.connect()
    one = company.world.ids("deals")[0]
    done = []

    def gone(_):
        if not done:
            done.append(1)
            company.world.archive("deals", one)

    company.sandbox.faults.add("/pipedrive/api/v2/deals/archived", on=1, callback=gone)
    company.sync("deals", full=True, force=True)
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sync("deals")
    assert company.wrong("deals") == []
