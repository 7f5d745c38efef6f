"""The sandbox as one server, in a thread of this process."""

import logging
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.control import Control, Crm
from crm_sync_assets.sandbox.crms.genius.crm import Genius
from crm_sync_assets.sandbox.crms.github.crm import GitHub
from crm_sync_assets.sandbox.crms.hubspot.crm import HubSpot
from crm_sync_assets.sandbox.crms.hubspot.values import HISTORY_END
from crm_sync_assets.sandbox.crms.hubspot.world import World
from crm_sync_assets.sandbox.faults import Faults
from crm_sync_assets.sandbox.gate import CONTROL, Gate, Protocol
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Ledger

log = logging.getLogger(__name__)
_START_SECONDS = 20


class _Listener(socket.socket):
    """Remembers whom it let in: a loop that ends just then forgets to hang up."""

    def __init__(self, *kind: int) -> None:
        super().__init__(*kind)
        self._accepted: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        connection, peer = super().accept()
        self._accepted.add(connection)
        return connection, peer

    def hang_up(self) -> None:
        for connection in list(self._accepted):
            connection.close()


class Sandbox:
    """The CRMs on a loopback port, with seeded data.

    The same seed and counts give the same data, whenever and wherever. `contacts` is the number of
    live contacts in the beginning; the other types follow it unless `counts` names them. `port` 0
    takes a free one. With `genius_url`, a database (MySQL, MariaDB or PostgreSQL) that may be
    emptied, Genius is played there. Further keywords are knobs.

        with Sandbox(seed=7, contacts=500, index_lag=30) as sandbox:
            client = HubSpot(sandbox.env()["HUBSPOT_BASE_URL"], ...)
            sandbox.hubspot.edit("contacts", sandbox.hubspot.ids("contacts")[0], {"city": None})
    """

    def __init__(
        self,
        seed: int = 7,
        contacts: int = 500,
        counts: Mapping[str, int] | None = None,
        zipcodes: int = 400,
        host: str = "127.0.0.1",
        port: int = 0,
        genius_url: str | None = None,
        genius_prospects: int = 300,
        **knobs: object,
    ) -> None:
        self.clock = Clock(HISTORY_END)
        self.knobs = Knobs()
        self.knobs.turn(knobs)
        self.faults = Faults()
        self.ledger = Ledger()
        self.hubspot_crm = HubSpot(
            self.clock, self.knobs, self.ledger, seed, contacts, counts or {}
        )
        self.github = GitHub(self.clock, self.knobs, self.ledger, seed, zipcodes)
        self.hubspot_crm.elsewhere["zipcodes"] = self.github.truth
        self.crms: dict[str, Crm] = {"hubspot": self.hubspot_crm, "github": self.github}
        self.genius = Genius(genius_url, self.clock, seed, genius_prospects) if genius_url else None
        if self.genius is not None:
            self.crms["genius"] = self.genius
        self.control = Control(self.clock, self.knobs, self.faults, self.ledger, self.crms)
        self.app = self._build()
        self._host, self._port = host, port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._mover: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def hubspot(self) -> World:
        """The HubSpot portal's records and operations."""
        return self.hubspot_crm.world

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    def env(self) -> dict[str, str]:
        """Environment variables that point the product at this sandbox."""
        return {name: v for crm in self.crms.values() for name, v in crm.env(self.url).items()}

    def oauth_env(self) -> dict[str, str]:
        """The same with OAuth client, secret and refresh token in place of HUBSPOT_TOKEN."""
        env = {k: v for k, v in self.env().items() if k != "HUBSPOT_TOKEN"}
        return {**env, **self.hubspot_crm.oauth_env(self.url)}

    def reset(self) -> None:
        """Data, knobs, faults, ledger and clock as they were in the beginning."""
        self.control.reset()

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random mutations of HubSpot and a few elsewhere; one line each."""
        done = [*self.hubspot.move(n, seed), *self.github.move(n // 20, seed)]
        return done + (self.genius.world.move(n // 4, seed) if self.genius else [])

    def move_every(self, seconds: float) -> None:
        """From now on one mutation every so many real seconds, until the sandbox stops."""

        def live() -> None:
            turn = 0
            while not self._stopping.wait(seconds):
                turn += 1
                self.move(1, seed=1_000_000 + turn)
                if turn % 20 == 0:
                    self.github.move(1, seed=turn)
                if turn % 4 == 0 and self.genius is not None:
                    self.genius.world.move(1, seed=turn)

        self._mover = threading.Thread(target=live, name="sandbox-mover", daemon=True)
        self._mover.start()

    def start(self) -> Self:
        """Listen. RuntimeError when that does not work out."""
        # Without the protocol named asyncio leaves Nagle on: 40 ms per answer.
        listener = _Listener(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self._host, self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.gate,
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        server = self._server = uvicorn.Server(config)

        def serve() -> None:
            with listener:
                server.run(sockets=[listener])
            listener.hang_up()

        self._stopping.clear()
        self.gate.closing = False
        self._thread = threading.Thread(target=serve, name="sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        log.info("sandbox: listening on %s", self.url)
        return self

    def stop(self) -> None:
        """Close; requests still waiting in a fault end at once."""
        self._stopping.set()
        self.gate.closing = True
        if self._server is not None:
            self._server.should_exit = True
        for thread in (self._mover, self._thread):
            if thread is not None:
                thread.join(timeout=_START_SECONDS)
        self._server = self._thread = self._mover = None
        if self.genius is not None:
            self.genius.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _build(self) -> Starlette:
        mounts = [Mount(CONTROL, routes=self.control.routes())]
        for crm in self.crms.values():
            mounts += [Mount(at, routes=routes) for at, routes in crm.routes().items()]
        app = Starlette(routes=mounts)
        self.gate = Gate(app, self.clock, self.knobs, self.faults, self.ledger, self.control.mutate)
        return app
