"""Waiting for what a source makes on order: a report, a bulk job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from crm_sync_assets.clients.http import Session
from crm_sync_assets.errors import TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Polls:
    """How often is asked: after `first` seconds, then after `grows` times as many, `longest` at
    most, and for `most` seconds in all."""

    first: float
    longest: float
    most: float
    grows: float = 1.5


def until_ended(
    session: Session, what: str, look: Callable[[], tuple[T | None, str]], polls: Polls
) -> T:
    """What `look` gives at last; until then it gives None, and in which state it is.

    Its id has to be in a cursor by now: TransientError for what takes too long says that the next
    sync asks about it again.
    """
    waited, pause = 0.0, polls.first
    while True:
        ended, state = look()
        if ended is not None:
            return ended
        if waited >= polls.most:
            raise TransientError(
                f"{session.subject}: {what} is {state} after {waited:.0f} s. The next sync asks "
                "about it again."
            )
        log.info("%s: %s is %s", session.subject, what, state)
        session.pause(pause)
        waited += pause
        pause = min(pause * polls.grows, polls.longest)
