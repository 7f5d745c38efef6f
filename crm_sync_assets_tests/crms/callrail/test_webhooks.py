"""What CallRail tells is read: also when it says the same again, and of what is listed no more."""

from __future__ import annotations

from crm_sync_assets_tests.crms.callrail.conftest import DAY, Bench
from crm_sync_assets_tests.receiver.senders import all_turns, telling


def test_what_is_told_of_calls_and_forms_is_the_truth_at_once(bench: Bench) -> None:
    for name in ("calls", "form_submissions"):
        bench.sync(name)
    old = bench.world.ids("calls")[0]
    with telling(bench) as sender:
        bench.world.begin_call(note="new")
        bench.world.edit("calls", old, {"note": "called back", "value": "$5.00"})
        bench.world.create("form_submissions", {"form_data": {"email": "a@example.com"}})
        assert bench.wrong("calls") != []
        sender.send(twice=0.5, shuffle=True)
        all_turns(bench.warehouse, bench.client)
    assert bench.wrong("calls") == bench.wrong("form_submissions") == []


def test_an_edit_that_is_taken_back_and_made_again_is_read_each_time(bench: Bench) -> None:
    """The body of the third delivery is that of the first: its moment is that of the call. No delta
    reads so old a call.
    """
    bench.sync("calls")
    old = bench.world.ids("calls")[0]
    with telling(bench) as sender:
        for note in ("one", "two", "one"):
            bench.pass_time(DAY)
            bench.world.edit("calls", old, {"note": note})
            assert sender.send() == 1
            (taken,) = all_turns(bench.warehouse, bench.client)
            assert (taken.events, taken.counts.updated) == (1, 1), note
            assert bench.rows("calls")[old]["note"] == note


def test_a_call_that_is_listed_no_more_is_kept_whoever_asks_for_it(bench: Bench) -> None:
    bench.sync("calls")
    call = bench.world.ids("calls")[0]
    with telling(bench) as sender:
        bench.world.edit("calls", call, {"note": "spam"})
        bench.world.spam(call)
        sender.send()
        (taken,) = all_turns(bench.warehouse, bench.client)
    assert (taken.counts.unchanged, taken.counts.deleted, taken.status) == (1, 0, "success")
    assert bench.rows("calls")[call]["deleted_at"] is None
    assert bench.wrong("calls") == []
