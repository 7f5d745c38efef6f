"""A real PostgreSQL per test process, a fresh migrated database per test, a sandbox on demand."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from dagster._core.storage.defs_state.base import set_defs_state_storage

from crm_sync_assets import redaction, settings
from crm_sync_assets.operations import opening
from crm_sync_assets.redaction import PACKAGE
from crm_sync_assets.warehouse import embedded
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.migrations import migrate
from crm_sync_assets_tests.surroundings import OURS, copy_of, database

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory."""
ENOUGH_BYTES = 4 * 1024**3

HURRIED = ("fsync = off", "full_page_writes = off", "max_wal_size = '256MB'")
"""For a server that nobody kills; those that are killed are started by `Server`, as users' are."""

THOROUGH = ("browser", "canaries", "end_to_end", "hostile", "oracle", "promises")
"""Folders whose tests take their time: `make quick` leaves them out, `make test` does not."""

_dead: list[str] = []

# A busy machine is no failure: how long an example took says nothing about it.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_configure() -> None:
    """Temporary files live in memory where there is enough: a database is 300 files, made and
    removed for nearly each test. TMPDIR says otherwise. And SIGHUP ends a process, also where these
    tests run under nohup.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in THOROUGH:
            item.add_marker("thorough")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """pytest-xdist calls a session green whose worker died after its last test."""
    if error:
        _dead.append(f"{node.gateway.id}: {error}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _dead and session.exitstatus == pytest.ExitCode.OK:
        print(f"\na worker died: {', '.join(_dead)}")
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of an embedded PostgreSQL that lives as long as this test process."""
    with tempfile.TemporaryDirectory(prefix="crm_sync_tests_", ignore_cleanup_errors=True) as home:
        # The server runs as an unprivileged user when the tests run as root.
        Path(home).chmod(0o755)
        url = embedded.start(Path(home) / "postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in HURRIED:
                connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[arg-type]
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """A migrated database that each test's own is copied from."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_for_tests")
    warehouse = Warehouse(database(server_url, "template_for_tests"))
    migrate(warehouse)
    warehouse.close()
    return "template_for_tests"


@pytest.fixture(autouse=True)
def secrets_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test keeps secret, a word like `password` perhaps, is none in the next one."""
    monkeypatch.setattr(redaction, "_known", redaction._known)
    # Read anew, so that its secrets are kept again.
    monkeypatch.setattr(settings, "_read", None)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """The command line sets levels, handlers and filters for a whole process; a test is one."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = [handler for handler in root.handlers if handler in handlers]
    for name in [PACKAGE, *logging.root.manager.loggerDict]:
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            ours = logging.getLogger(name)
            ours.setLevel(logging.NOTSET)
            ours.filters.clear()
            ours.handlers.clear()
            ours.propagate = True
            ours.disabled = False


@pytest.fixture(autouse=True)
def no_instance_of_before() -> Iterator[None]:
    """Dagster forgets to leave an instance that was entered twice, as by a sensor's context, and
    whatever loads definitions next asks it, closed as it is.
    """
    with set_defs_state_storage(None):
        yield


@pytest.fixture(autouse=True)
def closed_warehouses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test opens is closed at its end: the collector would find an open connection
    much later, and blame the test that happens to run then.
    """
    opened: list[Warehouse] = []
    make = Warehouse.__init__

    def remembered(self: Warehouse, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        opened.append(self)

    monkeypatch.setattr(Warehouse, "__init__", remembered)
    yield
    for warehouse in opened:
        warehouse.close()


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    with copy_of(server_url, template) as url:
        yield url


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Warehouse]:
    warehouse = Warehouse(database_url)
    yield warehouse
    warehouse.close()


@pytest.fixture
def environment(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """An environment of its own: this test's database, an empty state folder, no `.env`."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRM_SYNC_WAREHOUSE_URL", database_url)
    monkeypatch.setenv("CRM_SYNC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield monkeypatch
    for warehouse in opening._warehouses.values():
        warehouse.close()
    opening._warehouses.clear()


@pytest.fixture
def sandbox(environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """A small HubSpot behind a real socket, without rate limits; the environment points to it."""
    from crm_sync_assets.sandbox import Sandbox

    with Sandbox(seed=7, contacts=300) as sandbox:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        # The sandbox's own limits are off, so the client need not keep to them either.
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", '[["burst", 100000, 10]]')
        yield sandbox
