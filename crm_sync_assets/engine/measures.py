"""What a sync costs: time, memory, calls."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_sync_assets.declarations.contract import Usage
    from crm_sync_assets.warehouse.counts import Counts

COLLECT_EVERY = 100_000
"""Objects between two looks for garbage. Records are trees, and go when their batch goes; to look
through them every 700 objects took about a twentieth of a load's time."""


@dataclass(slots=True)
class Timing:
    """Wall-clock seconds by what they were spent on."""

    started: float = field(default_factory=time.monotonic)
    waiting: float = 0.0
    processing: float = 0.0
    loading: float = 0.0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started


def common(
    counts: Counts, seconds: float, *, usage: Usage | None = None, carried: int = 0
) -> dict[str, Any]:
    """What SyncHistory keeps of any work on an entity, be it a sync, a verification or a replay.

    Of the records counted, `carried` were processed before these seconds began. Without `usage` no
    source was asked.
    """
    processed, seconds = counts.processed, max(seconds, 1e-6)
    told = {
        "duration_seconds": round(seconds, 3),
        "records_per_second": round((processed - carried) / seconds, 1),
        "success_rate": round((processed - counts.failed) / processed, 4) if processed else 1.0,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "warnings": counts.warnings,
    }
    if usage is None:
        return told
    scanned = {"bytes_scanned": usage.bytes_scanned} if usage.bytes_scanned else {}
    return told | {"api_calls": usage.api_calls, "quota_units": usage.quota_units} | scanned


def metrics(counts: Counts, *, carried: Counts, usage: Usage, timing: Timing) -> dict[str, Any]:
    """What SyncHistory keeps of a sync's cost; `carried` are counts of the attempts before this."""
    calls = usage.api_calls
    here = counts.processed - carried.processed
    return {
        **common(counts, timing.elapsed, usage=usage, carried=carried.processed),
        "records_per_api_call": round(here / calls, 1) if calls else None,
        "rate_limit_wait_seconds": round(usage.rate_limit_wait_seconds, 3),
        "rate_limit_hits": usage.rate_limit_hits,
        "retries": usage.retries,
        "peak_memory_mb": peak_memory_mb(),
        "seconds_waiting": round(timing.waiting, 3),
        "seconds_processing": round(timing.processing, 3),
        "seconds_loading": round(timing.loading, 3),
    }


def peak_memory_mb() -> float:
    """The most memory this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """While records stream through, look for garbage every COLLECT_EVERY objects."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def collecting_nothing() -> Iterator[None]:
    """While modules are imported, and what they made is never looked through afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
