"""Records by their keys: there, gone, or not for us to see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets.clients.rest.paging import Whole
from crm_sync_assets.clients.rest.source import Each, Many, One, Rest
from crm_sync_assets.declarations.entity import UNREAD
from crm_sync_assets_tests.clients.rest.scripted_api import (
    BY_ACCOUNT,
    PAGED,
    Api,
    MakeRun,
    answer_of,
    ids,
    things,
)

KEYED = Rest(
    "/all",
    records="data",
    paging=PAGED,
    gone=lambda record: bool(record.get("is_deleted")),
    one=One("/all/{id}", record="data", hidden=(403,)),
)


def test_records_by_key_are_there_gone_or_not_for_us_to_see(run: MakeRun) -> None:
    rows = things(1) + things(2, is_deleted=True) + things(4, closed=True)
    pages = run(Api(all=rows), KEYED).by_key("1", "2", "3", "4")
    assert ids(pages) == [1]
    assert {t.key[0] for page in pages for t in page.tombstones} == {"2", "3"}
    assert [key for page in pages for key in page.kept] == [("4",)]


def test_what_several_at_once_left_out_is_asked_for_alone(run: MakeRun) -> None:
    source = Rest(
        "/all",
        records="data",
        one=One("/whole/{id}", record="data"),
        many=Many("/all", "ids", 2),
    )
    api = Api(all=things(1, 2, 4))
    api.records["/whole"] = things(1, 2, 3, 4)
    reading = run(api, source)
    assert sorted(ids(reading.by_key("1", "2", "3", "4", "5"))) == [1, 2, 3, 4]
    assert [path for path, _ in api.asked].count("/all") == 3
    assert sorted(path for path, _ in api.asked if "whole" in path) == ["/whole/3", "/whole/5"]


def test_a_record_is_looked_for_with_every_member(run: MakeRun) -> None:
    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", Whole()),
        one=One("/{account}/all/{id}", record="data"),
    )
    reading = run(Api(a__all=things(1), b__all=things(2)), source)
    pages = reading.by_key("1", "2", "3", members=["a", "b"])
    assert sorted(ids(pages)) == [1, 2]
    assert [t.key for page in pages for t in page.tombstones] == [("3",)]


def test_a_record_is_asked_for_in_each_way_and_told_as_a_list_would(run: MakeRun) -> None:
    def shaped(record: dict[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
        return {**record, "name": f"{key[0]} as listed"}

    source = Rest(
        "/all",
        records="data",
        one=One("/all/{id}", record="data", asks=({"old": "no"}, {"old": "yes"}), shaped=shaped),
    )
    reading = run(Api(all=things(1)), source)
    pages = reading.by_key("1", "2")
    assert [record["name"] for page in pages for record in page.records] == ["1 as listed"]
    assert [params["old"] for path, params in reading.api.asked if path == "/all/2"] == [
        "no",
        "yes",
    ]


def test_what_one_member_does_not_show_another_may(run: MakeRun) -> None:
    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", Whole()),
        one=One("/{account}/all/{id}", record="data", hidden=(403,)),
    )
    shut = things(1, 2, closed=True)
    reading = run(Api(a__all=shut, b__all=things(1)), source)
    pages = reading.by_key("1", "2", members=["a", "b"])
    assert ids(pages) == [1]
    assert [key for page in pages for key in page.kept] == [("2",)]


def test_a_key_may_name_its_member(run: MakeRun) -> None:
    def names(key: tuple[str, ...]) -> dict[str, str]:
        return {"account": "b" if key[0] == "1" else "gone", "id": key[0]}

    source = Rest(
        "/{account}/all",
        records="data",
        each=Each("account", "/accounts", "data", stamp="of"),
        one=One("/{account}/all/{id}", record="data", names=names),
    )
    reading = run(Api(a__all=things(1, 2), b__all=things(1)), source)
    pages = reading.by_key("1", "2", members=["a", "b"])
    assert [record["of"] for page in pages for record in page.records] == ["b"]
    assert [t.key for page in pages for t in page.tombstones] == [("2",)]
    assert [path for path, _ in reading.api.asked] == ["/b/all/1"]


NAMELESS = {"name": "x"}
GONE_NAMELESS = {"name": "x", "is_deleted": True}
SET_ASIDE = {"id": 5, UNREAD: "it is too large"}


def _all_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = record.get("all", [record])
    return found


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (NAMELESS, [("5",)]),
        (GONE_NAMELESS, [("5",)]),
        ({"all": [{"id": 6}, NAMELESS]}, [("5",)]),
        (SET_ASIDE, []),
    ],
    ids=["nameless", "gone and nameless", "another and a nameless one", "set aside"],
)
def test_what_cannot_be_read_is_handed_on_and_proves_nobody_gone(
    run: MakeRun, told: dict[str, Any], kept: list[tuple[str]]
) -> None:
    class Lying(Api):
        def _one(self, path: str) -> Any:
            return answer_of({"data": told})

    source = replace(KEYED, explode=_all_of)
    pages = run(Lying(all=[]), source).by_key("5")
    assert [t for page in pages for t in page.tombstones] == []
    assert [key for page in pages for key in page.kept] == kept
    assert [one for page in pages for one in page.records] == _all_of(told)


def test_a_record_of_a_member_that_is_not_shown_may_be_there(run: MakeRun) -> None:
    source = replace(BY_ACCOUNT, one=One("/{account}/all/{id}", record="data"))
    reading = run(Api(b__all=things(2)), source)
    pages = reading.by_key("1", "2", members=["b"], memory={"members": ["a", "b"]})
    assert ids(pages) == [2]
    assert [key for page in pages for key in page.kept] == [("1",)]
    assert [t for page in pages for t in page.tombstones] == []
