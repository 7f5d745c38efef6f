"""What a person sees while a sync runs and when it ended."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, cast

from crm_sync_assets import log, redaction
from crm_sync_assets.cli.exits import say
from crm_sync_assets.engine import progress
from crm_sync_assets.orchestration.launch import Outcome

if TYPE_CHECKING:
    from rich.progress import TaskID

    from crm_sync_assets.engine.sync import Sync


def configure_log(*, debug: bool, quiet: bool, bars: bool, level: str = "INFO") -> None:
    """The log on standard error: everything in plain mode, warnings above progress bars."""
    if not debug:
        level = "ERROR" if quiet else "WARNING" if bars else level
    level = "DEBUG" if debug else level
    handler = log.configure(level, stream=cast(TextIO, _StandardError()))
    # Dagster sets the level of the project's loggers again when a run starts.
    handler.setLevel(level)
    handler.filters.insert(0, _without_dagster)
    if bars and not debug:
        handler.filters.insert(0, _no_single_values)


def _without_dagster(record: logging.LogRecord) -> bool:
    """Give a line that went through a run's log its own text back; drop Dagster's events."""
    meta = record.__dict__.pop("dagster_meta", None)
    if meta and meta.get("dagster_event") is not None:
        return False
    if meta and meta.get("orig_message") is not None:
        record.msg, record.args = meta["orig_message"], ()
    return True


def _no_single_values(record: logging.LogRecord) -> bool:
    """One line per odd value belongs in a log file, not between progress bars."""
    return record.levelno >= logging.ERROR or not record.name.endswith(".processor")


class _StandardError:
    """Whatever sys.stderr is at the moment: progress bars put themselves in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class Bars:
    """One line per entity while it is synced, on standard error."""

    def __init__(self, entities: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(finished_text="•"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[int, TaskID] = {}
        self._overall = self._progress.add_task("starting", total=entities, counts="")
        self._done: set[int] = set()
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
        self._progress.remove_task(self._overall)
        self._progress.stop()

    def _show(self, sync: Sync) -> None:
        if sync.sync_id not in self._tasks:
            self._tasks[sync.sync_id] = self._progress.add_task(
                f"{sync.entity} {sync.strategy.name}", total=sync.total, counts=""
            )
        counts = sync.counts
        rate = counts.processed / max(sync.timing.elapsed, 1e-6)
        ended = sync.status != "running"
        if ended:
            self._done.add(sync.sync_id)
        self._progress.update(
            self._tasks[sync.sync_id],
            completed=counts.processed,
            total=counts.processed if ended else sync.total,
            counts=f"{counts.processed:,} records, {rate:,.0f}/s: {counts.created:,} created, "
            f"{counts.updated:,} updated, {counts.unchanged:,} unchanged, {counts.failed:,} failed",
        )
        self._progress.update(
            self._overall,
            description="entities",
            completed=len(self._done),
            counts=f"{len(self._done)} done",
        )


def report(outcomes: Sequence[Outcome], *, quiet: bool, dry_run: bool) -> None:
    """A line per entity on standard output; what went wrong, and what to do, on standard error."""
    width = max((len(outcome.entity.name) for outcome in outcomes), default=0)
    if not quiet:
        for outcome in outcomes:
            if outcome.sync_id is not None:
                print(f"{outcome.entity.name:<{width}}  {describe(outcome)}")
        if dry_run:
            print("dry run: nothing was written but the history; a real one ends with these counts")
    for outcome in outcomes:
        if outcome.status == "failed":
            why = redaction.one_line(redaction.redact(outcome.error or "unknown"))
            say(f"{_named(outcome)} failed: {why}")
        elif outcome.status == "partial":
            entity = outcome.entity
            say(
                f"{entity} is partial: {outcome.failed} of {outcome.processed} records could not "
                f"be stored; see `crm-sync quarantine list --crm {entity.crm} --entity "
                f"{entity.sync_type}`, then `crm-sync quarantine replay` with the same filters"
            )


def describe(outcome: Outcome) -> str:
    """One line of counts."""
    parts = [
        f"{outcome.processed:,} processed",
        f"{outcome.created:,} created",
        f"{outcome.updated:,} updated",
        f"{outcome.unchanged:,} unchanged",
        f"{outcome.failed:,} failed",
    ]
    if outcome.deleted:
        parts.append(f"{outcome.deleted:,} deleted")
    line = f"{outcome.status:<7}  {outcome.strategy or '':<12}  {', '.join(parts)}"
    line += f" in {outcome.seconds:.1f} s"
    if outcome.per_second:
        line += f" ({outcome.per_second:,.0f}/s)"
    odd = outcome.metrics.get("warnings")
    if odd:
        line += f"; {odd:,} odd values noted in sync_issues"
    return line


def _named(outcome: Outcome) -> str:
    if outcome.sync_id is None:
        return str(outcome.entity)
    return f"{outcome.entity} (sync {outcome.sync_id})"
