"""What ends a command: SIGTERM and a closed terminal do it as Ctrl-C does."""

from __future__ import annotations

import signal
from types import FrameType


def let_signals_interrupt() -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # The terminal was closed; under nohup that is to change nothing.
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
