"""How many queries a sync of Genius makes: one per chunk of its table, and a few that are named.

`Usage.api_calls` counts them; the real database answers.
"""

from __future__ import annotations

import pytest

from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs
from crm_sync_assets_tests.crms.genius.worlds import Start

CLOCK = 1
"""The database's time, from which the next watermark is taken."""
CATALOGUE = 2
"""Whether the table may be read, and its columns: once per table and client."""
COMPARISON = 3
"""The lowest key, the sums of all buckets, and that no key lies beyond them (two million keys)."""


def chunks(rows: int, size: int) -> int:
    """A chunk that is not full may be the last one: how many rows are left is counted then."""
    return rows // size + 1 + 1


@pytest.fixture
def genius(world: World, start: Start) -> GeniusSyncs:
    return start()


@pytest.mark.parametrize("size", [7, 25, 5_000])
def test_a_full_read_is_one_query_per_chunk(world: World, genius: GeniusSyncs, size: int) -> None:
    rows = len(world.rows("job_status"))
    first = genius.sync("job_statuses", full=True, batch_size=size)
    assert first.counts.processed == rows
    assert first.usage.api_calls == CLOCK + CATALOGUE + chunks(rows, size)
    again = genius.sync("job_statuses", full=True, batch_size=size)
    assert again.usage.api_calls == CLOCK + chunks(rows, size)


def test_a_delta_without_changes_is_the_same_few_queries_whatever_the_table_s_size(
    genius: GeniusSyncs,
) -> None:
    genius.sync("quotes", full=True)
    sync = genius.sync("quotes", batch_size=5_000)
    changed, undated = 1, 2  # nothing; some rows, and nothing after them
    assert sync.strategy.name == "incremental"
    assert sync.usage.api_calls == CLOCK + changed + undated + COMPARISON
