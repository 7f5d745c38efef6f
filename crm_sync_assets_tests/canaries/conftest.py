"""A project whose every credential is a canary, and whose source knows canary people."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from crm_sync_assets import redaction
from crm_sync_assets.cli import main
from crm_sync_assets.clients import answers
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import auth
from crm_sync_assets_tests.canaries.catalogue import ALL, BY_NAME, SECRETS, Canary
from crm_sync_assets_tests.canaries.sinks import Sinks, in_database, in_folder, leaks
from crm_sync_assets_tests.mariadb import mariadb, mysql_database

__all__ = ["mariadb", "mysql_database"]


@dataclass
class World:
    """The command line in this process, and everything it writes."""

    sandbox: Sandbox
    home: Path
    database_url: str
    environment: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]
    sinks: Sinks = field(default_factory=dict)

    def run(self, *words: str, shows_records: bool = False) -> tuple[int, str]:
        """A command: its exit status, and all it printed, which becomes a sink."""
        self.capfd.readouterr()
        status = main(words)
        out, err = self.capfd.readouterr()
        may_not: tuple[Canary, ...] = SECRETS if shows_records else ALL
        self.saw(f"crm-sync {words[0]} {words[-1]}, standard output", out, may_not)
        self.saw(f"crm-sync {words[0]} {words[-1]}, standard error", err)
        return status, out + err

    def saw(self, name: str, text: str, may_not: tuple[Canary, ...] = ALL) -> None:
        self.sinks[f"{len(self.sinks)} {name}"] = text, may_not

    def execute(self, statement: Any) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement)

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query).fetchall()

    def all_sinks(self) -> Sinks:
        return {**self.sinks, **in_database(self.database_url), **in_folder(self.home)}

    def leaks(self) -> list[str]:
        return leaks(self.all_sinks())


def with_password(url: str, password: str) -> str:
    """The embedded server trusts everybody, so any password will do."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://postgres:{quote(password, safe='')}@{rest.partition('@')[2]}"


@pytest.fixture
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A portal that is nearly empty."""
    with Sandbox(seed=7, contacts=20, zipcodes=10) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
        yield sandbox


@pytest.fixture
def secrets(
    sandbox: Sandbox, environment: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    """Every credential is a canary; the sandbox accepts them."""
    # What another test's secrets hide here must not hide a leak.
    environment.setattr(redaction, "_known", {})
    known = sandbox.crms["hubspot"].auth
    token, refresh = BY_NAME["HUBSPOT_TOKEN"].value, BY_NAME["HUBSPOT_REFRESH_TOKEN"].value
    known.tokens.accept(token, known.account)
    known.tokens.accept_refresh(refresh, known.account)
    environment.setattr(auth, "CLIENT_SECRET", BY_NAME["HUBSPOT_CLIENT_SECRET"].value)
    secret_file = tmp_path / "client_secret"
    secret_file.write_text(BY_NAME["HUBSPOT_CLIENT_SECRET"].value + "\n")
    for name in ("HUBSPOT_TOKEN", "ZIPCODES_GITHUB_TOKEN", "CRM_SYNC_ENCRYPTION_KEYS"):
        environment.setenv(name, BY_NAME[name].value)
    environment.setenv("HUBSPOT_CLIENT_ID", auth.CLIENT_ID)
    environment.setenv("HUBSPOT_REFRESH_TOKEN", refresh)
    environment.setenv("HUBSPOT_CLIENT_SECRET_FILE", str(secret_file))
    password = BY_NAME["CRM_SYNC_WAREHOUSE_URL"].value
    environment.setenv("CRM_SYNC_WAREHOUSE_URL", with_password(database_url, password))
    # Tests do not wait for a source to recover.
    environment.setattr(answers, "jitter", lambda _seconds: 0.0)


@pytest.fixture
def world(
    secrets: None,
    sandbox: Sandbox,
    environment: pytest.MonkeyPatch,
    database_url: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[World]:
    before = signal.getsignal(signal.SIGTERM)
    assert "CRM_SYNC_HOME" in os.environ
    yield World(sandbox, tmp_path / "home", database_url, environment, capfd)
    signal.signal(signal.SIGTERM, before)
