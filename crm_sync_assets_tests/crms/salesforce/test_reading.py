"""What is read of an org, in which order, and how often it is asked."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

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
    # Of what is gone for good one more tells whether it came back; what may be seen is asked again.
    assert paths[4 + len(gone) :] in (["query"], ["queryAll", "query"])
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
    at = bench.sandbox.clock.now().replace(microsecond=0)
    bench.world.purge("Lead", gone)
    bench.world.restore("Lead", back)
    # The list is read from where it was read to, however long ago that is.
    bench.pass_time(2 * DAY)
    told = bench.sync("leads")
    assert told.strategy.name == "incremental"
    assert bench.rows("leads")[gone]["deleted_at"] == at
    assert bench.wrong("leads") == []
    bench.pass_time(700)
    bench.sync("leads")
    *_, before, last = (parse_qs(one.query) for one in bench.asked("/deleted"))
    assert last["start"] == before["end"]


def test_what_comes_meanwhile_is_no_reason_to_list_all(bench: Bench) -> None:
    """A count of what was there before proves that all of it was read."""
    bench.configure(page_size=20)
    bench.pass_time(700)

    def create(_: Any) -> None:
        bench.sandbox.clock.advance(5)
        bench.world.create("Contact", {"LastName": "New"})

    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on=3, callback=create)
    bench.sync("contacts", full=True)
    assert len([one for one in bench.queries() if "COUNT" in one]) == 2
    assert not [one for one in bench.queries() if "ORDER+BY+Id" in one]
    assert bench.wrong("contacts") == []


def test_what_is_deleted_after_it_was_read_first_is_marked(bench: Bench) -> None:
    bench.configure(page_size=20, load_rows=20, prefetch_pages=1)
    bench.pass_time(700)

    def archive(_: Any) -> None:
        bench.sandbox.clock.advance(5)
        bench.world.archive("Contact", min(bench.rows("contacts")))

    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on=4, callback=archive)
    assert bench.sync("contacts").counts.deleted == 1
    assert bench.wrong("contacts") == []


def test_records_by_their_ids_come_in_answers_of_any_length(bench: Bench) -> None:
    bench.sandbox.knobs.turn({"salesforce_page_size": 7})
    ids = bench.world.ids("Contact")
    assert len(ids) > 21
    bench.world.archive("Contact", ids[-1])
    pages = bench.by_key(bench.entity("contacts"), *ids)
    assert {one["Id"] for page in pages for one in page.records} == {*ids[:-1]}
    assert [one.key for page in pages for one in page.tombstones] == [(ids[-1],)]


def test_what_a_query_had_as_deleted_is_not_asked_for_again(bench: Bench) -> None:
    bench.sync("leads")
    bench.pass_time(700)
    bench.world.archive("Lead", bench.world.ids("Lead")[0])
    bench.pass_time(700)
    bench.sandbox.ledger.reset()
    assert bench.sync("leads").counts.deleted == 1
    assert len(bench.queries()) == 1
    assert len(bench.asked("/deleted")) == 1
