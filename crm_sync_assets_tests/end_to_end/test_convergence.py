"""After mutations stop, one more delta makes the warehouse equal to HubSpot, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync_assets_tests.truth import HubSpotSyncs, differences


@pytest.fixture
def hubspot(sandbox: Any) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def test_first_sync_of_every_entity_is_the_truth(hubspot: HubSpotSyncs, sandbox: Any) -> None:
    syncs = hubspot.all()
    assert {name: s.status for name, s in syncs.items() if s.status != "success"} == {}
    assert all(s.counts.created == s.counts.processed for s in syncs.values())
    assert differences(sandbox, hubspot.warehouse) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_random_mutations_and_syncs_one_more_delta_is_the_truth(
    hubspot: HubSpotSyncs, sandbox: Any, seed: int
) -> None:
    sandbox.knobs.index_lag = 90
    hubspot.all()
    for turn in range(4):
        sandbox.move(40, seed=1_000 * seed + turn)
        sandbox.clock.advance(45)
        hubspot.all()
    sandbox.clock.advance(600)
    hubspot.all()
    hubspot.sync("contacts_removal", force=True)
    hubspot.sync("appointments_removal", force=True)
    assert differences(sandbox, hubspot.warehouse, purges_seen=False) == []
    hubspot.all(full=True, force=True)
    assert differences(sandbox, hubspot.warehouse) == []
