"""What a sync does to the collector of garbage is undone, however it ends."""

from __future__ import annotations

import gc
from contextlib import suppress

from crm_sync_assets.engine.measures import COLLECT_EVERY, collecting_nothing, collecting_rarely


def test_garbage_is_looked_for_rarely_meanwhile_and_as_before_afterwards() -> None:
    before = gc.get_threshold()
    meanwhile = before
    with suppress(ZeroDivisionError), collecting_rarely():
        meanwhile = gc.get_threshold()
        raise ZeroDivisionError
    assert meanwhile[0] == COLLECT_EVERY
    assert gc.get_threshold() == before


def test_what_was_imported_meanwhile_is_not_looked_through_afterwards() -> None:
    kept: list[list[int]] = []
    was_on = True
    try:
        with suppress(ZeroDivisionError), collecting_nothing():
            was_on = gc.isenabled()
            kept += [[number] for number in range(1000)]
            raise ZeroDivisionError
        assert (was_on, gc.isenabled()) == (False, True)
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()
