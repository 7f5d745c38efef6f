"""The real parts of an example: PostgreSQL, HubSpot, Genius, and processes that can be killed."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from psycopg import sql

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets_tests.mariadb import MARIADBD, MariaDB
from crm_sync_assets_tests.receiver.bench import SECRETS
from crm_sync_assets_tests.surroundings import OURS, Server, database

ROOT = Path(__file__).parents[2]
CONTACTS, DEALS = 28, 12

SETTINGS = {
    # A page is a batch, and one page is fetched ahead: a sync is many small steps, always the same.
    "CRM_SYNC_HUBSPOT__PAGE_SIZE": "5",
    "CRM_SYNC_HUBSPOT__LOAD_ROWS": "5",
    "CRM_SYNC_HUBSPOT__PREFETCH_PAGES": "1",
    "CRM_SYNC_HUBSPOT__RATE_WINDOWS": "[]",
    "CRM_SYNC_HUBSPOT__MAX_ATTEMPTS": "3",
    # Of two at once the second is refused, also when it has a window of dates.
    "CRM_SYNC_HUBSPOT__WAIT_SECONDS": "0",
    "CRM_SYNC_GENIUS__WAIT_SECONDS": "0",
    "CRM_SYNC_HUBSPOT__ASSOCIATIONS_CONTACT_DEAL__PAGE_SIZE": "4",
    "CRM_SYNC_GENIUS__PAGE_SIZE": "4",
    "CRM_SYNC_GENIUS__LOAD_ROWS": "4",
    "CRM_SYNC_GENIUS__PREFETCH_PAGES": "1",
    "CRM_SYNC_CALLRAIL__PAGE_SIZE": "5",
    "CRM_SYNC_CALLRAIL__LOAD_ROWS": "5",
    "CRM_SYNC_CALLRAIL__PREFETCH_PAGES": "1",
    "CRM_SYNC_CALLRAIL__RATE_WINDOWS": "[]",
    "CRM_SYNC_CALLRAIL__MAX_ATTEMPTS": "3",
    "CRM_SYNC_CALLRAIL__WAIT_SECONDS": "0",
    "CRM_SYNC_PIPEDRIVE__PAGE_SIZE": "5",
    "CRM_SYNC_PIPEDRIVE__LOAD_ROWS": "5",
    "CRM_SYNC_PIPEDRIVE__PREFETCH_PAGES": "1",
    "CRM_SYNC_PIPEDRIVE__RATE_WINDOWS": "[]",
    "CRM_SYNC_PIPEDRIVE__MAX_ATTEMPTS": "3",
    "CRM_SYNC_PIPEDRIVE__WAIT_SECONDS": "0",
    "CRM_SYNC_ARRIVY__PAGE_SIZE": "10",
    "CRM_SYNC_ARRIVY__LOAD_ROWS": "5",
    "CRM_SYNC_ARRIVY__PREFETCH_PAGES": "1",
    "CRM_SYNC_ARRIVY__RATE_WINDOWS": "[]",
    "CRM_SYNC_ARRIVY__MAX_ATTEMPTS": "3",
    "CRM_SYNC_ARRIVY__WAIT_SECONDS": "0",
    "CRM_SYNC_SALESRABBIT__PAGE_SIZE": "10",
    "CRM_SYNC_SALESRABBIT__LOAD_ROWS": "5",
    "CRM_SYNC_SALESRABBIT__PREFETCH_PAGES": "1",
    "CRM_SYNC_SALESRABBIT__RATE_WINDOWS": "[]",
    "CRM_SYNC_SALESRABBIT__MAX_ATTEMPTS": "3",
    "CRM_SYNC_SALESRABBIT__WAIT_SECONDS": "0",
    "CRM_SYNC_LEADCONDUIT__PAGE_SIZE": "5",
    "CRM_SYNC_LEADCONDUIT__LOAD_ROWS": "5",
    "CRM_SYNC_LEADCONDUIT__PREFETCH_PAGES": "1",
    "CRM_SYNC_LEADCONDUIT__RATE_WINDOWS": "[]",
    "CRM_SYNC_LEADCONDUIT__MAX_ATTEMPTS": "3",
    "CRM_SYNC_LEADCONDUIT__WAIT_SECONDS": "0",
    "CRM_SYNC_LEADCONDUIT__KEEPS_DAYS": "9999",
    # Who is killed leaves its place to others a minute later, and nobody waits so long here.
    "CRM_SYNC_MARKETSHARP__REQUESTS_AT_ONCE": "50",
    "CRM_SYNC_MARKETSHARP__PAGE_SIZE": "5",
    "CRM_SYNC_MARKETSHARP__LOAD_ROWS": "5",
    "CRM_SYNC_MARKETSHARP__PREFETCH_PAGES": "1",
    "CRM_SYNC_MARKETSHARP__RATE_WINDOWS": "[]",
    "CRM_SYNC_MARKETSHARP__MAX_ATTEMPTS": "3",
    "CRM_SYNC_MARKETSHARP__WAIT_SECONDS": "0",
    "CRM_SYNC_GSHEET__PAGE_SIZE": "5",
    "CRM_SYNC_GSHEET__LOAD_ROWS": "5",
    "CRM_SYNC_GSHEET__PREFETCH_PAGES": "1",
    "CRM_SYNC_GSHEET__RATE_WINDOWS": "[]",
    "CRM_SYNC_GSHEET__MAX_ATTEMPTS": "3",
    "CRM_SYNC_GSHEET__WAIT_SECONDS": "0",
    "CRM_SYNC_SALESFORCE__PAGE_SIZE": "5",
    "CRM_SYNC_SALESFORCE__LOAD_ROWS": "5",
    "CRM_SYNC_SALESFORCE__PREFETCH_PAGES": "1",
    "CRM_SYNC_SALESFORCE__MAX_ATTEMPTS": "3",
    "CRM_SYNC_SALESFORCE__WAIT_SECONDS": "0",
    "CRM_SYNC_SALESFORCE__RATE_RESERVE": "0",
    "CRM_SYNC_SALESFORCE__BULK_ROWS": "18",
    "CRM_SYNC_SALESPRO__PAGE_SIZE": "5",
    "CRM_SYNC_SALESPRO__LOAD_ROWS": "5",
    "CRM_SYNC_SALESPRO__PREFETCH_PAGES": "1",
    "CRM_SYNC_SALESPRO__RATE_WINDOWS": "[]",
    "CRM_SYNC_SALESPRO__MAX_ATTEMPTS": "3",
    "CRM_SYNC_SALESPRO__WAIT_SECONDS": "0",
    "CRM_SYNC_FIVE9__LOAD_ROWS": "5",
    "CRM_SYNC_FIVE9__PREFETCH_PAGES": "1",
    "CRM_SYNC_FIVE9__RATE_WINDOWS": "[]",
    "CRM_SYNC_FIVE9__MAX_ATTEMPTS": "3",
    "CRM_SYNC_FIVE9__WAIT_SECONDS": "0",
    "FIVE9_MOST_RECORDS": "8",
    "GENIUS_TIME_ZONE": "US/Pacific",
    **SECRETS,
}

_numbers = itertools.count()


class Bench:
    """Started once per process; each example takes a fresh `database` and a fresh world."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._mariadb: MariaDB | None = None

    def __enter__(self) -> Bench:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def _start(self) -> None:
        enter = self._open.enter_context
        folder = tempfile.TemporaryDirectory(prefix="crm_sync_oracle_", ignore_cleanup_errors=True)
        self.folder = Path(enter(folder))
        # The server runs as an unprivileged user when the tests run as root.
        self.folder.chmod(0o755)
        cleared = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        enter(mock.patch.dict(os.environ, {**cleared, **SETTINGS}, clear=True))
        os.environ["CRM_SYNC_HOME"] = str(self.folder / "home")
        self._open.callback(os.chdir, Path.cwd())
        os.chdir(self.folder)
        self.server = Server(self.folder / "postgres")
        self._open.callback(self.server.stop)
        # A stop at once is no power cut: what was written stays in the system's cache.
        for setting in ("fsync", "full_page_writes"):
            self._admin(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        self._admin(sql.SQL("SELECT pg_reload_conf()"))
        self._admin(sql.SQL("CREATE DATABASE oracle_template"))
        template = Warehouse(database(self.server.url, "oracle_template"))
        migrate(template)
        template.close()
        counts = {"deals": DEALS, "companies": 3, "divisions": 3}
        callrail = {"callrail_calls": 25, "callrail_accounts": 1, "callrail_others": 6}
        pipedrive = {"pipedrive_deals": 20}
        arrivy = {"arrivy_tasks": 30, "arrivy_others": 12}
        salesrabbit = {"salesrabbit_leads": 25, "salesrabbit_users": 12}
        leadconduit = {"leadconduit_leads": 25}
        gsheet = {"gsheet_leads": 12, "gsheet_spends": 14}
        salesforce = {"salesforce_contacts": 25}
        salespro = {"salespro_rows": 20}
        marketsharp = {"marketsharp_contacts": 20}
        five9 = {"five9_contacts": 25}
        self.sandbox = enter(
            Sandbox(
                seed=7,
                contacts=CONTACTS,
                counts=counts,
                zipcodes=10,
                **callrail,
                **pipedrive,
                **salesrabbit,
                **arrivy,
                **leadconduit,
                **gsheet,
                **salesforce,
                **salespro,
                **marketsharp,
                **five9,
            )
        )
        os.environ.update(self.sandbox.env())
        self.killer = Killer(self.folder / "killer.log")
        self._open.callback(self.killer.stop)

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def mariadb(self) -> MariaDB:
        """Genius's server, started when it is first asked for."""
        if self._mariadb is None:
            assert MARIADBD is not None
            folder = tempfile.TemporaryDirectory(prefix="mariadb_", ignore_cleanup_errors=True)
            self._mariadb = MariaDB(Path(self._open.enter_context(folder)), MARIADBD)
            self._open.callback(self._mariadb.stop)
            self._mariadb.start()
        return self._mariadb

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh, migrated database; the environment names it."""
        name = sql.Identifier(f"oracle_{next(_numbers)}")
        self._admin(sql.SQL("CREATE DATABASE {} TEMPLATE oracle_template").format(name))
        url = database(self.server.url, name.as_string().strip('"'))
        with self.environment(CRM_SYNC_WAREHOUSE_URL=url):
            yield url
        self._admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def environment(self, **values: str) -> AbstractContextManager[Any]:
        """Variables for as long as an example takes."""
        return mock.patch.dict(os.environ, values)

    def _admin(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(statement)


class Killer:
    """A warm process that forks one per sync; that one may kill itself at its n-th statement."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "crm_sync_assets_tests.oracle.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def sync(self, **order: Any) -> int:
        """The exit code of a sync of crm, entity, flags; see `killed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        env = {k: v for k, v in os.environ.items() if k.startswith(OURS)}
        self._process.stdin.write(json.dumps({**order, "environment": env}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


def until(claim: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait for it; AssertionError saying `what` did not happen."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def fetches_ended() -> None:
    """Wait for the requests in flight of syncs that have ended: they still reach the source."""
    for thread in threading.enumerate():
        if thread.name == "fetch":
            thread.join(30)


def pick(among: Sequence[Any], number: int) -> Any:
    """One of them by a number of any size; None of nothing."""
    return among[number % len(among)] if among else None
