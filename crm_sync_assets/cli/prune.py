"""`crm-sync history prune`: remove what is old and not needed any more."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import open_for_reading, print_json
from crm_sync_assets.errors import UsageError

if TYPE_CHECKING:
    from crm_sync_assets.operations.prune import Pruned
    from crm_sync_assets.orchestration.prune_runs import PrunedRuns

SHORT_DAYS = 7
SHORT_QUARANTINE_DAYS = 30


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    may_be_short = given.yes or given.dry_run
    age = _days("--older-than", given.older_than)
    _refuse_short("--older-than", age, SHORT_DAYS, may_be_short)
    quarantine_age = None
    if given.quarantine_older_than is not None:
        quarantine_age = _days("--quarantine-older-than", given.quarantine_older_than)
        _refuse_short(
            "--quarantine-older-than", quarantine_age, SHORT_QUARANTINE_DAYS, may_be_short
        )
    from crm_sync_assets.orchestration.instance import open_instance
    from crm_sync_assets.orchestration.jobs.prune import prune_all
    from crm_sync_assets.settings import environment
    from crm_sync_assets.warehouse.migrations import migrate

    now = datetime.now(UTC)
    warehouse = open_for_reading()
    migrate(warehouse)
    instance = open_instance(environment())
    try:
        pruned, runs, compacted = prune_all(
            instance,
            warehouse,
            before=now - age,
            quarantine_before=now - quarantine_age if quarantine_age else None,
            now=now,
            dry_run=given.dry_run,
        )
    finally:
        instance.dispose()
        warehouse.close()
    if given.json:
        print_json(
            {
                "dry_run": given.dry_run,
                **asdict(pruned),
                "runs": len(runs.gone),
                "runs_kept": runs.kept,
                "compacted": compacted,
            }
        )
        return exits.SUCCESS
    _print(pruned, runs, compacted, given)
    return exits.SUCCESS


def parser() -> Parser:
    found = Parser(
        prog="crm-sync history prune",
        description="Remove old rows of SyncHistory, old Dagster runs with their events and logs, "
        "and leftovers of interrupted syncs. What a later sync or a check still looks at stays, "
        "whatever its age. Syncs may run meanwhile.",
    )
    found.add_argument("--older-than", required=True, metavar="DAYS", help="90d, or 90")
    found.add_argument(
        "--quarantine-older-than",
        metavar="DAYS",
        help="also quarantine entries not seen since: records that were never stored",
    )
    found.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    found.add_argument("--yes", action="store_true", help="also for a short time")
    found.add_argument("--json", action="store_true", help="for programs")
    return found


def _print(pruned: Pruned, runs: PrunedRuns, compacted: bool, given: Namespace) -> None:
    said = "would be removed" if given.dry_run else "removed"
    entries = ", ".join(f"{name} {count}" for name, count in pruned.quarantine.items())
    lines = {
        "history rows": f"{pruned.history} {said}, {pruned.history_kept} old ones are needed",
        "Dagster runs": f"{len(runs.gone)} {said}, {runs.kept} old ones are needed"
        + ("; its files were compacted" if compacted else ""),
        "quarantine": f"{sum(pruned.quarantine.values())} entries {said}"
        + (f": {entries}" if entries else "")
        if given.quarantine_older_than is not None
        else "not asked for (--quarantine-older-than)",
        "leftovers": f"{pruned.keys} keys, {len(pruned.shadows)} shadow tables, "
        f"{pruned.rate_budgets} rate budgets, {pruned.alerts} told alerts, "
        f"{pruned.webhook_events} events of webhooks {said}",
    }
    for name, line in lines.items():
        print(f"{name:<13} {line}")


def _days(option: str, text: str) -> timedelta:
    number = text.removesuffix("d")
    if not number.isdigit() or not 0 < int(number) <= 36_500:
        raise UsageError(f"{option}: '{text}' is no number of days; write 90d")
    return timedelta(days=int(number))


def _refuse_short(option: str, age: timedelta, least: int, allowed: bool) -> None:
    if age < timedelta(days=least) and not allowed:
        raise UsageError(
            f"{option}: {age.days} days is less than {least}: what is removed cannot be brought "
            "back. See with --dry-run what would go; --yes does it"
        )
