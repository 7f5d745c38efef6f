"""A record that is gone on one page and back on a later one, in one batch or in two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_sync_assets.declarations.contract import Page, Tombstone
from crm_sync_assets_tests.scripted import SETTINGS, FakeClient, person, rows, sync


@dataclass
class Told(FakeClient):
    told: Any = ()

    def pages(self, read, usage):
        yield from self.told


def test_gone_then_back_in_one_batch(warehouse) -> None:
    """A list read again after it moved: deleted on the first pass, restored on the second"""
    sync(warehouse, Told(told=[Page([person(1)], {"n": 0})]))
    back = person(1, at=60)
    many = [person(n) for n in range(100, 3100)]
    client = Told(
        told=[Page(many, {"n": 1}), Page([], {"n": 2}, [Tombstone(("1",))]), Page([back], {"n": 3})]
    )
    sync(
        warehouse,
        client,
        settings=SETTINGS.model_copy(update={"load_rows": 10_000, "prefetch_pages": 8}),
    )
    assert (
        rows(warehouse, "SELECT id, deleted_at FROM test_people WHERE deleted_at IS NOT NULL") == []
    )
