"""The universal flags: what a person may ask of a sync. Pure; Dagster's config mirrors them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from crm_sync_assets.declarations.strategy import midnight_utc
from crm_sync_assets.errors import UsageError

MOST_PER_PAGE = 10_000


class Flags(BaseModel):
    """The flags every entity takes; a CRM with more of them subclasses this."""

    debug: bool = Field(False, description="Log verbosely, with the time each batch took.")
    full: bool = Field(False, description="Read everything; a newer stored row still wins.")
    skip_validation: bool = Field(
        False, description="No value checks and no business rules; values are still parsed."
    )
    dry_run: bool = Field(
        False,
        description="Read, process and compare, then roll back: exact counts, nothing written "
        "but the history row.",
    )
    batch_size: int = Field(
        100, description="Records per API page or SQL chunk; clamped to what the source allows."
    )
    max_records: int = Field(0, description="Stop exactly there; 0 is no limit.")
    force: bool = Field(
        False,
        description="Overwrite newer rows too. Alone it reads everything, with start_date from "
        "there; with full it replaces the table in one transaction.",
    )
    start_date: str | None = Field(
        None, description="YYYY-MM-DD: read what changed since that UTC midnight."
    )
    end_date: str | None = Field(
        None, description="YYYY-MM-DD: read what changed before that UTC midnight."
    )

    def check(self, *, now: datetime | None = None) -> None:
        """Raises UsageError for values and combinations that cannot be meant, `now` or at all."""
        if not 1 <= self.batch_size <= MOST_PER_PAGE:
            raise UsageError(
                f"batch_size is {self.batch_size}: give a number from 1 to {MOST_PER_PAGE}"
            )
        if self.max_records < 0:
            raise UsageError(
                f"max_records is {self.max_records}: give 0 for no limit, or a positive number"
            )
        start = midnight_utc(self.start_date) if self.start_date else None
        end = midnight_utc(self.end_date) if self.end_date else None
        if end and self.full:
            raise UsageError(
                "full reads everything and end_date only a window: leave out one of them"
            )
        if start and self.full:
            raise UsageError(
                "full reads everything and start_date from a day on: leave out one of them "
                "(force with start_date overwrites from that day)"
            )
        if start and end and start >= end:
            raise UsageError(
                f"start_date {self.start_date} is not before end_date {self.end_date}: "
                "the window is [start_date, end_date)"
            )
        today = (now or datetime.now(UTC)).astimezone(UTC).date()
        if start and start.date() > today:
            raise UsageError(
                f"start_date {self.start_date} is in the future: nothing has changed since then. "
                f"Today is {today} in UTC, which is the last day that can be given"
            )

    def given(self) -> dict[str, Any]:
        """The flags as SyncHistory's `configuration` keeps them."""
        return self.model_dump(mode="json")


OLD_NAMES: Mapping[str, str] = {
    "since": "start_date",
    "test": "dry_run",
    "verbose": "debug",
    "force_overwrite": "force",
}
