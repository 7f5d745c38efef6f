"""A sandbox as it is in the beginning, an empty warehouse, and syncs of LeadConduit's entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.crm import flags_of
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.crms.leadconduit.truth import differences
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
DAY = 86_400
FULL = Strategy("full", moves_watermark=True)
CRM = registry.crm("leadconduit")
ENTITIES = registry.entities("leadconduit")


class Bench:
    """One sandbox, one client, one warehouse. `waits` are those that took no time."""

    def __init__(self, sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
        self.sandbox, self.environment = sandbox, environment
        self.world: World = sandbox.leadconduit
        self.waits: list[float] = []
        self.warehouse = open_warehouse()
        self.client: Any = None
        self.configure(wait_seconds=0, rate_windows="[]")

    def configure(self, **settings: object) -> None:
        """Settings of LeadConduit; the client is made anew."""
        for name, value in settings.items():
            self.environment.setenv(f"CRM_SYNC_LEADCONDUIT__{name}".upper(), str(value))
        self.connect()

    def connect(self) -> None:
        self.close()
        self.client = open_client("leadconduit")
        for one in self.client._opened:
            one.sleep = self.waits.append

    def close(self) -> None:
        if self.client is not None:
            self.client.close()

    def pass_time(self, seconds: float) -> None:
        """Move the source's clock; what the client remembered is as old by then."""
        self.sandbox.clock.advance(seconds)
        self.client._remembered.clear()

    def pages(self, entity: Entity, strategy: Strategy = FULL, **read: Any) -> list[Page]:
        asked = Read(entity, strategy, read.pop("page_size", 2_000), None, **read)  # type: ignore[arg-type]
        return list(self.client.pages(asked, Usage()))

    def by_key(self, entity: Entity, *keys: str) -> list[Page]:
        asked = Read(entity, FULL, 2_000, None)  # type: ignore[arg-type]
        return list(self.client.by_key(asked, [(key,) for key in keys], Usage()))

    def sync(self, name: str, **flags: Any) -> Sync:
        entity = registry.entity(f"leadconduit.{name}")
        given = flags_of(CRM)(**flags)
        begun = begin(
            Request(CRM, entity, given, settings_for(CRM, entity)), self.client, self.warehouse
        )
        drain(begun)
        return begun

    def rows(self, name: str) -> dict[tuple[str, ...], dict[str, Any]]:
        return stored_rows(self.warehouse, registry.entity(f"leadconduit.{name}"))

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse)

    def history(self) -> list[dict[str, Any]]:
        return scripted.history(self.warehouse)

    def asked(self, path: str = "") -> Sequence[Any]:
        """Requests since the ledger was reset."""
        return self.sandbox.ledger.select(path)


@pytest.fixture(scope="module")
def _running() -> Iterator[Sandbox]:
    with Sandbox(seed=9, contacts=1, zipcodes=1, leadconduit_leads=60) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_running: Sandbox) -> Sandbox:
    _running.reset()
    _running.clock.freeze(NOON)
    return _running


@pytest.fixture
def bench(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    bench = Bench(sandbox, environment)
    yield bench
    bench.close()
