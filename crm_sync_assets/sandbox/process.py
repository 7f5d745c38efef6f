"""A sandbox in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.errors import FatalError

PATIENCE_SECONDS = 15
"""How long a process may take to end before it is killed."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control API of a sandbox, by where that is."""

    url: str

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> str:
        """The answer of its control API, a POST where there is a body. Raises FatalError."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, OSError) as error:
            raise FatalError(f"the sandbox did not answer {path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Running(Control):
    """A sandbox process: where its control API is, and the variables that point clients at it.

    With `webhooks` besides, its webhooks are subscribed to and proven.
    """

    env: Mapping[str, str]
    process: subprocess.Popen[str]
    webhooks: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def sandbox(*options: str) -> Iterator[Running]:
    """A sandbox in a process of its own, on a free port; gone when the block ends, and when this
    process is killed within it.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "crm_sync_assets.sandbox", "--port", "0", "--with-stdin", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for us: we end the others in order.
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise FatalError(f"the sandbox did not start (exit status {process.wait()})")
        told = json.loads(ready)
        yield Running(told["url"], told["env"], process, told["webhooks"])
    finally:
        stop([process])
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def stop(processes: Sequence[subprocess.Popen[Any]]) -> None:
    """Ask all of them to end, wait, kill what is left with everything it started."""
    for process in processes:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
