"""Who wants to see a sync move: the command line's progress bars subscribe here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crm_sync_assets.engine.sync import Progress, Sync

_listeners: list[Progress] = []


def report(sync: Sync) -> None:
    """Tell everybody in this process how far `sync` is."""
    for listener in _listeners:
        listener(sync)


@contextmanager
def listening(listener: Progress) -> Iterator[None]:
    """Call `listener` after every batch of every sync in this process, inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
