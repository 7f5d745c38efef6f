"""The service: its limits, its faults, its sessions, and what nobody may see of it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from crm_sync_assets.errors import Deferred, FatalError, TransientError, Unauthorized, UsageError
from crm_sync_assets_tests.crms.five9.conftest import Bench


def _limited(bench: Bench, most: int) -> None:
    bench.sandbox.knobs.turn({"five9_queries": most, "limits": True})
    bench.cut_at(7)


def test_a_share_of_every_limit_is_left_to_others(bench: Bench) -> None:
    """Of forty calls eight are left; then it waits as long as the window is."""
    _limited(bench, 40)
    bench.configure(budget_seconds=100)
    with pytest.raises(Deferred, match=r"32 of 40 calls of the kind Query.*20% are left"):
        bench.sync("contacts")
    row = bench.history()[-1]
    assert (row["reason"], bool(row["checkpoint"])) == ("quota", True)
    assert bench.waits == [60.0]
    assert sum("getContactRecords" in line for line in bench.questions()) < 32
    assert not bench.sandbox.ledger.count(status=500)


def test_without_counters_the_fault_is_waited_for(bench: Bench) -> None:
    _limited(bench, 40)
    bench.sandbox.knobs.five9_counters = False
    bench.configure(budget_seconds=200)
    with pytest.raises(Deferred, match="OperationsLimitExceededFault"):
        bench.sync("contacts")
    assert bench.waits == [60.0, 120.0]
    bench.sandbox.knobs.limits = False
    assert bench.sync("contacts").resumed
    assert bench.wrong() == []


def test_a_limit_that_others_have_used_is_waited_for_as_long_as_its_window(bench: Bench) -> None:
    bench.sandbox.faults.add("getContactRecords", status=500, body="limit")
    assert bench.sync("contacts").status == "success"
    assert bench.waits == [60.0]
    assert bench.history()[-1]["performance_metrics"]["rate_limit_hits"] == 1


@pytest.mark.parametrize("fault", ["internal", "unavailable", "concurrent", "session", "logged in"])
def test_a_fault_that_passes_is_tried_again(bench: Bench, fault: str) -> None:
    bench.sandbox.faults.add("getContactRecords", status=500, body=fault)
    assert bench.sync("contacts").status == "success"
    assert bench.history()[-1]["performance_metrics"]["retries"] == 1
    if fault == "logged in":
        assert min(bench.waits) >= 10
    bench.sandbox.faults.clear()
    bench.sandbox.faults.add("getContactRecords", on="all", status=500, body=fault)
    with pytest.raises(TransientError):
        bench.sync("contacts", full=True)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("account", Unauthorized, "InvalidAccountFault.*FIVE9_USERNAME and FIVE9_PASSWORD"),
        ("argument", FatalError, "IncorrectArgumentFault"),
        ("missed", FatalError, "MissedArgumentFault"),
    ],
)
def test_a_fault_that_stays_is_not_tried_again(
    bench: Bench, fault: str, error: type[FatalError], said: str
) -> None:
    bench.cut_at(7)
    bench.sandbox.faults.add("getContactRecords contactID=1005%", status=500, body=fault)
    with pytest.raises(error, match=said):
        bench.sync("contacts")
    assert bench.waits == []


def test_a_fault_that_nobody_knows_is_final_and_named(bench: Bench) -> None:
    from crm_sync_assets.sandbox.crms.five9.soap import fault

    unknown = fault("ServerFault", "odd").replace("ServerFault", "SomethingNewFault")
    bench.sandbox.faults.add("getContactRecords", status=500, body=unknown)
    with pytest.raises(FatalError, match="SomethingNewFault: odd"):
        bench.sync("contacts")


def test_sessions_are_closed_in_the_end_if_anything_was_asked_for(bench: Bench) -> None:
    bench.client.close()
    assert bench.questions() == []
    bench.connect()
    bench.sync("contacts")
    bench.client.close()
    assert bench.questions()[-1] == "closeSession"


def test_a_session_that_cannot_be_closed_ends_by_itself(bench: Bench) -> None:
    bench.sync("contacts")
    bench.sandbox.faults.add("closeSession", on="all", drop=True)
    bench.client.close()
    assert bench.questions().count("closeSession") == 1


def test_the_wsdl_is_asked_for_once(bench: Bench) -> None:
    for _ in range(2):
        bench.sync("contacts")
    assert sum(line.startswith("wsdl") for line in bench.questions()) == 1


def test_a_page_in_place_of_the_wsdl_is_no_wsdl(bench: Bench) -> None:
    bench.sandbox.faults.add("wsdl", on="all", body="<html/>")
    with pytest.raises(FatalError, match="the WSDL of /wsadmin/v13/AdminWebService cannot be used"):
        bench.sync("contacts")


def test_credentials_are_in_no_log_and_no_message(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    env = bench.sandbox.env()
    secret = env["FIVE9_PASSWORD"]
    with caplog.at_level(logging.DEBUG):
        bench.sync("contacts")
        bench.sandbox.faults.add("getContactRecords", on="all", status=500, body=f"<a>{secret}</a>")
        with pytest.raises(TransientError) as raised:
            bench.sync("contacts", full=True)
        bench.client.close()
    assert secret not in f"{caplog.text} {raised.value} {bench.history()}"
    assert "Basic " not in caplog.text
    assert "Envelope" not in caplog.text


def test_no_command_waits_for_zeep_before_it_is_needed() -> None:
    program = (
        "import sys; from crm_sync_assets.crms.five9 import CRM; "
        "import crm_sync_assets.crms.five9.client; "
        "print([n for n in ('zeep', 'lxml') if n in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FIVE9_VERSION", "13", "write it like v13"),
        ("FIVE9_MOST_RECORDS", "many", "give a number from 2 on"),
        ("FIVE9_MOST_RECORDS", "1001", "has more than 1000, so that one which is cut"),
        ("FIVE9_TZ", "Ohio", "no time zone"),
        ("FIVE9_TZ", "", "FIVE9_TZ is not set"),
        ("FIVE9_USERNAME", "", "FIVE9_USERNAME is not set"),
        ("FIVE9_PASSWORD", "", "FIVE9_PASSWORD is not set"),
    ],
)
def test_settings_that_cannot_be_are_named_before_anything_is_asked(
    bench: Bench, variable: str, value: str, said: str
) -> None:
    before = bench.environment
    before.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        bench.connect()
    for name, right in bench.sandbox.env().items():
        before.setenv(name, right)
    for name in ("FIVE9_VERSION", "FIVE9_MOST_RECORDS"):
        before.delenv(name, raising=False)
    bench.connect()
    assert bench.questions() == []


def test_who_answers_is_said_in_one_line(bench: Bench) -> None:
    said = bench.client.check()
    assert "48 contact fields and 4 lists" in said
    assert "America/Los_Angeles" in said
