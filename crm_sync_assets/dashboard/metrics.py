"""The board for Prometheus. deploy/grafana.json asks for these names, deploy/README.md has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from crm_sync_assets.dashboard.board import Board
from crm_sync_assets.dashboard.days import Day
from crm_sync_assets.dashboard.senders import Sender
from crm_sync_assets.dashboard.states import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RECORDS = {
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "failed": "records_failed",
}
STATUSES = ("success", "partial", "failed")

ENTITY = ("crm", "entity")
METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "crm_sync_up": ("1 if the warehouse could be read, else 0, and nothing else is told", ()),
    "crm_sync_entity_state": ("1 for the state that an entity is in", (*ENTITY, "state")),
    "crm_sync_running": ("1 while a sync of the entity runs", ENTITY),
    "crm_sync_complete_timestamp_seconds": ("End of the newest complete sync", ENTITY),
    "crm_sync_fresh_seconds": ("The age at which it is overdue, where one is expected", ENTITY),
    "crm_sync_watermark_timestamp_seconds": ("The moment up to which it is complete", ENTITY),
    "crm_sync_verified_timestamp_seconds": (
        "The moment up to which the newest verification proved it, 0 where it proved nothing",
        ENTITY,
    ),
    "crm_sync_duration_seconds": ("Of the newest sync that has not failed", ENTITY),
    "crm_sync_duration_baseline_seconds": ("Median of the last 20 of its strategy", ENTITY),
    "crm_sync_quarantined_records": ("Records in quarantine", ENTITY),
    "crm_sync_table_rows": ("About how many rows the table has", ENTITY),
    "crm_sync_today_syncs": ("Syncs that began today, UTC", (*ENTITY, "status")),
    "crm_sync_today_records": ("What they did to records", (*ENTITY, "outcome")),
    "crm_sync_today_api_requests": ("Requests of whatever began today, UTC", ENTITY),
    "crm_sync_today_rate_limit_hits": ("Answers 429 to them", ENTITY),
    "crm_sync_quota_used_units": ("Taken of the longest rate window", ("crm", "window")),
    "crm_sync_quota_limit_units": ("What that window holds", ("crm", "window")),
    "crm_sync_webhook_heard_timestamp_seconds": ("The newest proven delivery", ("crm",)),
    "crm_sync_webhook_events": ("Events that wait, or were given up", ("crm", "status")),
    "crm_sync_webhook_waiting_timestamp_seconds": ("Since when the oldest waits", ("crm",)),
    "crm_sync_webhook_refused_deliveries": ("Not proven within a day", ("crm", "reason")),
    "crm_sync_open_alerts": ("What the alert rules find wrong now", ("rule",)),
}
"""Name → meaning, labels. All are gauges: history is pruned, so that no total only grows."""

Sample = tuple[str, tuple[str, ...], float]


def exposition(board: Board | None) -> bytes:
    """The text that Prometheus reads; of no board, that there is none."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([("crm_sync_up", (), float(board is not None))], board))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, always: Iterable[Sample], board: Board | None) -> None:
        self._samples = [*always, *(_samples(board) if board is not None else ())]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = {
            name: GaugeMetricFamily(name, about, labels=labels)
            for name, (about, labels) in METRICS.items()
        }
        for name, labels, value in self._samples:
            families[name].add_metric(labels, value)
        yield from families.values()


def _samples(board: Board) -> Iterator[Sample]:
    today = board.now.astimezone(UTC).date()
    days = {(day.crm, day.sync_type): day for day in board.days if day.day == today}
    for state in board.states:
        yield from _of_state(state, board.now)
        entity = (state.entity.crm, state.entity.sync_type)
        yield from _of_day(entity, days.get(entity))
    for quota in board.quotas:
        yield "crm_sync_quota_used_units", (quota.crm, quota.window), quota.used
        yield "crm_sync_quota_limit_units", (quota.crm, quota.window), quota.limit
    for sender in board.webhooks:
        yield from _of_sender(sender)
    for rule, count in Counter(one.rule for one in board.findings).items():
        yield "crm_sync_open_alerts", (rule,), count


def _of_sender(sender: Sender) -> Iterator[Sample]:
    crm = (sender.crm,)
    if sender.heard_at is not None:
        yield "crm_sync_webhook_heard_timestamp_seconds", crm, sender.heard_at.timestamp()
    yield "crm_sync_webhook_events", (*crm, "pending"), sender.pending
    yield "crm_sync_webhook_events", (*crm, "failed"), sender.failed
    if sender.waiting_since is not None:
        yield "crm_sync_webhook_waiting_timestamp_seconds", crm, sender.waiting_since.timestamp()
    for reason, count in sender.refused.items():
        yield "crm_sync_webhook_refused_deliveries", (*crm, reason), count


def _of_day(entity: tuple[str, str], day: Day | None) -> Iterator[Sample]:
    """Of the entity's day; without any sync it is all zeros."""

    def told(name: str) -> float:
        return float(getattr(day, name)) if day is not None else 0.0

    for status in STATUSES:
        yield "crm_sync_today_syncs", (*entity, status), told(status)
    for outcome, field in RECORDS.items():
        yield "crm_sync_today_records", (*entity, outcome), told(field)
    yield "crm_sync_today_api_requests", entity, told("requests")
    yield "crm_sync_today_rate_limit_hits", entity, told("rate_limit_hits")


def _of_state(state: State, now: datetime) -> Iterator[Sample]:
    entity = (state.entity.crm, state.entity.sync_type)
    yield "crm_sync_entity_state", (*entity, state.word(now).replace(" ", "_")), 1
    yield "crm_sync_running", entity, state.is_running
    yield "crm_sync_quarantined_records", entity, state.quarantined
    if state.expected_every is not None:
        yield "crm_sync_fresh_seconds", entity, state.expected_every.total_seconds()
    moments = {
        "crm_sync_complete_timestamp_seconds": state.complete_at,
        "crm_sync_watermark_timestamp_seconds": state.watermark,
    }
    for name, moment in moments.items():
        if moment is not None:
            yield name, entity, moment.timestamp()
    if state.verified_at is not None:
        proven = state.verified_through
        yield (
            "crm_sync_verified_timestamp_seconds",
            entity,
            proven.timestamp() if proven is not None else 0,
        )
    if state.rows is not None:
        yield "crm_sync_table_rows", entity, state.rows
    if state.pace is not None:
        yield "crm_sync_duration_seconds", entity, state.pace.seconds
        if state.pace.baseline_seconds is not None:
            yield "crm_sync_duration_baseline_seconds", entity, state.pace.baseline_seconds
