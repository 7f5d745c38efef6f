"""Servers on real sockets, and accounts that speak to them; their waits take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.clients.rest.auth import Kind
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets_tests.clients.rest.scripted_api import MakeRun, MakeWire, Run
from crm_sync_assets_tests.faults.server import FaultServer

Serve = Callable[..., FaultServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, with the arguments of FaultServer."""
    with ExitStack() as servers:
        yield lambda *args, **options: servers.enter_context(FaultServer(*args, **options))


@dataclass
class Accounts:
    """Makes accounts of a CRM named things."""

    waits: list[float] = field(default_factory=list)
    opened: list[RestAccount] = field(default_factory=list)

    def api(
        self, base_url: str, kind: Kind | None, database_url: str | None = None, **settings: Any
    ) -> Http:
        """Its API, authorised by this kind."""
        account = RestAccount(
            "things",
            Environment(),
            SyncSettings(**settings),
            database_url=database_url,
            sleep=self.waits.append,
        )
        self.opened.append(account)
        return account.open_api(base_url, kind)


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    monkeypatch.chdir(tmp_path)
    accounts = Accounts()
    yield accounts
    for account in accounts.opened:
        account.close()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], None]:
    """Sets variables."""

    def give(values: Mapping[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return give


@pytest.fixture
def run(wire: MakeWire) -> MakeRun:
    """Makes readings of one source against an API that is a script."""
    return lambda api, source: Run(wire, api, source)
