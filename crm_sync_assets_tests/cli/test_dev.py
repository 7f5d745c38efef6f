"""What `make dev` runs ends when it is told to, whatever it is doing at that moment."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from crm_sync_assets.cli import dev

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_and_handlers_are_as_before(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The signal comes in the middle of the wait, where a lock would be held."""
    before = [signal.getsignal(one) for one in SIGNALS]
    waits: list[float] = []

    def told_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(dev.time, "sleep", told_meanwhile)
    assert dev._watch({}, "http://127.0.0.1:9") == 0
    assert len(waits) == 1
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_the_first_process_that_ends_ends_it() -> None:
    class Ended:
        returncode = 3

        def poll(self) -> int:
            return self.returncode

    ended: Any = Ended()
    assert dev._watch({"daemon": ended}, "http://127.0.0.1:9") == 1
