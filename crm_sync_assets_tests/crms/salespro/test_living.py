"""A life of SalesPro's, and what of it the demo finds in the tables."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from crm_sync_assets.declarations.truth import live
from crm_sync_assets_tests.crms.bench import DAY
from crm_sync_assets_tests.crms.salespro.conftest import ENTITIES, Bench


def amiss(bench: Bench, name: str, excused: Collection[str] = ()) -> list[str]:
    """Keys, with their moments, that are here or there alone."""
    entity = bench.entity(name)
    true = live(entity, bench.world.truth)
    assert true is not None
    moment = entity.modified.name if entity.modified else ""
    stored = {
        (tuple(key.split("/")), row[moment])
        for key, row in bench.rows(name).items()
        if row["deleted_at"] is None
    }
    return [str(one) for one in true.records ^ stored if not {*one[0]} & {*excused}]


@pytest.mark.parametrize("name", [entity.sync_type for entity in ENTITIES])
def test_the_tables_are_what_the_sandbox_says_they_must_hold(bench: Bench, name: str) -> None:
    bench.sync(name)
    assert amiss(bench, name) == []
    bench.pass_time(DAY)
    moved = [line.split() for line in bench.world.move(60, seed=5)]
    bench.pass_time(DAY)
    bench.sync(name)
    purged = [words[2] for words in moved if words[0] == "purge"]
    assert purged
    assert amiss(bench, name, purged) == []
    bench.sync(name, full=True)
    assert amiss(bench, name) == []
