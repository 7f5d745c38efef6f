"""The receiver of webhooks within `crm-sync dev`, and the sandbox told to send there."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence

from crm_sync_assets.operations.addresses import VARIABLE
from crm_sync_assets.sandbox.process import stop

FIRST_PORT = 3200
PAUSE_SECONDS = 0.5

Say = Callable[[str, str], None]


def are_expected() -> bool:
    """Whether the environment has what any sender's deliveries are proven by."""
    from crm_sync_assets.receiver.serving import expected

    return bool(expected())


def of_the_sandbox(secrets: Mapping[str, str], port: int) -> dict[str, str]:
    """Variables of all who receive, register or look at the webhooks of a sandbox."""
    return {**secrets, VARIABLE: f"http://127.0.0.1:{port}"}


def arguments(port: int) -> Sequence[str]:
    """Those of Python for the receiver, which reads what it is told at once."""
    return ["-m", "crm_sync_assets.cli", "webhooks", "--port", str(port), "--eager"]


@contextlib.contextmanager
def registered(env: Mapping[str, str], port: int, say: Say) -> Iterator[None]:
    """Once the receiver answers, subscribe to all that the sandbox tells of; it takes a while."""
    ending = threading.Event()
    children: list[subprocess.Popen[str]] = []

    def work() -> None:
        while not _answers(f"http://127.0.0.1:{port}/health"):
            if ending.wait(PAUSE_SECONDS):
                return
        words = ["-m", "crm_sync_assets.cli", "webhooks", "register", "--quiet"]
        child = subprocess.Popen(
            [sys.executable, *words],
            env=dict(env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        children.append(child)
        if ending.is_set():
            child.terminate()
        _, said = child.communicate()
        if ending.is_set():
            return
        for line in said.splitlines():
            say("webhooks", line)
        if child.returncode == 0:
            say("dev", "the sandbox tells of its changes by webhooks, and they are read at once")

    thread = threading.Thread(target=work, name="registering", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        stop(children)
        thread.join(timeout=20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
