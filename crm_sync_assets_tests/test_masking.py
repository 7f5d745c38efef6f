"""What a source sent is quoted in a message in a way that it can be left out again."""

from __future__ import annotations

import pytest

from crm_sync_assets.masking import excerpt, without_excerpts


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("nothing sent", "nothing sent"),
        (f"GET /x: {excerpt('Dear Jane')}. Check it", "GET /x. Check it"),
        (f"a: {excerpt('Jane')} b: {excerpt('Jane')}", "a b"),
        (f"a: {excerpt('x › Jane ‹ Jane')}.", "a."),
        (f"cut: {excerpt('Dear Jane')[:6]}", "cut"),
    ],
    ids=["none", "one", "two", "marks inside", "cut"],
)
def test_a_message_loses_what_a_source_sent(message: str, left: str) -> None:
    assert without_excerpts(message) == left
