"""Who is told when syncs go wrong: one alert per incident, and a word when it is over.

Rules look at SyncHistory and find what is wrong now. An incident, a row of `ingestion_alert`, is
what a rule finds about one subject, from its first sign to its end; it stays untold until some
channel took it. A crash between a channel's answer and our note tells it twice, never not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, Unavailable, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.operations import channels
from crm_sync_assets.operations.alert_rules import declared_settings, look
from crm_sync_assets.operations.channels import Channels
from crm_sync_assets.operations.findings import shown
from crm_sync_assets.operations.incidents import Incident, incidents, record, tell
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Warehouse, message_of

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is open; `untold` counts messages no channel took. `skipped`: another one is at it."""

    open: Sequence[Incident]
    told: int = 0
    untold: int = 0
    skipped: bool = False


# An evaluation


def evaluate(
    warehouse: Warehouse,
    targets: Channels,
    entities: Mapping[str, Entity],
    *,
    silence: timedelta,
    limits: Limits,
    repeat: timedelta,
    settings: Callable[[Entity], SyncSettings],
    now: datetime | None = None,
) -> Evaluation:
    """Look, note, tell. Of two at once one does so, and the other says what is open."""
    now = now or datetime.now(UTC)
    with (
        warehouse.connection() as connection,
        locks.held(connection, locks.ALERTS) as alone,
    ):
        if not alone:
            return Evaluation(incidents(connection), skipped=True)
        found = look(
            connection, entities, silence=silence, limits=limits, now=now, settings=settings
        )
        connection.commit()
        record(connection, found, now=now)
        told, untold = tell(connection, targets, repeat=repeat, now=now)
        return Evaluation(incidents(connection), told, untold)


def watch(
    open_warehouse: Callable[[], Warehouse],
    environment: Environment,
    entities: Mapping[str, Entity],
    *,
    settings: Callable[[Entity], SyncSettings] | None = None,
) -> Evaluation:
    """An evaluation with the environment's channels, then the heartbeat.

    A warehouse that is down or full keeps no incidents: that one is remembered by a file in the
    state folder, told, and raised as FatalError. There is no heartbeat then, nor while a message
    finds nobody, so that an external service notices when all else is dead.
    """
    targets = channels.channels(environment)
    repeat = timedelta(hours=environment.alert_repeat_hours)
    try:
        evaluation = evaluate(
            open_warehouse(),
            targets,
            entities,
            silence=timedelta(hours=environment.alert_silence_hours),
            limits=Limits.of(environment),
            repeat=repeat,
            settings=settings or declared_settings,
        )
    except UsageError:
        raise
    except (FatalError, psycopg.Error) as error:
        said = message_of(error) if isinstance(error, psycopg.Error) else str(error)
        refusal = Unavailable(f"the warehouse keeps alerts from being evaluated: {said}")
        Outage(environment).begin(targets, str(refusal), repeat)
        raise refusal from error
    delivered = Outage(environment).end(targets) and not evaluation.untold
    if delivered:
        channels.beat(environment)
    return evaluation


@dataclass(frozen=True, slots=True)
class Outage:
    """The one incident that the warehouse cannot keep, its own: a file says that it was told."""

    environment: Environment
    name: str = field(default="warehouse_down")

    def begin(self, targets: Channels, reason: str, repeat: timedelta) -> None:
        marker = self.environment.home_folder / self.name
        try:
            told = datetime.fromtimestamp(marker.stat().st_mtime, UTC)
            if datetime.now(UTC) - told < repeat:
                return
        except FileNotFoundError:
            pass
        body = f"{shown(reason)}\nnext: crm-sync doctor"
        if targets and targets.send("crm_sync problem: the warehouse", body):
            try:
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
            except OSError as error:
                # Told every time is better than not at all.
                log.warning("alerts: %s cannot be written: %s", marker, error)

    def end(self, targets: Channels) -> bool:
        """False when the recovery found nobody; it is told with the next evaluation then."""
        marker = self.environment.home_folder / self.name
        if not marker.exists():
            return True
        body = "the warehouse answers again, and alerts are evaluated"
        if targets and not targets.send("crm_sync recovered: the warehouse", body, is_good=True):
            return False
        marker.unlink(missing_ok=True)
        return True
