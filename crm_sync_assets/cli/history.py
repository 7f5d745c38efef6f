"""`crm-sync history`: what was synced, and how it ended."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.tables import (
    add_output,
    check_crm,
    check_entity,
    moment,
    open_for_reading,
    print_json,
    print_prose,
    print_table,
)
from crm_sync_assets.redaction import one_line, redact

COLUMNS = (
    "id, crm_source, sync_type, endpoint, start_time, end_time, status, kind, "
    "records_processed, records_created, records_updated, records_failed, reason, "
    "error_message, configuration, "
    "performance_metrics, run_id, watermark, heartbeat"
)


def run(words: Sequence[str]) -> int:
    """Print the newest rows first, or prune old ones."""
    if words and words[0] == "prune":
        from crm_sync_assets.cli import prune

        return prune.run(words[1:])
    given = parser().parse(words)
    check_crm(given.crm)
    rows, hidden = _found(given, since=moment(given.since) if given.since else None)
    if given.json:
        print_json(rows)
        return exits.SUCCESS
    shown = [_shown(row) for row in rows]
    if given.trials:
        # Nothing else tells a trial from a sync.
        shown = [{name: one[name] for name in ("id", "entity", "what")} | one for one in shown]
    print_table(
        "SyncHistory, the newest first",
        list(shown[0]) if shown else [],
        [list(one.values()) for one in shown],
        nothing="no sync of this kind yet",
        wide=given.wide,
    )
    for row in rows:
        if row["error_message"]:
            name = f"{row['crm_source']}.{row['sync_type']}"
            reason = f" ({row['reason']})" if row["reason"] else ""
            print_prose(f"{row['id']} {name}{reason}: {one_line(redact(row['error_message']))}")
    if hidden and not given.trials:
        print(f"{hidden} trials are not shown; --trials shows them")
    return exits.SUCCESS


def parser() -> Parser:
    found = Parser(
        prog="crm-sync history",
        description="SyncHistory, the newest first. Trials (dry, limited and filtered runs, "
        "replays of the quarantine) are left out unless asked for. `crm-sync history prune --help` "
        "tells how to remove what is old.",
    )
    found.add_argument("--crm", help="only this CRM")
    found.add_argument("--entity", help="only this entity")
    found.add_argument("--status", choices=["running", "success", "partial", "failed"])
    found.add_argument("--since", metavar="WHEN", help="24h, 7d, 2025-01-31, 2025-01-31T12:00")
    found.add_argument("--limit", type=positive, default=20, metavar="N", help="most rows [20]")
    found.add_argument("--trials", action="store_true", help="with trials")
    add_output(found)
    return found


def _found(given: Namespace, *, since: datetime | None) -> tuple[list[dict[str, Any]], int]:
    """The rows asked for, the newest first, and how many trials there are among all like them."""
    from crm_sync_assets.warehouse.kinds import TRIAL

    conditions = (
        "(%(crm)s::text IS NULL OR crm_source = %(crm)s) "
        "AND (%(entity)s::text IS NULL OR sync_type = %(entity)s) "
        "AND (%(status)s::text IS NULL OR status = %(status)s) "
        "AND (%(since)s::timestamptz IS NULL OR start_time >= %(since)s)"
    )
    values = {
        "crm": given.crm,
        "status": given.status,
        "since": since,
        "trials": given.trials,
        "limit": given.limit,
    }
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        values["entity"] = check_entity(connection, given.crm, given.entity)
        cursor = connection.execute(
            f"SELECT {COLUMNS} FROM ingestion_sync_history "  # noqa: S608  constants
            f"WHERE {conditions} AND (%(trials)s OR NOT {TRIAL}) "
            "ORDER BY start_time DESC, id DESC LIMIT %(limit)s",
            values,
        )
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        trials = connection.execute(
            f"SELECT count(*) FROM ingestion_sync_history WHERE {conditions} "  # noqa: S608
            f"AND {TRIAL}",
            values,
        ).fetchone()
    return rows, trials[0] if trials else 0


def _shown(row: dict[str, Any]) -> dict[str, object]:
    """What is shown of a row, by column: what matters most comes first."""
    metrics, configuration = row["performance_metrics"], row["configuration"]
    seconds = (row["end_time"] - row["start_time"]).total_seconds() if row["end_time"] else None
    strategy = configuration.get("strategy") or ""
    kind = "" if row["kind"] == "sync" else row["kind"].replace("_", " ")
    return {
        "id": str(row["id"]),
        "entity": f"{row['crm_source']}.{row['sync_type']}",
        "status": row["status"],
        "started": row["start_time"],
        "records": row["records_processed"],
        "created": row["records_created"],
        "updated": row["records_updated"],
        "failed": row["records_failed"],
        "what": f"{kind} {strategy}".strip(),
        "seconds": seconds,
        "unchanged": metrics.get("unchanged"),
        "records/s": metrics.get("records_per_second"),
        "complete up to": row["watermark"],
    }
