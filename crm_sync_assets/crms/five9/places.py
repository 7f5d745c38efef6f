"""Where a reading is: what its cursor says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from crm_sync_assets.declarations.contract import Cursor

By = Literal["open", "id", "created", "number", "day", "changed", "report"]
"""What a reading goes by: the axis that it cuts first, or a report; open until one was tried."""


@dataclass(slots=True)
class Place:
    """A place in a reading.

    `listed` and `largest` are what the dialing lists had when it began: in all, and the largest of
    them. `left` are the questions that are still to be asked, the next one last, and `read` counts
    the contacts read. `ids_work` and `dates_work` say that contactID and moments take wildcards,
    `blind` that contacts without a number could not be asked for.
    Of a report `windows` are left, and `job` is what runs for the first of them, of which `row`
    lines were read. `tried` is a contact that must be in the windows before the last one.
    `undated` are contacts that were set aside, as when they changed cannot be read: the next delta
    asks for them by their ids. `owed` are those of the sync before that are still to be asked for.
    """

    by: By
    listed: int = 0
    largest: int = 0
    left: list[list[list[Any]]] = field(default_factory=list)
    read: int = 0
    ids_work: bool = False
    dates_work: bool = False
    blind: bool = False
    windows: list[list[str]] = field(default_factory=list)
    job: str | None = None
    row: int = 0
    tried: str | None = None
    undated: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)

    def cursor(self) -> Cursor:
        return {
            name: value for name, value in asdict(self).items() if value not in (None, [], 0, False)
        }

    def is_all_of(self, sizes: Mapping[str, int]) -> bool:
        """Whether as many were read as the lists had in all, then or now: none hints at more."""
        return self.read >= min(self.listed, sum(sizes.values()))

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> Place:
        """Raises TypeError for what is no cursor of ours."""
        return cls(**cursor)
