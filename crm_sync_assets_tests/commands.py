"""Commands, run in the process of the test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from crm_sync_assets.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in this process: exit status, standard output, standard error."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(words)
        return (status, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)
