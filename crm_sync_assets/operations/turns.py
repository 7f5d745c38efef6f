"""Turns at what webhooks told: each entity that has something pending, one after the other.

Without Dagster: in the receiver, as soon as something arrives, and by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import psycopg

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import SyncError
from crm_sync_assets.log import logger
from crm_sync_assets.operations.opening import open_client
from crm_sync_assets.operations.webhooks import Taken, take
from crm_sync_assets.redaction import redact
from crm_sync_assets.told import words
from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Waiting

log = logger(__name__)

PATIENCE_SECONDS: Final = 60.0
"""A source that wants a longer pause is asked again in another turn: syncs wait for this one."""

POLL_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 5.0
"""Until an entity is looked at again that is being synced, or cannot be read."""

AT_ONCE: Final = 4
"""Entities whose records are read at the same time."""


class Clients:
    """The clients of CRMs, each opened when it is first needed."""

    def __init__(
        self,
        opening: Callable[[str], Client] = lambda name: open_client(
            name, patience_seconds=PATIENCE_SECONDS
        ),
    ) -> None:
        self._open = opening
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}

    def of(self, crm: str) -> Client:
        """Raises UsageError naming the variable that is not set."""
        with self._lock:
            if crm not in self._clients:
                self._clients[crm] = self._open(crm)
            return self._clients[crm]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()


def turn(warehouse: Warehouse, waiting: Waiting, clients: Clients) -> Taken | None:
    """Read the records of what waits of one entity; None where it is none that is synced.

    Raises what `take` raises.
    """
    source, name = waiting.source, waiting.entity
    crm = registry.crm(source) if source in registry.names() else None
    active = {one.sync_type: one for one in registry.active(source)} if crm else {}
    entity = active.get(name)
    if crm is None or crm.webhooks is None or entity is None:
        with warehouse.connection() as connection:
            webhook_events.ignore(connection, source, name, webhook_events.NOT_SYNCED)
        return None
    settings = settings_for(crm, entity)
    return take(warehouse, entity, crm.webhooks, clients.of(source), settings)


def turns(warehouse: Warehouse, clients: Clients) -> Iterator[Taken | SyncError]:
    """One turn of each entity that has something pending; what went wrong in place of its turn."""
    with warehouse.connection() as connection:
        found: Sequence[Waiting] = webhook_events.waiting(connection)
    for waiting in found:
        try:
            taken = turn(warehouse, waiting, clients)
        except SyncError as error:
            yield error
            continue
        if taken is not None:
            yield taken


class Eager:
    """Takes turns in a thread of its own until it is stopped, whatever goes wrong in one."""

    def __init__(self, open_warehouse: Callable[[], Warehouse], clients: Clients) -> None:
        self._open_warehouse = open_warehouse
        self._clients = clients
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._under_way: dict[tuple[str, str], Future[None]] = {}
        self._not_before: dict[tuple[str, str], float] = {}
        self._said: dict[str, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it lasts; at its end, turns that are under way are waited for."""
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()
            self._clients.close()

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhooks") as threads:
            while not self._stopping.wait(POLL_SECONDS):
                try:
                    self._begin(threads)
                except (SyncError, psycopg.Error) as error:
                    self._say(redact(words(error)))
                    self._stopping.wait(PAUSE_SECONDS)
                except Exception as error:  # noqa: BLE001  what comes later must not wait for it
                    log.error("webhooks: %s", redact(words(error)))
                    self._stopping.wait(PAUSE_SECONDS)

    def _begin(self, threads: ThreadPoolExecutor) -> None:
        warehouse, now = self._open_warehouse(), time.monotonic()
        with warehouse.connection() as connection:
            found = webhook_events.waiting(connection)
        for waiting in found:
            name = (waiting.source, waiting.entity)
            before = self._under_way.get(name)
            if (before is None or before.done()) and now >= self._not_before.get(name, 0.0):
                self._under_way[name] = threads.submit(self._turn, warehouse, waiting)

    def _turn(self, warehouse: Warehouse, waiting: Waiting) -> None:
        pause = PAUSE_SECONDS
        try:
            taken = turn(warehouse, waiting, self._clients)
            if taken is not None and taken.why:
                self._say(taken.why)
            elif taken is not None and taken.left and not taken.events:
                self._say(
                    f"{taken.entity}: {taken.left} events are left to a delta: `crm-sync "
                    f"{taken.entity.crm} {taken.entity.sync_type}`"
                )
            else:
                pause = POLL_SECONDS
        except SyncError as error:
            self._say(redact(words(error)))
        except Exception as error:  # noqa: BLE001  the next turn must not be lost with this one
            log.error("webhooks: %s: %s", waiting.entity, redact(words(error)))
        self._not_before[waiting.source, waiting.entity] = time.monotonic() + pause

    def _say(self, text: str) -> None:
        """Once in ten minutes: what lasts is met in every turn."""
        now = time.monotonic()
        if now - self._said.get(text, -600.0) < 600.0:
            return
        self._said = {one: at for one, at in self._said.items() if now - at < 600.0}
        self._said[text] = now
        log.warning("webhooks: %s", text)
