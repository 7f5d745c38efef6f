"""Where a reading is: a sweep, a member, a slice, a page; and all places there are, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from crm_sync_assets.clients.rest.delta import Slice, Window
from crm_sync_assets.clients.rest.paging import Position
from crm_sync_assets.clients.rest.source import Rest, Sweep
from crm_sync_assets.declarations.contract import Cursor
from crm_sync_assets.errors import FatalError

Name = tuple[str | None, ...]
"""Sweep, member and slice of a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One list to page through: a slice of a sweep, for one member where there are some."""

    sweep: Sweep
    member: str | None
    slice: Slice

    @property
    def name(self) -> Name:
        return (self.sweep.name, self.member, self.slice.name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page starts. `seen` is how many records of its list were read before it.

    `total` is how many the list said that it has, where it says so. `began` is when the reading
    began, in its first attempt. No `step` is the beginning or, once `done`, the end. `closed` are
    lists that could not be read, and are asked for again. `job` is the report whose pages they are,
    `size` that of the list's pages so far, `members` those of the first attempt.
    """

    began: datetime
    step: Name | None = None
    position: Position = None
    seen: int = 0
    total: int | None = None
    closed: tuple[Name, ...] = ()
    done: bool = False
    job: str | None = None
    size: int | None = None
    members: tuple[str | None, ...] | None = None

    @classmethod
    def of(cls, cursor: Cursor | None, now: datetime) -> Place:
        if cursor is None:
            return cls(now)
        step = cursor["step"]
        return cls(
            datetime.fromisoformat(cursor["began"]),
            None if step is None else tuple(step),
            cursor["position"],
            cursor["seen"],
            cursor["total"],
            tuple(map(tuple, cursor["closed"])),
            cursor["done"],
            cursor["job"],
            cursor["size"],
            None if cursor["members"] is None else tuple(cursor["members"]),
        )

    def anew(self) -> Place:
        """The beginning of the same list."""
        return replace(self, position=None, seen=0, total=None, job=None, size=None)

    def cursor(self) -> dict[str, Any]:
        return {**asdict(self), "began": self.began.isoformat()}


def steps_of(
    source: Rest, window: Window, members: Sequence[str | None], new: Sequence[str | None]
) -> list[Step]:
    """Every step in order; of `new` members everything is read, whatever the window begins with."""
    found = []
    for sweep in source.sweeps:
        delta = source.delta_of(sweep)
        for member in members:
            asked = replace(window, since=None) if member in new else window
            found += [Step(sweep, member, each) for each in delta.slices(asked)]
    return found


def left_of(steps: list[Step], place: Place, subject: str) -> list[Step]:
    """The steps from this place on, at last those that were closed before it.

    Raises FatalError for a place that is none of them.
    """
    again = [step for step in steps if step.name in place.closed]
    if place.done:
        return again
    if place.step is None:
        return steps
    for number, step in enumerate(steps):
        if step.name == place.step:
            return [*steps[number:], *(one for one in again if one not in steps[number:])]
    raise FatalError(
        f"{subject}: the checkpoint is in a list that is not read any more "
        f"({'/'.join(name or '-' for name in place.step)}); the next sync starts anew"
    )
