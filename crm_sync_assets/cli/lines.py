"""The demo while it runs, on a terminal: a line for each CRM that moves, and is gone in the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from crm_sync_assets.cli.story import Seen


class Lines:
    """On standard error; whoever uses it as a context sees it."""

    def __init__(self, crms: Sequence[str]) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[part]}", markup=False),
            TextColumn("{task.fields[counts]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        width = max(map(len, crms), default=0)
        self._began: dict[str, float] = {}
        self._tasks = {
            name: self._progress.add_task(f"{name:<{width}}", total=1, part="waits", counts="")
            for name in crms
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, crm: str, seen: Seen) -> None:
        self._began.setdefault(crm, time.monotonic())
        counts = f"{seen.done} of {seen.entities} entities, {seen.records:,} records"
        self._progress.update(self._tasks[crm], part=f"{seen.part:<10}", counts=counts)

    def end(self, crm: str) -> None:
        seconds = time.monotonic() - self._began.get(crm, time.monotonic())
        self._progress.update(
            self._tasks[crm], completed=1, part="done      ", counts=f"{seconds:.0f} s"
        )
