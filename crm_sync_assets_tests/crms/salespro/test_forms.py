"""What becomes of the form of a visit: a column for each title, and the jobs that it lists."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from crm_sync_assets.crms.salespro.leadresults import amount, answer, flat, items
from crm_sync_assets.crms.salespro.titles import AMOUNTS, ANSWERS, NOTES, TEXTS
from crm_sync_assets_tests.crms.bench import DAY
from crm_sync_assets_tests.crms.salespro.conftest import Bench

OF_TITLES = {
    "Appointment Result": "appointment_result",
    "Appointment Result ": "appointment_result",
    "Result": "appointment_result",
    "Result Reason - Demo Not Sold (objection)": "result_reason_demo_not_sold",
    "Result Reason - No Demo (REQUIRES SALES MANGER APPROVAL)": "result_reason_no_demo",
    "Deposit Type-": "deposit_type",
    "Balance Type-": "balance_type",
    "Balance Form Of Payment": "balance_type",
    "Preferred Payment ": "preferred_payment",
    "Job Type": "job_type",
    "Deadline (If Any)-": "deadline",
    "Client most likely to add on: ": "client_most_likely_to_add_on",
    "Additional Services Demoed \u0026 Priced": "additional_services_demoed_priced",
    "Measurement Tool(s) Used": "measurement_tool",
    "Describe Rapport \u0026 Hot Button": "describe_rapport_hot_button",
    "Company Story - what is customer's pain point": "company_story_pain_point",
    "Closing Notes (how could you have booked this job)": "closing_notes",
    "Project Notes": "notes_for_install_team",
    "Has / would this customer ever consider Solar": "has_consider_solar",
}


def form(*pairs: tuple[str, Any]) -> str:
    return json.dumps([{"title": title, "value": value} for title, value in pairs])


def row(raw: str | None) -> dict[str, Any]:
    return {
        "estimate_id": "e-1",
        "company_id": "c-1",
        "lead_results": raw,
        "created_at": None,
        "updated_at": None,
    }


@pytest.mark.parametrize(("title", "column"), OF_TITLES.items())
def test_a_title_is_a_column_to_the_letter(title: str, column: str) -> None:
    assert flat(row(form((title, "Something"))))[column] == "Something"
    assert flat(row(form((title.upper(), "Something"))))[column] is None


def test_every_title_of_every_column_is_of_one_column_only() -> None:
    titles = [
        t for group in (TEXTS, NOTES, ANSWERS, AMOUNTS) for found in group.values() for t in found
    ]
    assert len(titles) == len({*titles}) == 58


def test_of_several_titles_the_first_with_a_value_counts() -> None:
    told = form(("Result", "last"), ("Appointment Result", " "), ("Appointment Result ", "second"))
    assert flat(row(told))["appointment_result"] == "second"


@pytest.mark.parametrize(
    ("result", "bucket"),
    [("[HRE] Demo", "[HRE]"), ("Demo [HRE]", None), ("[hre] Demo", None), ("[] Demo", None)],
)
def test_the_bucket_is_the_tag_that_a_result_begins_with(result: str, bucket: str | None) -> None:
    assert flat(row(form(("Result", result))))["status_bucket"] == bucket


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("$1,234.50", "1234.50"),
        ("(500)", "500"),
        ("5k", "5"),
        ("-12.5", "-12.5"),
        ("1.2.3", None),
        ("-", None),
        ("TBD", None),
        ("1-2", None),
        (None, None),
    ],
)
def test_an_amount_is_its_digits_points_and_minus_signs(value: str | None, number: Any) -> None:
    assert amount(value) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("Yes", True), ("on", True), ("OFF", False), ("0", False), ("maybe", None)],
)
def test_an_answer_is_yes_or_no_or_nothing(value: str, wanted: bool | None) -> None:
    assert answer(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("- Roof", "Roof"), ("n/a", None), (" None ", None), ("--", None), ("a - b", "a - b")],
)
def test_a_text_loses_one_dash_and_what_says_nothing_is_nothing(
    value: str, wanted: str | None
) -> None:
    assert flat(row(form(("Timing", value))))["timing"] == wanted


def test_a_form_lists_up_to_six_jobs_each_with_both_of_its_values() -> None:
    pairs = [(f"Job Type {n}", f"Job {n}") for n in range(1, 8)]
    pairs += [(f"Job Type {n} Amount", f"${n},000") for n in (1, 2, 4, 6, 7)]
    found = items(row(form(*pairs)))
    assert found is not None
    assert [(one["job_type_number"], one["job_type_amount"]) for one in found] == [
        (number, Decimal(number * 1000)) for number in (1, 2, 4, 6)
    ]


@pytest.mark.parametrize("title", ["Job Size", "Customer's Final Price Commitment"])
def test_a_form_of_one_job_says_it_in_other_titles_and_the_lead_keeps_them(title: str) -> None:
    raw = row(form(("Job Type", "Roof"), (title, "900")))
    (one,) = items(raw) or []
    assert (one["job_type_number"], one["job_type"]) == (1, "Roof")
    assert one["job_type_amount"] == Decimal(900)
    assert flat(raw)["job_type"] == "Roof"


@pytest.mark.parametrize("raw", ["no form", '{"title": "Result"}', '["Result"]', "[" * 2_000])
def test_what_is_no_form_is_kept_as_it_came_and_noted(bench: Bench, raw: str) -> None:
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, {"lead_results": raw})
    told = bench.sync("lead_results")
    stored = bench.rows("lead_results")[str(key[0])]
    assert told.counts.failed == 0
    assert stored["appointment_result"] is None
    assert stored["lead_results_raw"] is not None
    noted = {issue["problem"] for issue in stored["sync_issues"]}
    assert "is no list of titles and values" in noted


# Line items


def listed(bench: Bench, key: str) -> dict[int, tuple[str, bool]]:
    """By its number each job of a form: what it is, and whether it is there."""
    return {
        row["job_type_number"]: (row["job_type"], row["deleted_at"] is None)
        for row in bench.rows("lead_result_line_items").values()
        if row["estimate_id"] == key
    }


def of(*jobs: tuple[int, str]) -> dict[str, str | None]:
    pairs = [(f"Job Type {number}", kind) for number, kind in jobs]
    pairs += [(f"Job Type {number} Amount", "5") for number, _ in jobs]
    return {"lead_results": form(*pairs)}


@pytest.mark.parametrize("full", [True, False])
def test_the_jobs_of_a_form_replace_those_it_had(bench: Bench, full: bool) -> None:
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, of((1, "Roof"), (2, "Siding"), (5, "Doors")))
    bench.sync("lead_result_line_items")
    bench.pass_time(DAY)
    bench.world.edit("lead_results", key, of((1, "Roof"), (3, "Gutters")))
    told = bench.sync("lead_result_line_items", full=full)
    assert listed(bench, str(key[0])) == {
        1: ("Roof", True), 2: ("Siding", False), 3: ("Gutters", True), 5: ("Doors", False),
    }  # fmt: skip
    assert told.counts.deleted == 2
    assert bench.wrong("lead_result_line_items") == []


def test_only_jobs_that_were_there_count_as_gone(bench: Bench) -> None:
    bench.sync("lead_result_line_items")
    bench.pass_time(DAY)
    key = bench.world.create("lead_results", of((4, "Roof")))
    counts = bench.sync("lead_result_line_items").counts
    assert (counts.processed, counts.created, counts.unchanged, counts.deleted) == (1, 1, 0, 0)
    assert listed(bench, str(key[0])) == {4: ("Roof", True)}


@pytest.mark.parametrize("full", [True, False])
def test_of_a_form_that_cannot_be_read_the_jobs_stay(bench: Bench, full: bool) -> None:
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, of((1, "Roof"), (2, "Siding")))
    bench.sync("lead_result_line_items")
    bench.pass_time(DAY)
    bench.world.edit("lead_results", key, {"lead_results": "no form"})
    bench.sync("lead_result_line_items", full=full)
    assert listed(bench, str(key[0])) == {1: ("Roof", True), 2: ("Siding", True)}


@pytest.mark.parametrize("page_size", [1, 999])
def test_of_two_forms_of_an_estimate_only_the_newest_has_jobs(bench: Bench, page_size: int) -> None:
    bench.configure(page_size=page_size, load_rows=3)
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, of((1, "Roof"), (2, "Siding")))
    bench.sync("lead_result_line_items")
    bench.pass_time(DAY)
    bench.world.edit("lead_results", key, of((2, "Gutters")))
    bench.world.copy("lead_results", key, of((1, "Old"), (3, "Old")), seconds=-60)
    bench.sync("lead_result_line_items")
    there = {number: kind for number, (kind, live) in listed(bench, str(key[0])).items() if live}
    assert there == {2: "Gutters"}


@pytest.mark.parametrize("page_size", [1, 999])
def test_an_older_form_alone_in_a_window_replaces_no_newer_one(
    bench: Bench, page_size: int
) -> None:
    bench.configure(page_size=page_size, load_rows=3)
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, of((1, "Roof"), (2, "Siding")))
    bench.world.copy("lead_results", key, of((1, "Old"), (3, "Old")), seconds=-800 * DAY)
    bench.sync("lead_result_line_items")
    bench.sync("lead_result_line_items", start_date="2024-09-01", end_date="2024-09-30")
    there = {number: kind for number, (kind, live) in listed(bench, str(key[0])).items() if live}
    assert there == {1: "Roof", 2: "Siding"}
    assert bench.wrong("lead_result_line_items") == []


def test_the_jobs_of_a_form_that_is_gone_are_gone_with_a_full_read(bench: Bench) -> None:
    key = bench.world.keys("lead_results")[0]
    bench.world.edit("lead_results", key, of((1, "Roof")))
    bench.sync("lead_result_line_items")
    bench.world.delete("lead_results", key)
    bench.sync("lead_result_line_items", full=True)
    assert listed(bench, str(key[0])) == {1: ("Roof", False)}
