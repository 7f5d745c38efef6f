"""`crm-sync history`: what was synced, and how it ended."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.tables import (
    check_crm,
    moment,
    open_for_reading,
    print_json,
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
    given = _parser().parse(words)
    check_crm(given.crm)
    rows, hidden = _found(given, since=moment(given.since) if given.since else None)
    if given.json:
        print_json(rows)
        return exits.SUCCESS
    columns = (
        "id", "entity", "strategy", "status", "started", "seconds", "processed", "created",
        "updated", "unchanged", "failed", "records/s", "complete up to",
    )  # fmt: skip
    print_table("SyncHistory (UTC)", columns, [_shown(row) for row in rows])
    for row in rows:
        if row["error_message"]:
            name = f"{row['crm_source']}.{row['sync_type']}"
            reason = f" ({row['reason']})" if row["reason"] else ""
            print(f"{row['id']} {name}{reason}: {one_line(redact(row['error_message']))}")
    if hidden and not given.trials:
        print(f"{hidden} trials are not shown; --trials shows them")
    return exits.SUCCESS


def _parser() -> Parser:
    parser = Parser(
        prog="crm-sync history",
        description="SyncHistory, the newest first. Trials (dry, limited and filtered runs, "
        "replays of the quarantine) are left out unless asked for. `crm-sync history prune --help` "
        "tells how to remove what is old.",
    )
    parser.add_argument("--crm", help="only this CRM")
    parser.add_argument("--entity", help="only this entity")
    parser.add_argument("--status", choices=["running", "success", "partial", "failed"])
    parser.add_argument("--since", metavar="WHEN", help="24h, 7d, 2025-01-31, 2025-01-31T12:00")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="most rows [20]")
    parser.add_argument("--trials", action="store_true", help="with trials")
    parser.add_argument("--json", action="store_true", help="all columns, for programs")
    return parser


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
        "entity": given.entity and given.entity.replace("-", "_"),
        "status": given.status,
        "since": since,
        "trials": given.trials,
        "limit": given.limit,
    }
    warehouse = open_for_reading()
    with warehouse.connection() as connection:
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
    warehouse.close()
    return rows, trials[0] if trials else 0


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    metrics, configuration = row["performance_metrics"], row["configuration"]
    seconds = (row["end_time"] - row["start_time"]).total_seconds() if row["end_time"] else None
    strategy = configuration.get("strategy") or ""
    kind = "" if row["kind"] == "sync" else row["kind"].replace("_", " ")
    return (
        str(row["id"]),
        f"{row['crm_source']}.{row['sync_type']}",
        f"{kind} {strategy}".strip(),
        row["status"],
        row["start_time"],
        seconds,
        row["records_processed"],
        row["records_created"],
        row["records_updated"],
        metrics.get("unchanged"),
        row["records_failed"],
        metrics.get("records_per_second"),
        row["watermark"],
    )
