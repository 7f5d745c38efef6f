"""What one sync may take over from those before it: a checkpoint, what the source said last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import Deferred, FatalError, Refused
from crm_sync_assets.log import logger
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.history import Checkpoint, Past

log = logger(__name__)


def terms(
    entity: Entity,
    strategy: Strategy,
    flags: Flags,
    settings: SyncSettings,
    meaning: Mapping[str, str] | None = None,
) -> str:
    """What a checkpoint must have been made with, to be continued with these flags."""
    values: dict[str, Any] = {
        "declaration": entity.fingerprint,
        "strategy": strategy.name,
        "since": strategy.since.isoformat() if strategy.since else None,
        "until": strategy.until.isoformat() if strategy.until else None,
        "overwrite": strategy.overwrite,
        "replaces": strategy.replaces,
        "skip_validation": flags.skip_validation,
        "mode": settings.mode,
        **flags.own_terms(),
        **(meaning or {}),
    }
    return " ".join(f"{name}={value}" for name, value in values.items())


def checkpoint_to_follow(
    entity: Entity, past: Past, terms_now: str, settings: SyncSettings, *, now: datetime
) -> Checkpoint | None:
    """The newest sync's checkpoint, if it was interrupted and this sync may continue it."""
    checkpoint = past.checkpoint
    if checkpoint is None or past.interrupted_at is None:
        return None
    age = now - past.interrupted_at
    if checkpoint.terms != terms_now:
        why = "it was made with other flags or another declaration"
    elif age > timedelta(hours=settings.checkpoint_hours):
        why = f"it is {age.total_seconds() / 3600:.0f} hours old"
    else:
        log.info("%s: resuming sync %s where it stopped", entity, past.interrupted_id)
        return checkpoint
    log.warning(
        "%s: the checkpoint of sync %s is dropped: %s; reading from the beginning",
        entity,
        past.interrupted_id,
        why,
    )
    return None


def must_start_over(error: BaseException, *, resumed: bool, has_stored: bool) -> bool:
    """Whether resuming would only lead to this error again, so that the checkpoint has to go."""
    if isinstance(error, Refused):
        return True
    stuck = resumed and not has_stored
    return stuck and isinstance(error, FatalError) and not isinstance(error, Deferred)


def trusted_state(entity: Entity, past: Past, flags: Flags, *, had_rows: bool) -> Mapping[str, Any]:
    """The last state, with which the source may answer that nothing has changed.

    Nothing, where that answer would not do: when the content itself, or a part of it, is wanted,
    when rows are made differently now, or when the rows of last time are no longer here.
    """
    asked_for_content = flags.full or flags.force
    if (
        asked_for_content
        or flags.filtered
        or past.fingerprint != entity.fingerprint
        or not had_rows
    ):
        return {}
    return past.state
