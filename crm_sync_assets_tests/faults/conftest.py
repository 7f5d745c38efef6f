"""Servers that break the wire, and clients that talk to them through real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.clients.http import Bearer, Http, Session
from crm_sync_assets.clients.limits import Budget
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests.faults.server import FaultServer, self_signed

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
