"""What a person sees at a terminal of 80 columns: bars that move, and an end that is clean."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.bars import Bars, whole_left
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.operations.expected import Expected, expected
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.cli.pseudo import COLUMNS, Terminal
from crm_sync_assets_tests.warehouse.test_history import add

COUNT = re.compile(r"hubspot\.contacts\s.*?([\d,]+)\s+[\d,]+/s")
CONTACTS = registry.entity("hubspot.contacts")
COMPANIES = registry.entity("hubspot.companies")


def counts(shown: str) -> set[str]:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    return {found for found in COUNT.findall(plain) if found != "0"}


def test_the_bar_moves_during_a_sync_and_ctrl_c_ends_it_in_one_line(
    sandbox: Sandbox, warehouse: Warehouse
) -> None:
    """Dagster's capture of output once held the bars back, and its helpers died with tracebacks."""
    sandbox.knobs.turn({"latency": 1})
    terminal = Terminal("-m", "crm_sync_assets.cli", "hubspot", "contacts", "companies", "--full")
    assert terminal.until(lambda shown: len(counts(shown)) >= 2), terminal.shown
    before = len(terminal.lines)
    assert max(map(len, terminal.lines)) <= COLUMNS
    assert any("asking hubspot" in line for line in terminal.lines), "from the first moment on"
    assert any("0 of 2 done" in line for line in terminal.lines)
    terminal.press_ctrl_c()
    assert terminal.end() == exits.CANCELLED
    drawn = ("hubspot.contacts ", "of 2 done", "^C")
    said = [line for line in terminal.lines[before:] if not any(part in line for part in drawn)]
    assert said == [
        "crm-sync: cancelled: 0 of 2 entities were synced; the next sync resumes from the "
        "checkpoint",
    ]
    for word in ("Traceback", "KeyboardInterrupt", "WARNING", "failed"):
        assert word not in terminal.shown
    assert terminal.is_restored
    terminal.close()
    with warehouse.connection() as connection:
        rows = connection.execute(
            "SELECT status, reason FROM ingestion_sync_history WHERE sync_type = 'contacts'"
        ).fetchall()
    assert rows == [("failed", "cancelled")]


def test_what_is_left_is_known_when_it_is_known_of_everything() -> None:
    assert whole_left({"a": 30.0, "b": 150.0}) == "~3 min left"
    assert whole_left({"a": 30.0, "b": None}) == ""
    assert whole_left({}) == ""


def test_what_a_sync_will_take_is_what_the_last_complete_one_of_its_kind_took(
    warehouse: Warehouse,
) -> None:
    def add_one(records: int, strategy: str, **values: Any) -> None:
        configuration = {"strategy": strategy}
        row = {"crm_source": "hubspot", "sync_type": "contacts", "records_processed": records}
        add(warehouse, **row, configuration=configuration, **values)

    add_one(5000, "initial_full", start_time="2025-01-01", end_time="2025-01-01 00:01:00")
    add_one(7, "incremental", start_time="2025-01-02", end_time="2025-01-02 00:00:02")
    add_one(9, "incremental", start_time="2025-01-03", end_time="2025-01-03", status="failed")
    add_one(3, "incremental", start_time="2025-01-04", end_time="2025-01-04", kind="dry_run")
    with warehouse.connection() as connection:
        both = [CONTACTS, COMPANIES]
        assert expected(connection, both, Flags()) == {"hubspot.contacts": Expected(7, 2.0)}
        full = expected(connection, both, Flags(full=True))
        assert full == {"hubspot.contacts": Expected(5000, 60.0)}
        assert expected(connection, both, Flags(max_records=5)) == {}


class Timing:
    elapsed = 10.0


class Running:
    """What bars ask of a sync."""

    def __init__(self, name: str, processed: int, *, status: str = "running") -> None:
        self.entity = registry.entity(name)
        self.sync_id = len(name)
        self.status = status
        self.total: int | None = None
        self.timing = Timing()
        self.counts = type("Counts", (), {"processed": processed})


def test_lines_fit_and_only_running_entities_have_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("FORCE_COLOR", "1")
    longest = max(registry.all_entities(), key=len)
    entities = [registry.entity(longest), CONTACTS]
    known = {longest: Expected(12_345_678, 100.0), "hubspot.contacts": Expected(10, 60.0)}
    with Bars(entities, known) as bars:
        told: Any = Running(longest, 1_234_567)
        bars._show(told)
        bars._progress.refresh()
        assert [task.description for task in bars._progress.tasks] == ["all", longest]
        assert bars._progress.tasks[0].fields["left"] == "~3 min left"
        bars._show(Running(longest, 1_234_567, status="success"))  # type: ignore[arg-type]
        assert [task.description for task in bars._progress.tasks] == ["all"]
        assert bars._progress.tasks[0].fields["counts"] == "1 of 2 done"
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    lines = shown.replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert any("1,234,567/12,345,678" in line and "123,457/s" in line for line in lines)
