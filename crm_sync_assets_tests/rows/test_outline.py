"""Records that are found among all by their keys, and what those prove that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets.declarations.columns import text
from crm_sync_assets.declarations.contract import Page
from crm_sync_assets.declarations.entity import UNREAD
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets_tests.scripted import PEOPLE, THINGS, person

ODD = person(2) | {UNREAD: "it is too large"}


@pytest.mark.parametrize(
    ("records", "sent", "gone", "kept"),
    [
        ([person(1), person(2)], ["1", "2"], ["3"], []),
        ([person(1), ODD], ["1", "2"], ["3"], []),
        ([person(1), {"name": "who?"}], ["1"], [], ["2", "3"]),
        ([person(1), "who?"], ["1"], [], ["2", "3"]),
        ([person(1), {"name": "who?", UNREAD: "it is too large"}], ["1"], [], ["2", "3"]),
    ],
    ids=["there", "set aside", "nameless", "no record", "nameless and set aside"],
)
def test_who_is_gone_of_those_that_were_asked_for(
    records: list[Any], sent: list[str], gone: list[str], kept: list[str]
) -> None:
    pages = list(asked_for(iter([Page(records, {})]), PEOPLE, [("1",), ("2",), ("3",)]))
    assert [one["id"] for page in pages for one in page.records] == sent
    assert [one.key[0] for page in pages for one in page.tombstones] == gone
    assert [key[0] for page in pages for key in page.kept] == kept


def test_keys_that_read_alike_are_two() -> None:
    entity = replace(THINGS, columns=(text("day", key=True), text("campaign", key=True)))
    keys = [("1/2", "3"), ("1", "2/3")]
    for there, gone in (keys, keys[::-1]):
        record = dict(zip(("day", "campaign"), there, strict=True))
        pages = list(asked_for(iter([Page([record], {})]), entity, keys))
        assert [one for page in pages for one in page.records] == [record]
        assert [one.key for page in pages for one in page.tombstones] == [gone]
