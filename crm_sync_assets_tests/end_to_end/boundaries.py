"""Syncs of the scripted CRM in forked processes that kill themselves between two statements.

    python -m crm_sync_assets_tests.end_to_end.boundaries

Reads orders from standard input, one JSON object a line, and answers each with one: how many
times the process spoke with the server, and how it ended. The parent imports everything once and
never touches the database, so a process costs a fork.

A boundary is an exchange with the server: a statement, a BEGIN or COMMIT, a piece of a COPY.
Everything that reaches the server goes through `psycopg.Connection.wait`; the engine knows
nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import psycopg

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.engine.run import drain
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    THINGS,
    FakeClient,
    person,
    start,
)

PAGE = 40


@dataclass(frozen=True)
class Scenario:
    """What is stored `before`, and the sync that is killed: its source, its flags, its end.

    Records `waiting` in the quarantine make it a replay.
    """

    entity: Entity
    records: list[Record]
    before: list[Record] = field(default_factory=list)
    waiting: list[Record] = field(default_factory=list)
    flags: Mapping[str, Any] = field(default_factory=dict)
    tombstones: tuple[Tombstone, ...] = ()
    confirmed: int = 0
    ends_as: str = "success"

    def client(self, now: datetime) -> FakeClient:
        return FakeClient(
            list(self.records),
            page_size=PAGE,
            now=now,
            tombstones=self.tombstones,
            confirmed=self.confirmed,
        )


def _thing(number: int, name: str = "thing") -> Record:
    return {"id": str(number), "name": f"{name} {number}"}


def _poor(number: int, **values: Any) -> Record:
    """A person no row can be made of: its key is a list."""
    return {**person(number, **values), "id": [str(number)]}


OLD = [person(n) for n in range(60)]
CHANGED = [
    *(person(n, at=60, name="changed") for n in range(10, 30)),
    *(person(n, at=60) for n in range(100, 140)),
]
POOR = [_poor(900), _poor(901)]

SCENARIOS = {
    "first": Scenario(PEOPLE, [person(n) for n in range(70)]),
    "delta": Scenario(
        PEOPLE,
        [*CHANGED, *POOR, person(200, at=70, merged="3")],
        before=OLD,
        tombstones=(Tombstone(("5",)), Tombstone(("7",), merged_into="8")),
        ends_as="partial",
    ),
    "replacement": Scenario(
        PEOPLE,
        [*OLD[4:], *CHANGED],
        before=OLD,
        flags={"full": True, "force": True},
    ),
    "everything": Scenario(
        THINGS,
        [_thing(n, "new" if n % 3 else "thing") for n in range(5, 75)],
        before=[_thing(n) for n in range(60)],
    ),
    "removal": Scenario(
        PEOPLE_REMOVAL,
        [],
        before=OLD,
        tombstones=(Tombstone(("5",)), Tombstone(("7",))),
        confirmed=58,
    ),
    "replay": Scenario(
        PEOPLE, [], before=OLD, waiting=[person(5, at=60), person(300), *POOR], ends_as="partial"
    ),
}


def ready(scenario: Scenario, warehouse: Warehouse, now: datetime) -> Callable[[], object]:
    """The scenario's sync or replay, to be called."""
    if scenario.waiting:
        with warehouse.connection() as connection:
            entries = quarantine.entries(connection)
        return lambda: replay(warehouse, scenario.entity, entries)
    client = scenario.client(now)
    return lambda: drain(start(warehouse, client, scenario.entity, **scenario.flags))


SILENT = {"BasePipeline._enter_gen"}
"""Exchanges in which nothing is sent: none of their answers can be lost."""

Blow = Literal["killed", "lost before it", "lost after it"]


@dataclass
class Strike:
    """At the n-th exchange with the server (0: never) the process dies or the connection does.

    A connection lost after the exchange did reach the server: only its answer is missing.
    """

    nth: int
    blow: Blow = "killed"
    passed: list[str] = field(default_factory=list)

    def __enter__(self) -> Strike:
        self._exchange = psycopg.Connection.wait

        def wait(connection: Any, exchange: Any, *arguments: Any, **options: Any) -> Any:
            self.passed.append(exchange.__qualname__)
            if len(self.passed) != self.nth:
                return self._exchange(connection, exchange, *arguments, **options)
            if self.blow == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.blow == "lost before it":
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
            found = self._exchange(connection, exchange, *arguments, **options)
            if exchange.__qualname__ in SILENT:
                return found
            connection.pgconn.finish()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        psycopg.Connection.wait = wait  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        psycopg.Connection.wait = self._exchange  # type: ignore[method-assign]


def _child(order: Mapping[str, Any], answer: int) -> int:
    warehouse = Warehouse(order["url"])
    # What counts is the sync itself, not the connecting.
    with warehouse.connection():
        pass
    now = datetime.fromisoformat(order["now"])
    sync = ready(SCENARIOS[order["scenario"]], warehouse, now)
    with Strike(order["kill"]) as strike:
        sync()
    os.write(answer, json.dumps(strike.passed).encode())
    return 0


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os._exit(_child(order, writing))
            finally:
                os._exit(70)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        told = os.read(reading, 100_000)
        os.close(reading)
        print(
            json.dumps(
                {
                    "exit": os.waitstatus_to_exitcode(status),
                    "exchanges": json.loads(told or "[]"),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
