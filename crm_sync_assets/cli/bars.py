"""Progress bars on standard error: the entities that are read now, and all of them together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from crm_sync_assets.cli.times import span
from crm_sync_assets.engine import progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from crm_sync_assets.declarations.entity import Entity
    from crm_sync_assets.engine.sync import Sync
    from crm_sync_assets.operations.expected import Expected

NAME_WIDTH = 34
BAR_WIDTH = 10


class Bars:
    """One line per entity while it is synced, and one for the whole with what is left."""

    def __init__(self, entities: Sequence[Entity], expected: Mapping[str, Expected]) -> None:
        self._progress = _progress()
        self._names = [entity.name for entity in entities]
        self._expected = expected
        self._running: dict[int, TaskID] = {}
        self._left: dict[str, float | None] = {
            name: expected[name].seconds if name in expected else None for name in self._names
        }
        """Seconds each entity that has not ended will take; None where nothing tells."""
        self._told_at = time.monotonic()
        self._whole = self._progress.add_task(
            "starting", total=len(self._names), counts="", left=""
        )
        self._listening = progress.listening(self._show)

    def __enter__(self) -> Self:
        self._progress.start()
        self._listening.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.__exit__(kind, error, trace)
        for task in (*self._running.values(), self._whole):
            self._progress.remove_task(task)
        self._progress.stop()

    def _show(self, sync: Sync) -> None:
        name = sync.entity.name
        if sync.status != "running":
            self._left.pop(name, None)
            if (task := self._running.pop(sync.sync_id, None)) is not None:
                self._progress.remove_task(task)
        else:
            self._show_one(sync)
        done = len(self._names) - len(self._left)
        self._progress.update(
            self._whole,
            description="all",
            completed=done,
            counts=f"{done} of {len(self._names)} done",
            left=whole_left(self._left),
        )

    def _show_one(self, sync: Sync) -> None:
        name, processed = sync.entity.name, sync.counts.processed
        if sync.sync_id not in self._running:
            self._running[sync.sync_id] = self._progress.add_task(name, counts="", left="")
        before = self._expected.get(name)
        total = sync.total if sync.total is not None else before and before.records
        # Where there are more than there were last time, nothing is known of the rest.
        total = total if total and total >= processed else None
        elapsed = sync.timing.elapsed
        rate = processed / max(elapsed, 1e-6)
        if total and processed:
            self._left[name] = (total - processed) / rate
        elif before:
            self._left[name] = max(0.0, before.seconds - elapsed)
        self._progress.update(
            self._running[sync.sync_id],
            completed=processed,
            total=total,
            counts=f"{processed:,}" + (f"/{total:,}" if total else ""),
            left=f"{rate:,.0f}/s",
        )


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A line that moves while something is waited for, and is gone then."""
    shown = _progress()
    task = shown.add_task(what, total=None, counts="", left="")
    with shown:
        try:
            yield
        finally:
            shown.remove_task(task)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    return Progress(
        SpinnerColumn(),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(max_width=NAME_WIDTH, no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=BAR_WIDTH),
        # What counts is never cut: the name gives way.
        TextColumn("{task.fields[counts]}", table_column=Column(justify="right", no_wrap=True)),
        TextColumn("{task.fields[left]}", table_column=Column(justify="right", no_wrap=True)),
        console=Console(stderr=True),
        expand=False,
    )


def whole_left(left: Mapping[str, float | None]) -> str:
    """`~3 min left`, when it is known of every entity that has not ended; else nothing."""
    seconds = [one for one in left.values() if one is not None]
    if not seconds or len(seconds) < len(left):
        return ""
    return f"~{span(sum(seconds))} left"
