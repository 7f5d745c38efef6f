"""A record that is gone on one page and back on a later one, in one batch or in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from crm_sync_assets.declarations.contract import Page, Read, Tombstone, Usage
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import SETTINGS, FakeClient, people, person, sync

GONE = Page([], {"n": 1}, [Tombstone(("1",))])
BACK = Page([person(1, at=60)], {"n": 2})


@dataclass
class Told(FakeClient):
    """A source that has these pages."""

    told: Sequence[Page] = ()

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        yield from self.told


@pytest.mark.parametrize("load_rows", [1, 10_000], ids=["page by page", "in one batch"])
@pytest.mark.parametrize(
    ("pages", "alive"), [((GONE, BACK), True), ((BACK, GONE), False)], ids=["back", "gone"]
)
def test_the_order_of_the_pages_decides(
    warehouse: Warehouse, pages: Sequence[Page], alive: bool, load_rows: int
) -> None:
    sync(warehouse, Told(told=[Page([person(1)], {"n": 0})]))
    many = Page([person(number) for number in range(100, 3_100)], {"n": 0})
    settings = SETTINGS.model_copy(update={"load_rows": load_rows, "prefetch_pages": 8})
    sync(warehouse, Told(told=[many, *pages]), settings=settings)
    assert ("1" in people(warehouse)) == alive
