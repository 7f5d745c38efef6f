"""Servers that break the wire, and clients that talk to them through real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.limits import Budget
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import SyncError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.faults.server import FaultServer, proxy_to, self_signed
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

TOKEN = "pat-na1-canary-0123456789"


@dataclass
class Clients:
    """Makes clients; their waits between tries are written down instead of waited for."""

    waits: list[float] = field(default_factory=list)
    opened: list[Http] = field(default_factory=list)

    def session(self, base_url: str, **settings: Any) -> Session:
        """A session with the server, on behalf of `crm.things`."""
        http = Http(
            base_url,
            auth=Bearer(TOKEN, "CRM_TOKEN"),
            budget=Budget({}),
            settings=SyncSettings(**({"max_attempts": 3} | settings)),
            sleep=self.waits.append,
        )
        self.opened.append(http)
        return http.session("crm.things")


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    for http in clients.opened:
        http.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """Starts fault servers, with the arguments of FaultServer."""
    with ExitStack() as servers:
        yield lambda *args, **options: servers.enter_context(FaultServer(*args, **options))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"))


# HubSpot behind such a server


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    others = {"deals": 10, "appointments": 10, "companies": 5, "tickets": 5, "line_items": 5}
    with Sandbox(seed=11, contacts=300, counts=others, zipcodes=60) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def wire(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, serve: Callable[..., FaultServer]
) -> FaultServer:
    """What stands between HubSpot and its client; the environment points to it."""
    server = serve(proxy_to(sandbox.url))
    for name, value in sandbox.env().items():
        environment.setenv(name, value.replace(sandbox.url, server.url))
    environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
    environment.setenv("CRM_SYNC_HUBSPOT__MAX_ATTEMPTS", "3")
    return server


class Syncs(HubSpotSyncs):
    """HubSpot's syncs, with waits written down instead of waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        client: Any = self.client
        client._sleep = self.waits.append
        for http in client._opened:
            http.sleep = self.waits.append

    def fails(self, name: str = "contacts", **flags: Any) -> dict[str, Any]:
        """The history row of a sync that has to fail."""
        with pytest.raises(SyncError):
            self.sync(name, **flags)
        row = history(self.warehouse)[-1]
        assert (row["status"], row["watermark"]) == ("failed", None)
        assert row["end_time"] is not None
        return row


@pytest.fixture
def hubspot(wire: FaultServer) -> Iterator[Syncs]:
    syncs = Syncs()
    yield syncs
    syncs.close()


def wrong(sandbox: Sandbox, warehouse: Warehouse, name: str = "contacts") -> list[str]:
    """Every way in which one entity's table differs from the truth."""
    entity = registry.entity(f"hubspot.{name}")
    return list(entity_differences(sandbox, warehouse, entity, True))
