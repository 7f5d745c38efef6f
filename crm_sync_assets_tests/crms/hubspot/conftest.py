"""A sandbox for the module, fresh for each test, and a warehouse that is a dict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Cursor, Page, Read, Usage
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import SyncSettings, environment

FULL = Strategy("full", moves_watermark=True)


@dataclass
class Stored:
    """What the warehouse knows: live keys by table, and keys it holds as deleted."""

    live: dict[str, set[str]] = field(default_factory=dict)
    deleted: dict[str, set[str]] = field(default_factory=dict)

    def keys(
        self,
        table: str,
        *,
        column: str = "id",
        after: str | None = None,
        limit: int,
        deleted_since: datetime | None = None,
    ) -> list[str]:
        assert column in ("id", "zipcode", "object_type")
        what = f"{table}.{column}" if column == "object_type" else table
        rows = (self.deleted if deleted_since else self.live).get(what, set())
        return sorted(row for row in rows if after is None or row > after)[:limit]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=3, contacts=450) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """The sandbox as it was in the beginning; the environment points to it."""
    running.reset()
    monkeypatch.chdir(tmp_path)
    for name, value in running.env().items():
        monkeypatch.setenv(name, value)
    return running


class Reader:
    """Reads entities with one client."""

    def __init__(self, **settings: Any) -> None:
        base = settings_for(registry.crm("hubspot")).model_dump() | {"rate_windows": ()}
        self.waits: list[float] = []
        self.stored = Stored()
        self.usage = Usage()
        self.database_url: str | None = settings.pop("database_url", None)
        self.settings = SyncSettings(**(base | settings))
        self.client = HubSpot(
            environment(),
            self.settings,
            database_url=self.database_url,
            sleep=self.waits.append,
        )

    def pages(
        self, name: str, strategy: Strategy = FULL, cursor: Cursor | None = None, **read: Any
    ) -> Iterator[Page]:
        entity = registry.entity(f"hubspot.{name}")
        values: dict[str, Any] = {"page_size": 100, "known": self.stored} | read
        return self.client.pages(Read(entity, strategy, cursor=cursor, **values), self.usage)

    def read(self, name: str, strategy: Strategy = FULL, **read: Any) -> list[Record]:
        return [record for page in self.pages(name, strategy, **read) for record in page.records]


@pytest.fixture
def reader(
    sandbox: Sandbox,
) -> Iterator[Callable[..., Reader]]:
    """Makes readers."""
    made: list[Reader] = []

    def make(**settings: Any) -> Reader:
        made.append(Reader(**settings))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


def delta(sandbox: Sandbox, **ago: float) -> Strategy:
    """What changed since so long ago, by the sandbox's clock."""
    return Strategy("incremental", since=sandbox.clock.now() - timedelta(**ago))
