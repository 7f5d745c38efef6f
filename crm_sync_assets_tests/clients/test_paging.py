from __future__ import annotations

import pytest

from crm_sync_assets.clients.paging import MOST_EMPTY_PAGES, CursorGuard
from crm_sync_assets.errors import FatalError


@pytest.mark.parametrize("cycle", [["a"], ["a", "b", "c"]], ids=["stuck", "cycle of three"])
def test_a_cursor_that_comes_again_is_a_loop(cycle: list[str]) -> None:
    guard = CursorGuard("crm.things")
    for cursor in cycle:
        assert guard.follow(cursor, records=1) == cursor
    with pytest.raises(FatalError, match=r"crm\.things: pagination loop"):
        guard.follow(cycle[0], records=1)


def test_empty_pages_are_followed_up_to_a_bound() -> None:
    guard = CursorGuard("crm.things")
    for number in range(MOST_EMPTY_PAGES):
        guard.follow(f"empty {number}", records=0)
    guard.follow("full", records=3)
    for number in range(MOST_EMPTY_PAGES):
        guard.follow(f"more {number}", records=0)
    with pytest.raises(FatalError, match="21 empty pages"):
        guard.follow("one too many", records=0)


def test_a_long_walk_has_no_false_alarm() -> None:
    guard = CursorGuard("crm.things")
    for number in range(200_000):
        guard.follow(str(90_210_000_000 + number * 37), records=100)
