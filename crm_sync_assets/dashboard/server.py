"""The dashboard over HTTP: the page, /metrics and /healthz. It reads, and nothing else."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from crm_sync_assets.dashboard import metrics
from crm_sync_assets.dashboard.board import Board, read
from crm_sync_assets.dashboard.page import PERIODS, page
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, SyncError, UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.operations.alert_rules import declared_settings
from crm_sync_assets.redaction import redact
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.told import words
from crm_sync_assets.warehouse.connection import Warehouse

log = logger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, *, public: bool) -> None:
    """Raises UsageError for an address that others reach, unless that is wanted."""
    if not is_loopback(host) and not public:
        raise UsageError(
            f"on {host} anybody who reaches this machine could read the dashboard, which has no "
            "sign-in: give --public too, or put a proxy with one in front of 127.0.0.1"
        )


def app(
    open_warehouse: Callable[[], Warehouse],
    entities: Sequence[Entity],
    *,
    days_back: int,
    hosts: Sequence[str] = (),
    settings: Callable[[Entity], SyncSettings] = declared_settings,
) -> Starlette:
    """The application. It answers to the names of this machine's loopback and to `hosts`."""

    def board(days: int) -> Board:
        with open_warehouse().connection() as connection:
            now = datetime.now(UTC)
            return read(connection, entities, days_back=days, now=now, settings=settings)

    def shown(request: Request) -> Response:
        days = _days(request.query_params.get("days"), days_back)
        try:
            found = board(days)
        except (SyncError, psycopg.Error) as error:
            return _unavailable(error)
        return HTMLResponse(page(found, days_back=days, served=True), headers=HEADERS)

    def measured(_: Request) -> Response:
        try:
            found = board(1)
        except (SyncError, psycopg.Error) as error:
            log.warning("dashboard: %s", redact(words(error)))
            found = None
        return Response(metrics.exposition(found), media_type=metrics.CONTENT_TYPE)

    def healthy(_: Request) -> Response:
        try:
            with open_warehouse().connection() as connection:
                connection.execute("SELECT FROM ingestion_sync_history LIMIT 1")
        except (SyncError, psycopg.Error) as error:
            return _unavailable(error)
        return JSONResponse({"status": "ok"}, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/", shown),
            Route("/metrics", measured),
            Route("/healthz", healthy),
        ],
        middleware=[
            Middleware(KnownHosts, hosts=[*LOOPBACK, *hosts]),
            Middleware(GZipMiddleware, minimum_size=1024),
        ],
    )


class KnownHosts:
    """Answers 421 to requests for other names, so that no page of the web can read through one."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = _name(dict(scope["headers"]).get(b"host", b"").decode("latin-1"))
            if name not in self._hosts:
                refusal = PlainTextResponse(
                    "The dashboard does not go by this name: start it with --allow-host NAME.\n",
                    421,
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(host: str) -> str:
    """Of a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _days(given: str | None, default: int) -> int:
    """One of the periods; whatever else is asked for is the default."""
    return next((days for days in PERIODS if str(days) == given), default)


def _unavailable(error: Exception) -> Response:
    said = redact(words(error))
    log.warning("dashboard: %s", said)
    return PlainTextResponse(f"{said}\n", 503, headers=HEADERS)


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one.

    Raises UsageError for what is no port, FatalError where none can listen.
    """
    if not 0 <= port <= 65_535:
        raise UsageError(f"{port} is no port: give one up to 65535 with --port, 0 takes a free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen()
    except OSError as error:
        found.close()
        raise FatalError(
            f"port {port} of {host} cannot be used ({error.strerror}): give another with --port "
            "(0 takes a free one) or --host"
        ) from error
    return found


def server(application: Starlette) -> uvicorn.Server:
    """To be run with a listener as its only socket."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
    )
