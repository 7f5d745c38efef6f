"""A private MariaDB per test process, a fresh database per test.

Skipped where its server is not installed; in CI that fails.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

MARIADBD = shutil.which("mariadbd") or shutil.which("mysqld") or shutil.which("/usr/sbin/mariadbd")
"""The server's program, None where it is not installed."""

_numbers = itertools.count()
_START_SECONDS = 60


class MariaDB:
    """A server of our own on a loopback port, and an administrator's session on it."""

    def __init__(self, folder: Path, mysqld: str, *options: str) -> None:
        self._options = options
        self._folder = folder
        self._mysqld = mysqld
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data, log = self._folder / "data", self._folder / "log"
        install = shutil.which("mariadb-install-db") or "mariadb-install-db"
        user = "--user=root" if os.geteuid() == 0 else f"--user={Path.home().owner()}"
        subprocess.run(
            [
                *(install, "--no-defaults", f"--datadir={data}", user),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(self._mysqld, "--no-defaults", f"--datadir={data}", user),
                    *(f"--port={self.port}", "--bind-address=127.0.0.1"),
                    *(f"--socket={self._folder}/sock", f"--pid-file={self._folder}/pid"),
                    *("--innodb-buffer-pool-size=128M", "--innodb-flush-log-at-trx-commit=0"),
                    *("--innodb-log-file-size=64M", "--sync-binlog=0", "--skip-name-resolve"),
                    "--character-set-server=utf8mb4",
                    *self._options,
                ],
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.admin().close()
                return
            except pymysql.err.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
                time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def admin(self, database: str | None = None) -> Any:
        """A root session that commits each statement; closed by whoever asked for it."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of the last statement."""
        connection = self.admin(database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def url(self, database: str, user: str = "root", password: str = "") -> str:
        credentials = f"{user}:{password}" if password else user
        return f"mysql://{credentials}@127.0.0.1:{self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB that lives as long as this test process."""
    if MARIADBD is None:
        message = "no mariadbd here: apt-get install mariadb-server"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with tempfile.TemporaryDirectory(prefix="mariadb_", ignore_cleanup_errors=True) as folder:
        server = MariaDB(Path(folder), MARIADBD)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def mysql_database(mariadb: MariaDB) -> Iterator[str]:
    """The name of an empty database."""
    name = f"genius_{next(_numbers)}"
    mariadb.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield name
    mariadb.execute(f"DROP DATABASE {name}")
