"""Stories side by side: what becomes of one is nothing to the others, and none outlives who began
it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from crm_sync_assets.cli.beside import Failed, context, side_by_side
from crm_sync_assets.cli.story import Plot, Seen, Told
from crm_sync_assets_tests.cli import pretended


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return context()


def plots(*names: str) -> Sequence[Plot]:
    return [Plot(name, 1, 0) for name in names]


def test_one_that_dies_or_fails_is_told_and_the_others_go_on(
    processes: ForkServerContext, tmp_path: Path
) -> None:
    seen: list[tuple[str, Seen]] = []
    names = ("dies", "meets", "fails", "meets_too", *"abcdef")
    found = {
        plot.crm: told
        for plot, told in side_by_side(
            plots(*names),
            str(tmp_path),
            {**os.environ, "TITLE": "told"},
            processes,
            show=lambda crm, one: seen.append((crm, one)),
            tell=pretended.tell,
        )
    }
    assert set(found) == set(names)
    dead, failed = found.pop("dies"), found.pop("fails")
    assert isinstance(dead, Failed)
    assert "exit status 9" in dead.why
    assert failed == Failed("the pretended one is down: ask nobody")
    assert all(isinstance(told, Told) and told.title == "told" for told in found.values())
    assert sorted(seen) == sorted((name, Seen("first sync", 1, 2, 3)) for name in names)


def test_none_goes_on_when_who_began_them_stops(
    processes: ForkServerContext, tmp_path: Path
) -> None:
    stories = side_by_side(
        plots("hangs", "a"),
        str(tmp_path),
        {**os.environ, "TITLE": "told"},
        processes,
        show=lambda *_: None,
        tell=pretended.tell,
    )
    assert next(stories)[0].crm == "a"
    while not (tmp_path / "hangs").exists() or not (tmp_path / "hangs").read_text():
        time.sleep(0.01)
    pid = int((tmp_path / "hangs").read_text())
    os.kill(pid, 0)
    stories.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
