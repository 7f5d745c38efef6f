"""A company in the sandbox, frozen at noon, and syncs of it by the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.clocks import feeds_reach_back_from
from crm_sync_assets_tests.crms.pipedrive.truth import wrong
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FULL = Strategy("full", moves_watermark=True)
CRM = registry.crm("pipedrive")
RECORDS = ("deals", "persons", "organizations", "activities", "products", "leads", "notes")


class Company:
    """The sandbox's company, and what our side does with it."""

    def __init__(self, sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.environment = environment
        self.waits: list[float] = []
        self.warehouse = open_warehouse()
        self.client: Any = None
        self.connect()

    @property
    def world(self) -> Any:
        return self.sandbox.pipedrive

    def configure(self, **settings: object) -> None:
        for name, value in settings.items():
            self.environment.setenv(f"CRM_SYNC_PIPEDRIVE__{name}".upper(), str(value))

    def connect(self) -> None:
        """A client of the environment as it is now, whose waits take no time."""
        self.close()
        self.client = open_client("pipedrive")
        self.client._sleep = self.waits.append
        for http in self.client._opened:
            http.sleep = self.waits.append

    def close(self) -> None:
        if self.client is not None:
            self.client.close()

    def sync(self, name: str, **flags: Any) -> Sync:
        """A whole sync. Raises the SyncError it ends with."""
        entity = registry.entity(f"pipedrive.{name}")
        request = Request(CRM, entity, Flags(**flags), settings_for(CRM, entity))
        begun = begin(request, self.client, self.warehouse)
        drain(begun)
        return begun

    def read(self, name: str, strategy: Strategy = FULL, **more: Any) -> Iterator[Page]:
        """Pages as the client has them, without a warehouse."""
        entity = registry.entity(f"pipedrive.{name}")
        size = more.pop("page_size", settings_for(CRM, entity).page_size)
        asked = Read(entity, strategy, size, None, **more)  # type: ignore[arg-type]
        found: Iterator[Page] = self.client.pages(asked, Usage())
        return found

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        found = stored_rows(self.warehouse, registry.entity(f"pipedrive.{name}"))
        return {"/".join(key): row for key, row in found.items()}

    def history(self) -> list[dict[str, Any]]:
        return scripted.history(self.warehouse)

    def wrong(self, *names: str, everything: bool = True) -> list[str]:
        return [
            problem
            for name in names
            for problem in wrong(
                self.sandbox, self.warehouse, registry.entity(f"pipedrive.{name}"), everything
            )
        ]

    def asked(self, since: int = 0) -> list[str]:
        """Path and query of what was asked for, after so many."""
        entries = list(self.sandbox.ledger.entries)[since:]
        return [f"{e.path.removeprefix('/pipedrive')}?{e.query}" for e in entries]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=5, contacts=1, zipcodes=1) as sandbox:
        yield sandbox


@pytest.fixture
def company(running: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Company]:
    running.reset()
    running.clock.freeze(NOON)
    feeds_reach_back_from(environment, running.clock.now)
    for name, value in running.env().items():
        environment.setenv(name, value)
    environment.setenv("CRM_SYNC_PIPEDRIVE__RATE_WINDOWS", "[]")
    found = Company(running, environment)
    yield found
    found.close()
