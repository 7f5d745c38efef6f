"""What LeadConduit tells names no record that could be read: a delta brings it, and it is done."""

from __future__ import annotations

from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets_tests.crms.leadconduit.conftest import Bench
from crm_sync_assets_tests.receiver.senders import all_turns, telling
from crm_sync_assets_tests.scripted import rows


def test_a_lead_is_told_and_the_next_delta_has_it(bench: Bench) -> None:
    bench.sync("leads")
    with telling(bench) as sender:
        lead = bench.world.submit({"first_name": "Ann"})
        assert sender.send(twice=1.0) == 2
    assert all_turns(bench.warehouse, bench.client) == []
    with bench.warehouse.connection() as connection:
        (waiting,) = webhook_events.waiting(connection)
    assert (waiting.entity, waiting.events, waiting.named) == ("leads", 1, 0)
    bench.pass_time(3_600)
    bench.sync("leads")
    assert bench.wrong("leads") == []
    assert any(lead in key for key in bench.rows("leads"))
    # The warehouse's clock is not the sandbox's, which stands still in the past.
    with bench.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_webhook_event SET received_at = '2026-11-20 17:30:00+00'"
        )
        connection.commit()
    (taken,) = all_turns(bench.warehouse, bench.client)
    assert (taken.settled, taken.events) == (1, 0)
    assert rows(bench.warehouse, "SELECT status FROM ingestion_webhook_event") == [("done",)]
