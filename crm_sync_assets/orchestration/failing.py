"""A step that fails says why, in our words, as its headline; the other words are a bug's.

What this project or what it talks to refused is raised as Dagster's `Failure`, whose description
the UI shows before anything else. Whatever was not foreseen keeps its traceback.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import AlreadyRunning, NotSet, Reason, SyncError, UsageError
from crm_sync_assets.redaction import redact
from crm_sync_assets.told import TellingSafely, failure_message, reason_of

WHY, USAGE = "why", "is_usage"
"""Metadata of a failure: its reason in words, and whether a flag or a setting is wrong."""

NEXT: dict[Reason, str] = {
    "auth": "crm-sync doctor {crm}, which asks the source with these credentials",
    "scope": "crm-sync doctor {crm}, which names what the credentials may not read",
    "quota": "wait until then: the next sync goes on where this one ended",
    "system": "run it again: it goes on from its checkpoint; crm-sync doctor if it lasts",
    "data": "crm-sync quarantine list --crm={crm} --entity={entity}",
    "cancelled": "run it again: it goes on from its checkpoint",
    "other": "the message says how to go on",
}


class Failed(dg.Failure):
    """A sync that failed for a reason that is known; `error` is it."""

    def __init__(self, entity: Entity, error: Exception) -> None:
        self.error = error
        why, reason = redact(failure_message(error)), reason_of(error)
        is_usage = isinstance(error, UsageError)
        told: dict[str, Any] = {
            WHY: why,
            "entity": entity.name,
            "reason": reason,
            USAGE: is_usage,
            "next": "mend the flag or setting that it names, and run it again"
            if is_usage and not isinstance(error, NotSet)
            else "wait for the other sync to end"
            if isinstance(error, AlreadyRunning)
            else NEXT[reason].format(crm=entity.crm, entity=entity.sync_type),
            "history": f"crm-sync history --crm={entity.crm} --entity={entity.sync_type}",
        }
        super().__init__(f"{entity}: {why}", metadata=told, allow_retries=False)


@contextmanager
def failing_plainly(entity: Entity) -> Iterator[None]:
    """Whatever is refused in here fails the step by its reason, without a traceback of what led
    to it.
    """
    try:
        with TellingSafely():
            yield
    except Exception as error:
        if isinstance(error, dg.Failure) or not _is_known(error):
            raise
        raise Failed(entity, error) from None


def original(error: BaseException | None) -> BaseException | None:
    """What a step failed by, before it was told to Dagster."""
    return error.error if isinstance(error, Failed) else error


def _is_known(error: Exception) -> bool:
    return isinstance(error, SyncError) or reason_of(error) != "other"
