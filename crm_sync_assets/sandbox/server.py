"""The sandbox as one server, in a thread of this process."""

import asyncio
import logging
import socket
import threading
import time
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.control import Control
from crm_sync_assets.sandbox.crm import FOLDER, Crm, Stage, entries
from crm_sync_assets.sandbox.faults import Faults
from crm_sync_assets.sandbox.gate import CONTROL, Gate, Protocol
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Ledger
from crm_sync_assets.sandbox.people import HISTORY_END

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


class _Server(uvicorn.Server):
    """Ends when it is told to, and at once: uvicorn looks ten times a second whether it was, and
    waits another tenth for connections that need none.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Whoever says so first and looks for the loop then is heard in any case.
        if not self.should_exit:
            await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # Those that answer nothing are gone after this.
        await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)

    def end(self) -> None:
        """Stop serving; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._told.set)


class Sandbox:
    """The CRMs on a loopback port, with seeded data.

    The same seed and options give the same data, whenever and wherever. `port` 0 takes a free one.
    Further keywords are options of a CRM or knobs; see `options` of the CRMs' entries. `folders`
    are the packages whose CRMs are played. Each CRM's world is an attribute of its name.

        with Sandbox(seed=7, contacts=500, index_lag=30) as sandbox:
            client = Client(sandbox.env(), ...)
            sandbox.crms["…"].operate("edit", {...})
    """

    def __init__(
        self,
        seed: int = 7,
        host: str = "127.0.0.1",
        port: int = 0,
        folders: Sequence[str] = (FOLDER,),
        **further: object,
    ) -> None:
        self.clock = Clock(HISTORY_END)
        found = [(entry, entry.knobs()) for entry in entries(folders)]
        self.knobs = Knobs(*(own for _, own in found))
        options = {
            entry.name: {o.name: further.pop(o.name, o.default) for o in entry.options}
            for entry, _ in found
        }
        self.knobs.turn(further)
        self.faults = Faults()
        self.ledger = Ledger()
        self.crms: dict[str, Crm] = {}
        stage = Stage(self.clock, self.knobs.common, self.ledger, seed, self.crms)
        for entry, own in found:
            crm = entry.play(stage, own, **options[entry.name])
            if crm is not None:
                self.crms[entry.name] = crm
        self.control = Control(self.clock, self.knobs, self.faults, self.ledger, self.crms)
        self.app = self._build()
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._mover: threading.Thread | None = None
        self._stopping = threading.Event()

    def __getattr__(self, name: str) -> Any:
        crm = self.__dict__.get("crms", {}).get(name)
        if crm is None:
            raise AttributeError(f"the sandbox plays no {name!r}")
        return crm.world

    @property
    def url(self) -> str:
        """Where the server listens, without a slash at the end."""
        return f"http://{self._host}:{self._port}"

    def env(self) -> dict[str, str]:
        """Environment variables that point the product at this sandbox."""
        return {name: v for crm in self.crms.values() for name, v in crm.env(self.url).items()}

    def webhooks_env(self) -> dict[str, str]:
        """Variables with which its webhooks are subscribed to and proven."""
        return {name: v for crm in self.crms.values() for name, v in crm.webhooks_env().items()}

    def oauth_env(self) -> dict[str, str]:
        """The same for clients that refresh their tokens, where there is a choice."""
        found = [crm.env(self.url, oauth=True) for crm in self.crms.values()]
        return {name: value for env in found for name, value in env.items()}

    def reset(self) -> None:
        """Data, knobs, faults, ledger and clock as they were in the beginning."""
        self.control.reset()

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of the CRMs that move at every step and fewer of the others; one line
        each."""
        return [done for crm in self.crms.values() for done in crm.move(n // crm.pace, seed)]

    def move_every(self, seconds: float) -> None:
        """From now on a change every so many real seconds, until the sandbox stops."""

        def live() -> None:
            turn = 0
            while not self._stopping.wait(seconds):
                turn += 1
                for crm in self.crms.values():
                    if turn % crm.pace == 0:
                        crm.move(1, seed=1_000_000 + turn)

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
        server = self._server = _Server(config)

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
            self._server.end()
        for thread in (self._mover, self._thread):
            if thread is not None:
                thread.join(timeout=_START_SECONDS)
        self._server = self._thread = self._mover = None
        for crm in self.crms.values():
            crm.close()

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
        mounts, at = [Mount(CONTROL, routes=self.control.routes())], {}
        for crm in self.crms.values():
            for place, routes in crm.routes().items():
                mounts.append(Mount(place, routes=routes))
                at[place.split("/")[1]] = crm
        app = Starlette(routes=mounts)
        common, mutate = self.knobs.common, self.control.mutate
        self.gate = Gate(app, self.clock, common, self.faults, self.ledger, mutate, at)
        return app
