"""A sandbox as it is in the beginning, an empty warehouse, and syncs of one CRM's entities.

A CRM's conftest has a `Bench` of its own, names it in the fixture `kind`, and takes over the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

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
from crm_sync_assets.warehouse.vault import encrypted_columns
from crm_sync_assets_tests import scripted
from crm_sync_assets_tests.encrypted import NEW
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
DAY = 86_400
FULL = Strategy("full", moves_watermark=True)
World = TypeVar("World")


class Bench(ABC, Generic[World]):
    """One sandbox, one client, one warehouse. `waits` are those that took no time."""

    crm: ClassVar[str]
    options: ClassVar[Mapping[str, Any]]
    """How much of what there is in the sandbox."""

    def __init__(self, sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
        self.sandbox, self.environment = sandbox, environment
        self.world: World = getattr(sandbox, self.crm)
        self.waits: list[float] = []
        self.warehouse = open_warehouse()
        self.client: Any = None
        self.configure(wait_seconds=0, rate_windows="[]")

    def configure(self, **settings: object) -> None:
        """Settings of the CRM; the client is made anew."""
        for name, value in settings.items():
            self.environment.setenv(f"CRM_SYNC_{self.crm}__{name}".upper(), str(value))
        self.connect()

    def connect(self) -> None:
        self.close()
        self.client = open_client(self.crm)
        for one in self.client._opened:
            one.sleep = self.waits.append

    def close(self) -> None:
        if self.client is not None:
            self.client.close()

    def pass_time(self, seconds: float) -> None:
        """Move the source's clock; what the client remembered is as old by then."""
        self.sandbox.clock.advance(seconds)
        self.client._remembered.clear()

    def entity(self, name: str) -> Entity:
        return registry.entity(f"{self.crm}.{name}")

    def pages(self, entity: Entity, strategy: Strategy = FULL, **read: Any) -> list[Page]:
        size = read.pop("page_size", entity.source.max_page_size)
        asked = Read(entity, strategy, size, None, **read)  # type: ignore[arg-type]
        return list(self.client.pages(asked, Usage()))

    def by_key(self, entity: Entity, *keys: str) -> list[Page]:
        asked = Read(entity, FULL, entity.source.max_page_size, None)  # type: ignore[arg-type]
        return list(self.client.by_key(asked, [(key,) for key in keys], Usage()))

    def sync(self, name: str, **flags: Any) -> Sync:
        """A whole sync. Raises the SyncError it ends with."""
        crm, entity = registry.crm(self.crm), self.entity(name)
        request = Request(crm, entity, flags_of(crm)(**flags), settings_for(crm, entity))
        begun = begin(request, self.client, self.warehouse)
        drain(begun)
        return begun

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        found = stored_rows(self.warehouse, self.entity(name))
        return {"/".join(key): row for key, row in found.items()}

    @abstractmethod
    def wrong(self, name: str) -> list[str]:
        """Every way in which an entity's table differs from the truth."""

    def history(self) -> list[dict[str, Any]]:
        return scripted.history(self.warehouse)

    def asked(self, path: str = "") -> Sequence[Any]:
        """Requests since the ledger was reset."""
        return self.sandbox.ledger.select(path)

    def is_encrypted(self, entity: Entity) -> None:
        """What is sensitive is encrypted by syncs of it, and nothing else changes."""
        for turn in range(2):
            told = self.sync(entity.sync_type, full=bool(turn))
            assert (told.status, told.counts.failed) == ("success", 0)
            assert told.counts.unchanged == (told.counts.processed if turn else 0)
        assert self.wrong(entity.sync_type) == []
        with self.warehouse.connection() as connection:
            for column in encrypted_columns(entity.columns):
                query = (
                    f"SELECT count(*) FROM {entity.table} "  # noqa: S608  names of the declaration
                    f"WHERE {column.name}::text !~ '^[0-9a-f]+:'"
                )
                assert connection.execute(query).fetchone() == (0,), column.name


@pytest.fixture(scope="module")
def running(kind: type[Bench[Any]]) -> Iterator[Sandbox]:
    with Sandbox(seed=9, contacts=1, zipcodes=1, **kind.options) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    running.clock.freeze(NOON)
    return running


@pytest.fixture
def bench(
    kind: type[Bench[Any]], sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> Iterator[Bench[Any]]:
    with _opened(kind, sandbox, environment) as bench:
        yield bench


@pytest.fixture
def encrypting(
    kind: type[Bench[Any]], sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> Iterator[Bench[Any]]:
    """One whose warehouse encrypts what is sensitive."""
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", NEW)
    with _opened(kind, sandbox, environment) as bench:
        yield bench


@contextmanager
def _opened(
    kind: type[Bench[Any]], sandbox: Sandbox, environment: pytest.MonkeyPatch
) -> Iterator[Bench[Any]]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    bench = kind(sandbox, environment)
    yield bench
    bench.close()
