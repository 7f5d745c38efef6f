"""The page as text: what comes from outside is text on it, and nothing but itself is needed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from crm_sync_assets.dashboard import page as pages
from crm_sync_assets.dashboard.board import Board
from crm_sync_assets.dashboard.page import ago, page, span, static
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.dashboard.conftest import board_of

STATIC = Path(pages.__file__).parent / "static"


class Reader(HTMLParser):
    """The elements of a page with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.inside.append((self._open, data))


def test_markup_from_outside_is_text(board: Board) -> None:
    text = page(board, days_back=30, served=False)
    read = Reader(text)
    names = [name for name, _ in read.elements]
    assert names.count("script") == 3, "the data, the library and ours"
    assert "img" not in names
    assert "b" not in names
    assert "&lt;img src=x" in text
    assert "is no date &lt;b&gt;bold" in text
    assert not any(key.startswith("on") for _, given in read.elements for key in given)
    for tag in ("script", "style"):
        for file in ("page.css", "page.js", "chart.umd.min.js"):
            assert f"</{tag}" not in static(file).lower()


def test_nothing_runs_but_what_the_policy_names(board: Board) -> None:
    read = Reader(page(board, days_back=30, served=False))
    [policy] = [
        given["content"] or ""
        for tag, given in read.elements
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, text in read.inside:
        if not text.startswith("{"):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            kind = policy.partition(f"{tag}-src ")[2].partition(";")[0]
            assert f"'sha256-{digest}'" in kind
    assert not [
        given
        for tag, given in read.elements
        if any(name in given for name in ("src", "style", "action")) or tag in ("iframe", "object")
    ]
    assert all(
        (g["href"] or "").startswith(("#", "data:")) for _, g in read.elements if "href" in g
    )


def test_no_personal_value_and_no_record_is_on_it(board: Board) -> None:
    text = page(board, days_back=30, served=False)
    assert "jane" not in text.lower()
    assert "***@***" in text


def test_the_data_are_the_numbers_of_the_board(board: Board) -> None:
    read = Reader(page(board, days_back=30, served=False))
    [data] = [json.loads(text) for _, text in read.inside if text.startswith("{")]
    assert data["since"] == board.since.date().isoformat()
    assert data["never"] == ["other.calls"]
    assert data["baselines"] == {"test.people": 60.0}
    created = 2 + data["numbers"].index("created")
    people = data["entities"].index("test.people")
    assert sum(row[created] for row in data["rows"] if row[1] == people) == 49
    assert max(row[0] for row in data["rows"]) == 29, "today is the last of thirty days"


def test_a_file_offers_no_period_that_is_not_in_it(board: Board) -> None:
    def periods(*, served: bool) -> list[str]:
        text = page(board, days_back=30, served=served).partition('id="period"')[2]
        return re.findall(r'value="(\d+)"', text.partition("</select>")[0])

    assert periods(served=False) == ["7", "30"]
    assert periods(served=True) == ["7", "30", "90", "365"]


def test_a_warehouse_without_any_sync_is_a_page_too(warehouse: Warehouse) -> None:
    text = page(board_of(warehouse), days_back=7, served=True)
    assert "Never synced: test.people, test.things, test.calls, other.calls." in text
    assert "The alert rules find nothing wrong." in text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_199, "120 min ago"),
     (7_200, "2 h ago"), (172_800, "2 d ago"), (-60, "in 60 s"), (-0.5, "0 s ago")],
)  # fmt: skip
def test_ages(seconds: float, told: str) -> None:
    assert ago(seconds) == told
    assert span(86_400) == "24 h"


def test_the_library_is_the_one_of_its_release_with_its_licence() -> None:
    digest = hashlib.sha256((STATIC / "chart.umd.min.js").read_bytes()).hexdigest()
    assert digest == "87364cc2b2a76a6684929e7d6b80b18a897794db38400caff1fcf1791c6925d2", (
        "chart.js@4.6.1, dist/chart.umd.min.js"
    )
    assert "MIT License" in (STATIC / "chart.LICENSE.md").read_text()
