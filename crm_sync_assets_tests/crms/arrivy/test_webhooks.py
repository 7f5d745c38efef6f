"""What Arrivy tells of tasks is read, those long over and those that are gone included."""

from __future__ import annotations

from crm_sync_assets_tests.crms.arrivy.conftest import Bench
from crm_sync_assets_tests.receiver.senders import all_turns, telling


def test_what_is_told_of_tasks_is_the_truth_at_once(bench: Bench) -> None:
    bench.sync("tasks")
    first, second, third = bench.world.ids("tasks")[:3]
    with telling(bench) as sender:
        bench.world.book()
        bench.world.set_status(first, "COMPLETE")
        bench.world.plan(second, bench.sandbox.clock.now())
        bench.world.purge("tasks", third)
        assert bench.wrong("tasks") != []
        sender.send(twice=0.5, shuffle=True)
        taken = all_turns(bench.warehouse, bench.client)
    assert {one.status for one in taken} == {"success"}
    assert bench.wrong("tasks") == []
