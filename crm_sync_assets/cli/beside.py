"""Stories of the demo side by side, each in a process of its own: what becomes of one is nothing to
the others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from crm_sync_assets.cli import story
from crm_sync_assets.cli.story import Plot, Seen, Told
from crm_sync_assets.sandbox.process import Control

Teller = Callable[[Plot, Control, Callable[[Seen], None]], Told]
PRELOADED = "crm_sync_assets.cli.preloaded"
PATIENCE_SECONDS = 5
"""How long a process that is told to end may take to do it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A story that nobody could tell to its end, and why."""

    why: str


def context() -> ForkServerContext:
    """Where the processes come from: a server that has imported everything, and begins now."""
    from multiprocessing.forkserver import ensure_running

    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([PRELOADED])
    ensure_running()
    return found


def side_by_side(
    plots: Sequence[Plot],
    url: str,
    env: Mapping[str, str],
    processes: ForkServerContext,
    *,
    show: Callable[[str, Seen], None],
    tell: Teller = story.tell,
) -> Generator[tuple[Plot, Told | Failed]]:
    """The stories as they end, from a sandbox at `url` that `env` points to.

    Twice as many as there are processors are under way: they wait for their sources half the time.
    """
    most = 2 * (os.cpu_count() or 1) + 1
    waiting, running = list(plots), dict[Connection, tuple[Plot, ForkServerProcess]]()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                plot = waiting.pop(0)
                receiver, sender = processes.Pipe(duplex=False)
                process = processes.Process(
                    target=_play, args=(tell, plot, url, dict(env), sender), daemon=True
                )
                process.start()
                sender.close()
                running[receiver] = plot, process
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                plot, process = running[ready]
                found = _received(ready, process)
                if isinstance(found, Seen):
                    show(plot.crm, found)
                    continue
                del running[ready]
                ready.close()
                yield plot, found
    finally:
        _end([process for _, process in running.values()])


def _received(receiver: Connection, process: ForkServerProcess) -> Seen | Told | Failed:
    try:
        found: Seen | Told | Failed = receiver.recv()
    except (EOFError, OSError):
        process.join(PATIENCE_SECONDS)
        return Failed(f"its process ended without a word (exit status {process.exitcode})")
    return found


def _end(processes: Sequence[ForkServerProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE_SECONDS)
        if process.is_alive():
            process.kill()


def _play(tell: Teller, plot: Plot, url: str, env: Mapping[str, str], sender: Connection) -> None:
    """In the process: tell the story, and send how far it is and how it ended."""
    from crm_sync_assets.redaction import one_line, redact
    from crm_sync_assets.told import words

    # Ctrl-C is for who began this, who ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ |= env
    found: Any
    try:
        found = tell(plot, Control(url), sender.send)
    except Exception as error:  # noqa: BLE001  told in the end, with those of the others
        found = Failed(one_line(redact(words(error))))
    sender.send(found)
