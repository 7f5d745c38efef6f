"""The receiver as a server: a socket, and one process or several that answer on it."""

from __future__ import annotations

import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from crm_sync_assets import log
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.receiver.app import Receiver, app
from crm_sync_assets.settings import environment

FACTORY: Final = "crm_sync_assets.receiver.serving:application"
MOST_AT_ONCE: Final = 500
"""Requests that one process works on; to further ones it says 503."""
STOPPING_SECONDS: Final = 10


def senders() -> dict[str, Webhooks]:
    """Every CRM that tells of changes, by name."""
    found = {name: crm.webhooks for name, crm in registry.crms().items()}
    return {name: webhooks for name, webhooks in found.items() if webhooks is not None}


def expected() -> list[str]:
    """The names of those whose deliveries can be proven. Raises UsageError for what is amiss."""
    found = {name: one for name, one in senders().items() if one.is_expected}
    for webhooks in found.values():
        webhooks.given(environment())
    return list(found)


def application() -> Starlette:
    """The application, as each process makes it from the environment."""
    log.configure("WARNING")
    return app(Receiver(senders(), open_warehouse, environment))


def serve(listener: socket.socket, *, workers: int) -> None:
    """Answer on this socket until SIGTERM or SIGINT; what was begun is answered first."""
    config = uvicorn.Config(
        FACTORY,
        factory=True,
        workers=workers,
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        ws="none",
        limit_concurrency=MOST_AT_ONCE,
        timeout_graceful_shutdown=STOPPING_SECONDS,
        timeout_keep_alive=30,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    Multiprocess(config, sockets=[listener]).run()
