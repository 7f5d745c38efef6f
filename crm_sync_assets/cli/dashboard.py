"""`crm-sync dashboard`: what was synced, on one page, served or written as a file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, port_number, positive
from crm_sync_assets.cli.tables import open_for_reading
from crm_sync_assets.errors import FatalError, UsageError

if TYPE_CHECKING:
    from crm_sync_assets.declarations.entity import Entity

MOST_DAYS = 365


def run(words: Sequence[str]) -> int:
    """Serve until Ctrl-C, or write the file."""
    given = parser().parse(words)
    if given.days > MOST_DAYS:
        raise UsageError(f"--days: at most {MOST_DAYS}")
    from crm_sync_assets.declarations import registry

    entities = list(registry.all_active().values())
    return _write(given, entities) if given.output else _serve(given, entities)


def parser() -> Parser:
    found = Parser(
        prog="crm-sync dashboard",
        description="SyncHistory and the tables on one page: freshness, watermarks, records a day, "
        "durations, API quota, quarantine, alerts. /metrics is for Prometheus, /healthz says "
        "whether the warehouse can be read.",
    )
    found.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
    found.add_argument("--port", type=port_number, default=3100, help="0: a free one [3100]")
    found.add_argument(
        "--public", action="store_true", help="listen on an address that other machines reach"
    )
    found.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name it is asked for by, beside this machine's own; several times if need be",
    )
    found.add_argument(
        "--days", type=positive, default=30, metavar="N", help="that are read, up to 365 [30]"
    )
    found.add_argument(
        "--output", metavar="FILE", help="write one HTML file for sharing, and serve nothing"
    )
    return found


def _write(given: Namespace, entities: Sequence[Entity]) -> int:
    from crm_sync_assets.dashboard.board import read
    from crm_sync_assets.dashboard.page import page

    warehouse = open_for_reading()
    with warehouse.connection() as connection:
        board = read(connection, entities, days_back=given.days, now=datetime.now(UTC))
    warehouse.close()
    path = Path(given.output).expanduser()
    try:
        path.write_text(page(board, days_back=given.days, served=False), encoding="utf-8")
    except OSError as error:
        raise FatalError(f"{path} cannot be written: {error.strerror}") from error
    print(f"{path}: {given.days} days, {len(board.states)} entities")
    return exits.SUCCESS


def _serve(given: Namespace, entities: Sequence[Entity]) -> int:
    from crm_sync_assets import log
    from crm_sync_assets.dashboard.server import app, check_address, listener, server

    check_address(given.host, public=given.public)
    log.configure("WARNING")
    warehouse = open_for_reading()
    hosts = [given.host, *given.allow_host]
    application = app(lambda: warehouse, entities, days_back=given.days, hosts=hosts)
    with listener(given.host, given.port) as socket:
        host = f"[{given.host}]" if ":" in given.host else given.host
        address = f"http://{host}:{socket.getsockname()[1]}"
        print(f"the dashboard is at {address}; Ctrl-C stops it", flush=True)
        try:
            server(application).run(sockets=[socket])
        except KeyboardInterrupt:
            pass
        finally:
            warehouse.close()
    return exits.SUCCESS
