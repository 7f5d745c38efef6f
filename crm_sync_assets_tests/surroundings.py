"""What tests stand on: variables of the environment, databases, a server of their own."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.warehouse import embedded

OURS = (
    "CRM_SYNC_",
    "DAGSTER_",
    *sorted(
        {
            f"{name.partition('_')[0]}_"
            for crm in registry.crms().values()
            for name in (crm.name.upper(), *(variable.name for variable in crm.variables))
            if not name.startswith("CRM_SYNC_")
        }
    ),
)
"""How the variables begin that this project reads."""

_numbers = itertools.count()


def database(url: str, name: str) -> str:
    """The same server's URL, another database."""
    head, _, options = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}?{options}"


@contextmanager
def copy_of(server_url: str, template: str) -> Iterator[str]:
    """The URL of a database that is a copy of `template`, for as long as the block lasts."""
    name = f"copy_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield database(server_url, name)
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


class Server:
    """An embedded PostgreSQL of this test's own, which can be stopped like a power cut."""

    def __init__(self, folder: Path) -> None:
        self._server = embedded.Server(folder)
        self.url = self._server.start()
        self.standby = folder / "standby.signal"
        """A server that starts while this is there answers questions only (a hot standby)."""

    def restart(self, pause_seconds: float) -> None:
        self.cut()
        time.sleep(pause_seconds)
        self.start()

    def cut(self) -> None:
        """Stop it as a power cut would; the sessions end without a word."""
        self._server.stop("immediate")

    def start(self) -> None:
        """Start it unless it runs."""
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
