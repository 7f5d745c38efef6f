"""Custom fields by their names, options by their labels, and names that change."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from crm_sync_assets.crms.pipedrive.fields import Definitions, custom_fields
from crm_sync_assets.sandbox.crms.pipedrive.values import code
from crm_sync_assets_tests.crms.pipedrive.conftest import Company

A, B, C, D = (letter * 40 for letter in "abcd")
OPTIONS = [{"id": 1, "label": "Red"}, {"id": 2, "label": "Blue"}]
FIELDS: list[dict[str, Any]] = [
    {"field_code": "title", "field_name": "Title", "field_type": "varchar"},
    {"field_code": A, "field_name": "Colour", "field_type": "enum", "options": OPTIONS},
    {"field_code": B, "field_name": "Colours", "field_type": "set", "options": OPTIONS},
    {"field_code": C, "field_name": "Twice", "field_type": "double", "options": None},
    {"field_code": D, "field_name": "Twice", "field_type": "monetary"},
]
TRADE = code("deal", "Trade")


def labeled(record: dict[str, Any]) -> tuple[dict[str, Any] | None, list[tuple[str, Any]]]:
    unknown: list[tuple[str, Any]] = []
    found = Definitions(FIELDS).labeled(record, lambda *what: unknown.append(what))
    return found, unknown


def test_names_are_read_and_options_labeled() -> None:
    sent = {A: 1, B: [2, 1], C: 4.5, D: {"value": 1, "currency": "USD"}, "e" * 40: "x"}
    found, unknown = labeled({"custom_fields": sent})
    assert found == {
        "Colour": "Red",
        "Colours": ["Blue", "Red"],
        f"Twice ({C})": 4.5,
        f"Twice ({D})": {"value": 1, "currency": "USD"},
        "e" * 40: "x",
    }
    assert unknown == []


def test_v1_has_them_beside_the_record_s_own_fields_and_a_set_as_text() -> None:
    record = {"title": "x", A: "2", B: "1,2", f"{D}_currency": "USD", D: 5}
    assert custom_fields(record) == {A: "2", B: "1,2", f"{D}_currency": "USD", D: 5}
    assert labeled(record)[0] == {
        "Colour": "Blue",
        "Colours": ["Red", "Blue"],
        f"Twice ({D})": 5,
        f"Twice ({D})_currency": "USD",
    }


@pytest.mark.parametrize("record", [{}, {"custom_fields": None}, {"custom_fields": {A: None}}])
def test_nothing_is_nothing(record: dict[str, Any]) -> None:
    assert labeled(record) == (None, [])


def test_an_option_that_nobody_defined_stays_its_id_and_is_told() -> None:
    found, unknown = labeled({"custom_fields": {A: 9, B: [1, 8]}})
    assert found == {"Colour": 9, "Colours": ["Red", 8]}
    assert unknown == [(A, 9), (B, 8)]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, False),
        ({"field_name": "Color"}, True),
        ({"options": [*OPTIONS, {"id": 3, "label": "Green"}]}, False),
        ({"options": [{"id": 1, "label": "Crimson"}, OPTIONS[1]]}, True),
        ({"options": OPTIONS[1:]}, True),
        ({"description": "x"}, False),
    ],
)
def test_what_is_called_otherwise_is_told_from_what_is_new(
    change: dict[str, Any], differs: bool
) -> None:
    before = Definitions(FIELDS).remembered()
    now = Definitions([FIELDS[0], {**FIELDS[1], **change}, *FIELDS[2:]])
    assert now.differ_from(before) is differs
    assert now.differ_from({}), "fields that were not there, or not shown"
    assert Definitions(FIELDS[2:]).differ_from(before)


def test_a_new_name_reaches_rows_that_nobody_touched(company: Company) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.world.directory.rename_option("deal", TRADE, 12, "Standing seam")
    company.connect()
    told = company.sync("deals")
    assert told.strategy.name == "incremental"
    assert told.counts.updated > 5
    assert company.wrong("deals") == []
    company.sandbox.clock.advance(3_600)
    company.connect()
    assert company.sync("deals").counts.processed == 0, "once is enough"


@pytest.mark.parametrize("end", ["2026-11-15", None])
def test_a_window_keeps_a_new_name_for_the_next_delta(company: Company, end: str | None) -> None:
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.world.directory.rename_option("deal", TRADE, 12, "Standing seam")
    company.connect()
    told = company.sync("deals", start_date="2026-11-10", end_date=end)
    assert told.counts.processed == 0
    company.sync("deals")
    assert company.wrong("deals") == []


def test_a_field_that_is_hidden_and_shown_again_is_read_of_rows_that_nobody_touched(
    company: Company,
) -> None:
    def without(body: bytes) -> bytes:
        said = json.loads(body)
        shown = [one for one in said["data"] or () if one.get("field_code") != TRADE]
        for record in shown:
            (record.get("custom_fields") or {}).pop(TRADE, None)
        said["data"] = shown
        return json.dumps(said).encode()

    company.sync("deals")
    before = company.rows("deals")
    assert any("Trade" in (row["custom_fields_labeled"] or {}) for row in before.values())
    company.sandbox.faults.add("GET .*/v2/deal", on="all", rewrite=without)
    company.sandbox.clock.advance(3_600)
    company.connect()
    company.sync("deals")
    hidden = [row["custom_fields_labeled"] or {} for row in company.rows("deals").values()]
    assert not [one for one in hidden if "Trade" in one]
    company.sandbox.faults.clear()
    company.sandbox.clock.advance(3_600)
    company.connect()
    told = company.sync("deals")
    assert (told.strategy.name, told.status) == ("incremental", "success")
    assert company.wrong("deals") == []
    company.sandbox.clock.advance(3_600)
    company.connect()
    assert company.sync("deals").counts.processed == 0, "once is enough"


def test_a_new_option_is_no_reason_to_read_everything(company: Company) -> None:
    company.sync("leads")
    company.sandbox.clock.advance(3_600)
    company.world.directory.rename_option("deal", TRADE, 99, "Thatch")
    one = company.world.ids("deals")[0]
    company.sync("deals")
    company.sandbox.clock.advance(3_600)
    company.world.edit("deals", one, {"custom_fields": {TRADE: 99}})
    company.connect()
    assert company.sync("deals").counts.processed == 1
    assert company.rows("deals")[one]["custom_fields_labeled"] == {"Trade": "Thatch"}


def test_an_unknown_option_is_told_once(company: Company, caplog: pytest.LogCaptureFixture) -> None:
    first, second, *_ = company.world.ids("deals")
    for one in (first, second):
        company.world.edit("deals", one, {"custom_fields": {TRADE: 77}})
    with caplog.at_level(logging.WARNING):
        company.sync("deals")
    assert company.rows("deals")[first]["custom_fields_labeled"] == {"Trade": 77}
    assert caplog.text.count("has the option 77") == 1


def test_closed_definitions_leave_labels_as_they_were(company: Company) -> None:
    company.sync("deals")
    before = company.rows("deals")
    company.sandbox.clock.advance(3_600)
    company.sandbox.knobs.pipedrive_fields_closed = True
    one = next(i for i in company.world.ids("deals") if before[i]["custom_fields_labeled"])
    company.world.edit("deals", one, {"title": "Edited"})
    company.connect()
    told = company.sync("deals")
    row = company.rows("deals")[one]
    assert (told.status, row["title"]) == ("success", "Edited")
    assert row["custom_fields_labeled"] == before[one]["custom_fields_labeled"]
    assert company.history()[-1]["configuration"]["hidden_columns"] == ["custom_fields_labeled"]
