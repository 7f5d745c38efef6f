"""Names that change between attempts, answers that say too little, deals between two lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import SyncError
from crm_sync_assets.sandbox.crms.pipedrive.values import code
from crm_sync_assets_tests.crms.pipedrive.conftest import Company

TRADE = code("deal", "Trade")
SIDING = 12
"""The id of one of its options."""


@pytest.fixture
def paged(company: Company) -> Company:
    """In small pages, and what fails is not tried again."""
    company.configure(page_size=5, max_attempts=1)
    company.connect()
    return company


def rename(company: Company, label: str) -> None:
    company.world.directory.rename_option("deal", TRADE, SIDING, label)
    company.connect()


def label(company: Company) -> str:
    """What the option is called now."""
    fields = company.world.directory.tables["fields/deal"]
    (field,) = [one for one in fields if one["field_code"] == TRADE]
    (found,) = [option["label"] for option in field["options"] if option["id"] == SIDING]
    return str(found)


def interrupted(company: Company, name: str, path: str, page: int) -> None:
    """A sync that fails at this page of a list."""
    company.sandbox.faults.add(path, on=page, status=400)
    with pytest.raises(SyncError):
        company.sync(name)
    company.sandbox.faults.clear()


def an_hour_later(company: Company, name: str) -> Sync:
    company.sandbox.clock.advance(3_600)
    company.connect()
    told = company.sync(name)
    assert told.status == "success"
    return told


# Names and labels


def test_an_option_is_renamed_again_between_two_attempts(paged: Company) -> None:
    paged.sync("deals")
    paged.sandbox.clock.advance(3_600)
    rename(paged, "First")
    interrupted(paged, "deals", "/pipedrive/api/v2/deals", page=3)
    rename(paged, "Second")
    assert paged.sync("deals").resumed
    an_hour_later(paged, "deals")
    assert paged.wrong("deals") == []


def test_an_option_is_renamed_and_back_between_two_attempts(paged: Company) -> None:
    paged.sync("deals")
    before = label(paged)
    paged.sandbox.clock.advance(3_600)
    rename(paged, "First")
    interrupted(paged, "deals", "/pipedrive/api/v2/deals", page=3)
    rename(paged, before)
    an_hour_later(paged, "deals")
    an_hour_later(paged, "deals")
    assert paged.wrong("deals") == []


def test_leads_are_resumed_in_the_archived_list_after_a_renaming(paged: Company) -> None:
    paged.sync("leads")
    paged.sandbox.clock.advance(3_600)
    paged.connect()
    interrupted(paged, "leads", "/pipedrive/api/v1/leads/archived", page=1)
    rename(paged, "Other")
    assert paged.sync("leads").resumed
    an_hour_later(paged, "leads")
    assert paged.wrong("leads") == []


def test_definitions_that_were_closed_at_first_are_read_when_they_open(company: Company) -> None:
    company.sandbox.knobs.pipedrive_fields_closed = True
    company.sync("deals")
    company.sandbox.knobs.pipedrive_fields_closed = False
    an_hour_later(company, "deals")
    assert company.wrong("deals") == []


@pytest.mark.parametrize("deltas", [1, 2])
def test_a_field_that_changes_while_definitions_are_closed(company: Company, deltas: int) -> None:
    company.sync("deals")
    company.sandbox.knobs.pipedrive_fields_closed = True
    one = next(
        record_id
        for record_id, row in company.rows("deals").items()
        if (row["custom_fields_labeled"] or {}).get("Trade")
        and row["deleted_at"] is None
        and row["custom_fields"][TRADE] != SIDING
    )
    company.world.edit("deals", one, {"custom_fields": {TRADE: SIDING}})
    for _ in range(deltas):
        an_hour_later(company, "deals")
    company.sandbox.knobs.pipedrive_fields_closed = False
    an_hour_later(company, "deals")
    assert company.wrong("deals") == []


# Answers that say too little


def test_an_answer_that_says_nothing_of_a_next_page(company: Company) -> None:
    company.configure(page_size=5)
    company.connect()

    def cut(body: bytes) -> bytes:
        page = json.loads(body)
        del page["additional_data"]
        return json.dumps(page).encode()

    company.sandbox.faults.add("/pipedrive/api/v2/persons", on=2, rewrite=cut)
    assert company.sync("persons").status == "success"
    assert company.wrong("persons") == []


def test_a_first_page_that_is_empty_and_says_that_more_comes(company: Company) -> None:
    company.configure(page_size=5)
    company.connect()
    company.sandbox.faults.add("/pipedrive/api/v1/leads", on=1, lie="empty")
    assert company.sync("leads").status == "success"
    assert company.wrong("leads") == []


# Between two lists


@pytest.mark.parametrize(("name", "version"), [("deals", "v2"), ("leads", "v1")])
def test_all_come_back_from_the_archive_between_the_lists_of_a_first_read(
    company: Company, name: str, version: str
) -> None:
    ids = company.world.ids(name)
    archived = [one for one in ids if company.world.get(name, one)["properties"]["is_archived"]]
    assert archived

    def bring_back(_: Any) -> None:
        while archived:
            company.world.unshelve(name, archived.pop())

    company.sandbox.faults.add(
        f"/pipedrive/api/{version}/{name}/archived", on=1, callback=bring_back
    )
    company.sync(name)
    an_hour_later(company, name)
    assert not archived
    assert company.wrong(name) == []


@pytest.mark.parametrize("deltas", [0, 1])
def test_a_deal_that_is_deleted_between_two_lists_of_a_replacement_is_not_put_back(
    company: Company, deltas: int
) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.connect()
    left = company.world.ids("deals")[:1]

    def delete(_: Any) -> None:
        while left:
            company.world.archive("deals", left.pop())

    company.sandbox.faults.add("/pipedrive/api/v2/deals/archived", on=1, callback=delete)
    company.sync("deals", full=True, force=True)
    for _ in range(deltas):
        an_hour_later(company, "deals")
    assert not left
    assert company.wrong("deals") == []
