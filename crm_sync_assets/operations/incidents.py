"""Incidents, the rows of `ingestion_alert`, and how they are worded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crm_sync_assets.operations.alert_rules import Look
from crm_sync_assets.operations.channels import Channels
from crm_sync_assets.operations.findings import minute
from crm_sync_assets.warehouse.connection import Connection

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of `ingestion_alert`."""

    id: int
    rule: str
    subject: str
    since: datetime
    what: str
    advice: str
    size: int
    opened_at: datetime
    told_at: datetime | None
    told_size: int | None
    closed_at: datetime | None
    recovery_told_at: datetime | None


# Incidents

_COLUMNS = (
    "id, rule, subject, since, what, advice, size, opened_at, told_at, told_size, closed_at, "
    "recovery_told_at"
)


def incidents(connection: Connection, *, closed: bool = False, limit: int = 1000) -> list[Incident]:
    """The open ones, the oldest first; with `closed` the newest of all first."""
    which, order = ("true", "opened_at DESC, id DESC") if closed else ("closed_at IS NULL", "id")
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ingestion_alert WHERE {which} "  # noqa: S608  constants
        f"ORDER BY {order} LIMIT %s",
        (limit,),
    ).fetchall()
    connection.commit()
    return [Incident(*row) for row in rows]


def record(connection: Connection, found: Look, *, now: datetime) -> None:
    """Open, bring up to date and close incidents, in one transaction."""
    with connection.transaction():
        for finding in found.findings:
            connection.execute(
                "INSERT INTO ingestion_alert (rule, subject, since, what, advice, size, opened_at) "
                "VALUES (%(rule)s, %(subject)s, %(since)s, %(what)s, %(advice)s, %(size)s, "
                "%(now)s) "
                "ON CONFLICT (rule, subject) WHERE closed_at IS NULL DO UPDATE "
                "SET what = excluded.what, advice = excluded.advice, size = excluded.size "
                "WHERE (ingestion_alert.what, ingestion_alert.size) "
                "IS DISTINCT FROM (excluded.what, excluded.size)",
                {
                    "rule": finding.rule,
                    "subject": finding.subject,
                    "since": finding.since,
                    "what": finding.what,
                    "advice": finding.advice,
                    "size": finding.size,
                    "now": now,
                },
            )
        on = {(finding.rule, finding.subject) for finding in found.findings} | found.held
        over = [
            row[0]
            for row in connection.execute(
                "SELECT id, rule, subject FROM ingestion_alert WHERE closed_at IS NULL"
            )
            if (row[1], row[2]) not in on
        ]
        if over:
            connection.execute(
                "UPDATE ingestion_alert SET closed_at = %s WHERE id = ANY(%s)", (now, over)
            )


def tell(
    connection: Connection, targets: Channels, *, repeat: timedelta, now: datetime
) -> tuple[int, int]:
    """Send what is due, alerts and recoveries in a message each; (told, untold)."""
    if not targets:
        # Nobody to tell, then or later: who sets up channels is told what is open by then.
        connection.execute(
            "UPDATE ingestion_alert SET recovery_told_at = closed_at "
            "WHERE closed_at IS NOT NULL AND recovery_told_at IS NULL"
        )
        connection.commit()
        return 0, 0
    due = [
        one
        for one in incidents(connection)
        if one.told_at is None
        or now - one.told_at >= repeat
        or (one.rule == "quarantine" and one.size >= 2 * max(one.told_size or 0, 1))
    ]
    over = [
        Incident(*row)
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM ingestion_alert "  # noqa: S608  constants
            "WHERE closed_at IS NOT NULL AND recovery_told_at IS NULL ORDER BY id"
        )
    ]
    connection.commit()
    told = 0
    if due and targets.send(_title(due, "problem"), _text(due, _open_line)):
        connection.execute(
            "UPDATE ingestion_alert SET told_at = %s, told_size = size WHERE id = ANY(%s)",
            (now, [one.id for one in due]),
        )
        connection.commit()
        told += len(due)
    if over and targets.send(_title(over, "recovered"), _text(over, _over_line), is_good=True):
        connection.execute(
            "UPDATE ingestion_alert SET recovery_told_at = %s WHERE id = ANY(%s)",
            (now, [one.id for one in over]),
        )
        connection.commit()
        told += len(over)
    return told, len(due) + len(over) - told


def _title(these: Sequence[Incident], word: str) -> str:
    subject = these[0].subject if len(these) == 1 else f"{len(these)} subjects"
    return f"crm_sync {word}: {subject}"


def _text(these: Sequence[Incident], line: Callable[[Incident], str]) -> str:
    lines = [line(one) for one in these[:MOST_SHOWN]]
    if len(these) > MOST_SHOWN:
        lines.append(f"and {len(these) - MOST_SHOWN} more; see crm-sync alerts list")
    return "\n\n".join(lines)


def _open_line(one: Incident) -> str:
    still = "still, " if one.told_at else ""
    times = f", {one.size} times in a row" if one.rule == "failed" and one.size > 1 else ""
    return f"{one.subject}: {still}{one.what}\nsince {minute(one.since)}{times}\nnext: {one.advice}"


def _over_line(one: Incident) -> str:
    assert one.closed_at is not None
    unheard = "" if one.told_at else " (no channel took the alert when it began)"
    return (
        f"{one.subject}: over. It was: {one.what}\n"
        f"from {minute(one.since)} to {minute(one.closed_at)}{unheard}"
    )
