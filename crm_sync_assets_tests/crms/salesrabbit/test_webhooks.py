"""What SalesRabbit tells is read, also when it says the same again: its events have no numbers."""

from __future__ import annotations

from crm_sync_assets_tests.crms.salesrabbit.conftest import Bench
from crm_sync_assets_tests.receiver.senders import all_turns, telling


def test_what_is_told_of_leads_is_the_truth_at_once(bench: Bench) -> None:
    bench.sync("leads")
    with telling(bench) as sender:
        lead = bench.world.create("leads", {"firstName": "Ann"})
        bench.world.edit("leads", bench.world.ids("leads")[0], {"lastName": "Bo"})
        bench.world.set_status(lead, "Sold")
        sender.send(twice=0.5, shuffle=True)
        all_turns(bench.warehouse, bench.client)
    assert bench.wrong("leads") == []


def test_a_status_that_comes_back_within_the_second_is_read_again(bench: Bench) -> None:
    bench.sync("leads")
    lead = bench.world.ids("leads")[0]
    with telling(bench) as sender:
        for status in ("Sold", "Go Back", "Sold"):
            bench.world.set_status(lead, status)
            assert sender.send() == 1
            (taken,) = all_turns(bench.warehouse, bench.client)
            assert taken.events == 1, status
            assert bench.rows("leads")[lead]["status"] == status
