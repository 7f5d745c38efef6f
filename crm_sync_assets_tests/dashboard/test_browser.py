"""The page in a real Chromium: drawn, filtered, dark, on a phone, by keyboard and by ear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from crm_sync_assets.dashboard.page import page
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.browser.conftest import OPTIONS, chromium
from crm_sync_assets_tests.dashboard.conftest import NOW, board_of

pytestmark = pytest.mark.timeout(300)

Open = Callable[..., Page]

# Text and what it stands on, of all that is seen, where the contrast is below WCAG's AA.
PALE = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((total, part, place) => total + part * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.disabled
      || ["SCRIPT", "OPTION", "METER"].includes(element.tagName)) continue;
    const lights = [parse(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    if (ratio < 4.5) found.push(`${node.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=list(OPTIONS)
        )
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, filled: Warehouse, tmp_path: Path) -> Iterator[Open]:
    """Opens the file of the past above. Whatever the browser has to complain of fails the test."""
    file = tmp_path / "board.html"
    file.write_text(page(board_of(filled), days_back=30, served=False), encoding="utf-8")
    complaints: list[str] = []
    contexts = []

    def opens(place: str = "", *, width: int = 1280, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 844}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on(
            "request", lambda asked: asked.url.startswith("http") and complaints.append(asked.url)
        )
        tab.goto(f"{file.as_uri()}{place}")
        return tab

    yield opens
    for context in contexts:
        context.close()
    assert complaints == []


def painted(tab: Page, chart: str) -> int:
    """How many different colours a chart has."""
    return tab.evaluate(
        "id => { const canvas = document.getElementById(id); const data = new Uint32Array("
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);"
        "return new Set(data).size; }",
        chart,
    )


def rows(tab: Page, section: str) -> list[str]:
    """The subjects of the rows seen in a section."""
    found = tab.get_by_role("region", name=section).get_by_role("row").all()
    return [row.get_by_role("rowheader").or_(row.get_by_role("cell")).first.inner_text()
            for row in found[1:]]  # fmt: skip


def numbers(tab: Page, chart: str) -> dict[str, list[str]]:
    """The table behind a chart: the cells by day."""
    tab.get_by_text(f"{chart} as a table").click()
    table = tab.get_by_role("region", name=f"{chart}, table").get_by_role("table")
    found = {}
    for row in table.get_by_role("row").all()[1:]:
        found[row.get_by_role("rowheader").inner_text()] = [
            cell.inner_text() for cell in row.get_by_role("cell").all()
        ]
    return found


def test_markup_in_an_error_is_shown_and_does_nothing(opened: Open) -> None:
    tab = opened()
    failures = tab.get_by_role("region", name="Failed syncs")
    expect(failures.get_by_text("<img src=x", exact=False)).to_be_visible()
    assert tab.title() == "crm_sync: what was synced"
    assert tab.locator("img").count() == 0


def test_charts_are_drawn_and_their_tables_say_the_same(opened: Open) -> None:
    tab = opened()
    for chart in ("records", "syncs", "duration", "requests"):
        assert painted(tab, f"c-{chart}") > 3, chart
    records = numbers(tab, "Records a day")
    assert len(records) == 7, "of the days before there was anything a week at most"
    by_day = board_days()
    assert {day: int(cells[0]) for day, cells in records.items() if cells[0] != "0"} == by_day


def board_days() -> dict[str, int]:
    """What was created, by day, of seven deltas and one partial of seven records each."""
    found: dict[str, int] = {}
    for hours in (1, 2, 3, 25, 26, 27, 28, 40):
        day = f"{(NOW - timedelta(hours=hours)).date()}"
        found[day] = found.get(day, 0) + 7
    return found


def test_filters_leave_what_was_asked_for_in_tables_and_charts(opened: Open) -> None:
    tab = opened()
    assert rows(tab, "Entities") == ["test.things", "test.calls", "test.people"]
    expect(tab.get_by_label("Entity")).to_be_disabled()
    tab.get_by_label("CRM").select_option("test")
    tab.get_by_label("Entity").select_option("calls")
    assert rows(tab, "Entities") == ["test.calls"]
    assert rows(tab, "Failed syncs") == []
    assert rows(tab, "Quarantine by reason") == ["test.calls"]
    assert set(rows(tab, "Alerts")) == {"test.calls"}
    assert tab.url.endswith("#test/calls")
    expect(tab.get_by_role("status")).to_have_text("Shown: test.calls, 1 synced, 30 days.")
    assert sum(int(cells[0]) for cells in numbers(tab, "Records a day").values()) == 7
    tab.get_by_label("CRM").select_option("other")
    expect(tab.locator('[data-count="never synced"]')).to_have_text("1")
    assert rows(tab, "Entities") == []
    tab.get_by_label("Period").select_option("7")
    expect(tab.get_by_role("status")).to_have_text("Shown: other, 0 synced, 7 days.")


def test_an_entity_has_an_address_and_a_link_leads_there(opened: Open) -> None:
    tab = opened("#test/people")
    assert rows(tab, "Entities") == ["test.people"]
    baseline = numbers(tab, "Duration of a sync")
    assert {cells[1] for cells in baseline.values()} == {"60"}
    tab.get_by_label("CRM").select_option("")
    tab.get_by_role("link", name="test.things").first.click()
    assert rows(tab, "Entities") == ["test.things"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_reads_well_in_the_dark_and_on_a_phone(opened: Open, scheme: str, width: int) -> None:
    tab = opened(width=width, color_scheme=scheme)
    for summary in tab.locator("summary").all():
        summary.click()
    assert tab.evaluate(PALE) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_a_screen_reader_finds_its_way(opened: Open) -> None:
    tab = opened()
    for landmark in ("banner", "main", "contentinfo", "form"):
        expect(tab.get_by_role(landmark)).to_have_count(1)  # type: ignore[arg-type]
    expect(tab.get_by_role("heading", level=1)).to_have_text("What was synced")
    for name in ("Now", "Alerts", "By day", "Entities", "API quota", "Quarantine by reason",
                 "Failed syncs"):  # fmt: skip
        expect(tab.get_by_role("region", name=name, exact=True)).to_be_visible()
    for title in ("Records a day", "Syncs a day", "Duration of a sync", "API requests a day"):
        expect(tab.get_by_role("img", name=title)).to_be_visible()
    table = tab.get_by_role("region", name="Entities").get_by_role("table")
    heads = [head.inner_text() for head in table.get_by_role("columnheader").all()]
    for row in table.get_by_role("row").all()[1:]:
        cells = row.get_by_role("rowheader").all() + row.get_by_role("cell").all()
        assert [cell.get_attribute("data-label") for cell in cells] == heads


def test_everything_is_reached_by_keyboard(opened: Open) -> None:
    tab = opened()
    reached = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "SUMMARY":
            break
    assert reached[0] == "A", "the link past the filters comes first"
    assert {"crm", "period"} <= set(reached)
    assert reached[-1] == "SUMMARY"
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("region", name="Records a day, table")).to_be_visible()


def test_without_scripts_the_tables_are_there(opened: Open) -> None:
    tab = opened(java_script_enabled=False)
    assert rows(tab, "Entities") == ["test.things", "test.calls", "test.people"]
