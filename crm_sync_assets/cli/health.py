"""`crm-sync health`: the last day, and whether the history keeps its own rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import (
    add_output,
    check_crm,
    open_for_reading,
    print_json,
    print_prose,
    print_table,
)

FEW = 5
"""So many entities are named without --wide."""


def parser() -> Parser:
    found = Parser(
        prog="crm-sync health",
        description="Syncs of the last 24 hours, the newest of every entity, whether the rows of "
        "SyncHistory keep its contract, and whether webhooks arrive and are read. Exit status 1 "
        "when something is off.",
    )
    found.add_argument("crm", nargs="?", help="only this CRM")
    add_output(found)
    return found


def run(words: Sequence[str]) -> int:
    """Print the report; 1 if something is off."""
    given = parser().parse(words)
    check_crm(given.crm)
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.health import examine
    from crm_sync_assets.settings import environment

    warehouse = open_for_reading()
    with warehouse.connection() as connection:
        report = examine(
            connection,
            registry.all_active(),
            crm=given.crm,
            now=datetime.now(UTC),
            refusals=environment().alert_webhook_refusals,
        )
    warehouse.close()
    if given.json:
        print_json(report.as_json())
        return exits.SUCCESS if report.healthy else exits.FAILED
    print_table(
        "The last 24 hours",
        ["crm", "syncs", "success", "partial", "failed", "running", "success %", "records",
         "in quarantine", "records failed"],
        [
            (c.crm, c.syncs, c.success, c.partial, c.failed, c.running, _percent(c.success_rate),
             c.records_processed, c.quarantined_now, c.records_failed)
            for c in report.crms
        ],
        nothing="no sync in the last 24 hours",
        wide=given.wide,
    )  # fmt: skip
    synced = [state for state in report.entities if state.newest_status]
    print_table(
        "Entities",
        ["entity", "newest", "ended", "complete up to", "in quarantine", "last success"],
        [
            (s.entity, s.newest_status, s.newest_end, s.watermark, s.quarantined, s.last_success)
            for s in synced
        ],
        nothing="no entity was ever synced",
        wide=given.wide,
    )
    never = [state.entity for state in report.entities if not state.newest_status]
    if never and synced:
        few = given.wide or len(never) <= FEW
        named = ", ".join(never) if few else f"{len(never)} entities; --wide names them"
        print_prose(f"never synced: {named}")
    for problem in report.problems:
        exits.say(str(problem))
    if report.healthy:
        print("healthy: every sync ended well, and the history keeps its contract")
    return exits.SUCCESS if report.healthy else exits.FAILED


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
