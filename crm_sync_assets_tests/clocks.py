"""How far back a source's feed reaches, in tests whose source's clock stands still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_sync_assets.engine import run


def feeds_reach_back_from(monkeypatch: pytest.MonkeyPatch, now: Callable[[], datetime]) -> None:
    """Feeds are counted back from the source's moment, as where its clock and ours agree.

    By the true clock, a source that is frozen on one day is some day behind all that it keeps.
    """
    choose = run.choose

    def chosen(*flags: Any, feed_from: datetime | None = None, **others: Any) -> Any:
        if feed_from is not None:
            feed_from += now() - datetime.now(UTC)
        return choose(*flags, feed_from=feed_from, **others)

    monkeypatch.setattr(run, "choose", chosen)
