"""What a person sees while a sync runs and when it ended."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import TextIO, cast

from crm_sync_assets import log, redaction
from crm_sync_assets.cli.exits import say
from crm_sync_assets.orchestration.launch import Outcome


def configure_log(*, debug: bool, quiet: bool, bars: bool, level: str = "INFO") -> None:
    """The log on standard error: everything in plain mode, warnings above progress bars."""
    if not debug:
        level = "ERROR" if quiet else "WARNING" if bars else level
    level = "DEBUG" if debug else level
    handler = log.configure(level, stream=cast(TextIO, _StandardError()))
    # Dagster sets the level of the project's loggers again when a run starts.
    handler.setLevel(level)
    handler.filters.insert(0, _without_dagster)
    if not debug:
        handler.filters.insert(0, _without_rollbacks)


def _without_dagster(record: logging.LogRecord) -> bool:
    """Give a line that went through a run's log its own text back; drop Dagster's events."""
    meta = record.__dict__.pop("dagster_meta", None)
    if meta and meta.get("dagster_event") is not None:
        return False
    if meta and meta.get("orig_message") is not None:
        record.msg, record.args = meta["orig_message"], ()
    return True


def _without_rollbacks(record: logging.LogRecord) -> bool:
    """What psycopg could not roll back on Ctrl-C, the server does when the session ends."""
    return record.levelno >= logging.ERROR or not record.name.startswith("psycopg")


class _StandardError:
    """Whatever sys.stderr is at the moment: progress bars put themselves in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def report(
    outcomes: Sequence[Outcome], *, quiet: bool, dry_run: bool, cancelled: bool = False
) -> None:
    """A line per entity on standard output; what went wrong, and what to do, on standard error.

    What a person `cancelled` is one line: how much was done before.
    """
    if cancelled:
        done = [outcome for outcome in outcomes if not _was_cancelled(outcome)]
        say(
            f"cancelled: {len(done)} of {len(outcomes)} entities were synced; the next sync "
            "resumes from the checkpoint"
        )
        outcomes = done
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
        for doubt in outcome.doubts:
            say(f"{_named(outcome)} does not pass its check {doubt}")


def describe(outcome: Outcome) -> str:
    """One line: status, strategy, and of the counts those that are not zero."""
    counts = {
        "created": outcome.created,
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "deleted": outcome.deleted,
        "failed": outcome.failed,
    }
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    line = f"{outcome.status:<7}  {outcome.strategy or '':<12}  {', '.join(parts) or 'nothing new'}"
    line += f" in {outcome.seconds:.1f} s"
    odd = outcome.metrics.get("warnings")
    if odd:
        line += f"; {odd:,} odd values noted in sync_issues"
    return line


def _was_cancelled(outcome: Outcome) -> bool:
    return outcome.sync_id is None or outcome.reason == "cancelled"


def _named(outcome: Outcome) -> str:
    if outcome.sync_id is None:
        return str(outcome.entity)
    return f"{outcome.entity} (sync {outcome.sync_id})"
