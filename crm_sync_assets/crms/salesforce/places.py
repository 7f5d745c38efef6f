"""Where a reading is: what its cursor says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from crm_sync_assets.declarations.contract import Cursor

Phase = Literal["rows", "bulk", "gained", "gone", "done"]
Window = list[str | None]
"""From and until, as SOQL writes moments; None leaves an end open."""


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk job: its id once it is ordered, the windows left, its own first, and how far it is
    read. `locator` leads to its page of results, of which `row` lines were read, and `read` of all.
    """

    windows: list[Window]
    id: str | None = None
    locator: str | None = None
    row: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a reading that began at the moment `began`, of fields whose `shape` this is.

    `at` and `key` are of the last row read. `old` counts the live rows read whose moment is before
    `began`: each of them was read once. `bare` says that the table was empty when it began.
    `gained` are fields that are to be filled in rows that did not change; `unseen` says that there
    may be rows that were not shown before, `sees` that all were shown when it began.
    """

    phase: Phase
    began: str
    shape: str
    at: str | None = None
    key: str = ""
    old: int | None = None
    bare: bool = False
    is_counted: bool = False
    gained: list[str] = field(default_factory=list)
    unseen: bool = False
    sees: bool = False
    job: Job | None = None

    def cursor(self) -> Cursor:
        return {name: value for name, value in asdict(self).items() if value not in (None, [], "")}

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> Place:
        """Raises TypeError for what is no cursor of ours."""
        place = cls(**cursor)
        job = cursor.get("job")
        return replace(place, job=Job(**job)) if job else place
