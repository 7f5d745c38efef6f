"""What became of the webhooks of each CRM: heard, refused, waiting, given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crm_sync_assets.warehouse import webhook_tallies
from crm_sync_assets.warehouse.connection import Connection

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sender:
    """One CRM; `refused` are deliveries of the last day by reason, moments are None for none."""

    crm: str
    heard_at: datetime | None = None
    pending: int = 0
    failed: int = 0
    waiting_since: datetime | None = None
    refused: Mapping[str, int] = field(default_factory=dict)


def told_by(connection: Connection, crms: Collection[str], now: datetime) -> list[Sender]:
    """Those of these CRMs that anything was ever received of, proven or not."""
    heard = webhook_tallies.heard(connection)
    refused: dict[str, dict[str, int]] = {}
    for one in webhook_tallies.refused(connection, now - DAY):
        refused.setdefault(one.source, {})[one.reason] = one.deliveries
    open_events: dict[str, tuple[int, int, datetime | None]] = {
        crm: (pending, failed, since)
        for crm, pending, failed, since in connection.execute(
            "SELECT source, count(*) FILTER (WHERE status = 'pending'), "
            "count(*) FILTER (WHERE status = 'failed'), "
            "min(coalesce(waiting_since, received_at)) FILTER (WHERE status = 'pending') "
            "FROM ingestion_webhook_event WHERE status = 'pending' OR status = 'failed' GROUP BY 1"
        ).fetchall()
    }
    names = {*heard, *refused, *open_events} & set(crms)
    found = []
    for name in sorted(names):
        last = max((one.last for one in heard.get(name, ())), default=None)
        pending, failed, since = open_events.get(name, (0, 0, None))
        found.append(Sender(name, last, pending, failed, since, refused.get(name, {})))
    return found
