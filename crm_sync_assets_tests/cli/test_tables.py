"""Tables at a terminal of 80 columns: what matters is there, and no number is cut."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.tables import print_table
from crm_sync_assets.cli.times import ago, span
from crm_sync_assets.declarations import registry
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run
from crm_sync_assets_tests.past import add

__all__ = ["run"]

LONGEST = max(registry.all_entities().values(), key=lambda entity: len(entity.name))
COUNT = 1_234_567_890
TABLES = ("history", "history --trials", "health", "quarantine list", "alerts list", "entities")
EMPTY = {
    "history": "no sync of this kind yet",
    "health": "no sync in the last 24 hours",
    "quarantine list": "the quarantine holds nothing of that kind",
    "alerts list": "no incident yet",
}


@pytest.fixture
def narrow(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("COLUMNS", "80")


@pytest.fixture
def full(warehouse: Warehouse, narrow: None) -> Warehouse:
    """Everything a table may show, with the longest names and large numbers."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "crm_source": LONGEST.crm,
        "sync_type": LONGEST.sync_type,
        "start_time": now - timedelta(minutes=3),
        "end_time": now,
        "watermark": now - timedelta(hours=1),
        "records_processed": COUNT,
        "records_created": COUNT,
        "configuration": {"strategy": "initial_full"},
        "performance_metrics": {"unchanged": COUNT, "records_per_second": 12345.6},
    }
    add(warehouse, **values)
    add(warehouse, **{**values, "kind": "dry_run"})
    add(warehouse, **{**values, "status": "failed", "error_message": "no " * 80})
    failure = Failure("x" * 60, "parse", "the key id " * 20, "id", {"id": 1}, None)
    with warehouse.connection() as connection:
        quarantine.add(connection, LONGEST, None, [failure])
        connection.execute(
            "INSERT INTO ingestion_alert (rule, subject, since, what, advice, opened_at) "
            "VALUES ('failure_rate', %s, now(), %s, 'look', now())",
            (LONGEST.name, "what is wrong with it " * 9),
        )
        connection.commit()
    return warehouse


@pytest.mark.parametrize("command", TABLES)
def test_no_line_is_longer_than_the_terminal_and_nothing_is_cut(
    run: Run, full: Warehouse, command: str
) -> None:
    _, out, _ = run(*command.split())
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "…" not in out
    assert "ago" in out or command not in ("history", "health", "alerts list")
    assert LONGEST.name in out, "the name stands first and whole"
    if command.startswith("history"):
        assert f"{COUNT:,}" in out or "dry run" in out
        assert "--wide shows more: " in out


@pytest.mark.parametrize("command", TABLES)
def test_wide_shows_every_column_and_moments_in_utc(
    run: Run, full: Warehouse, command: str
) -> None:
    _, out, _ = run(*command.split(), "--wide")
    assert "--wide shows more" not in out
    assert " ago" not in out
    assert f"{datetime.now(UTC):%Y-%m-%d}" in out or command == "entities"
    if command == "history":
        assert out.count(f"{COUNT:,}") == 3 * 2
        assert "complete up to" in out


@pytest.mark.parametrize("command", EMPTY)
def test_nothing_is_said_in_words(
    run: Run, narrow: None, warehouse: Warehouse, command: str
) -> None:
    _, out, _ = run(*command.split())
    assert out.splitlines()[0] == EMPTY[command]


@pytest.mark.parametrize(
    "command", ["history --entity", "quarantine list --entity", "quarantine replay --entity"]
)
def test_an_entity_that_there_is_not_is_refused_with_the_nearest(
    run: Run, warehouse: Warehouse, command: str
) -> None:
    for words in (command.split(), [*command.split(), "contcts", "--crm", "hubspot"]):
        status, out, err = run(*(words if len(words) > 3 else [*words, "contcts"]))
        assert (status, out) == (exits.USAGE, "")
        assert "did you mean 'contacts'?" in err
    add(warehouse, sync_type="of_a_plugin_that_is_gone")
    assert run(*command.split(), "of-a-plugin-that-is-gone")[0] == exits.SUCCESS
    assert run(*command.split(), "deals", "--crm", "callrail")[0] == exits.USAGE


def test_json_has_everything_whatever_the_terminal(run: Run, full: Warehouse) -> None:
    _, out, _ = run("history", "--json")
    [first, _] = json.loads(out)
    assert first["records_processed"] == COUNT
    assert datetime.fromisoformat(first["start_time"]).tzinfo


def test_a_name_stays_whole_and_prose_folds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table("T", ["name", "why", "more"], [("a" * 20, "word " * 9, "b" * 9)], nothing="none")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[2].startswith("a" * 20 + "  word word")
    assert lines[-1] == "--wide shows more: more"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (89, "89 s"), (180, "3 min"), (5400, "2 h"), (3 * 86400, "3 d")],
)
def test_spans_have_one_unit(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_a_moment_is_told_by_its_distance() -> None:
    now = datetime(2025, 6, 1, tzinfo=UTC)
    assert ago(now - timedelta(minutes=3), now) == "3 min ago"
    assert ago(now + timedelta(minutes=3), now) == "in 3 min"
