"""What is read of an org, in which order, and how often it is asked."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.salesforce.conftest import DAY, ENTITIES, Bench
from crm_sync_assets_tests.crms.salesforce.truth import OBJECTS


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_every_object_is_read_whole_and_then_by_what_changed(bench: Bench, entity: Entity) -> None:
    name = entity.sync_type
    told = bench.sync(name)
    assert told.counts.created == told.counts.processed > 0
    assert bench.wrong(name) == []
    bench.pass_time(700)
    bench.sandbox.crms["salesforce"].move(60, 3)
    bench.pass_time(700)
    bench.sandbox.ledger.reset()
    assert bench.sync(name).strategy.name == "incremental"
    assert bench.wrong(name, purges_seen=False) == []
    paths = [one.path.rpartition("v67.0/")[2] for one in bench.asked("/services/data")]
    gone = [] if name == "users" else [f"sobjects/{OBJECTS[name]}/deleted/"]
    # Which org it is, what its object has, what its user may see, what changed, what is gone.
    known = ["query", f"sobjects/{OBJECTS[name]}/describe", "query"]
    assert paths[: 4 + len(gone)] == [*known, "queryAll", *gone]
    # Of what is gone for good one more tells whether it came back.
    assert paths[4 + len(gone) :] in ([], ["queryAll"])
    bench.pass_time(3_600)
    again = bench.sync(name, full=True)
    assert again.status == "success"
    assert bench.wrong(name) == []


def test_what_is_deleted_for_good_is_in_a_list_of_its_own(bench: Bench) -> None:
    bench.sync("leads")
    gone, back, *_ = bench.world.ids("Lead")
    bench.pass_time(600)
    for one in (gone, back):
        bench.world.archive("Lead", one)
    bench.world.purge("Lead", gone)
    bench.world.restore("Lead", back)
    # The list is read from where it was read to, however long ago that is.
    bench.pass_time(2 * DAY)
    told = bench.sync("leads")
    assert told.strategy.name == "incremental"
    assert bench.rows("leads")[gone]["deleted_at"] is not None
    assert bench.wrong("leads") == []
