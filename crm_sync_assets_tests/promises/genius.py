"""Genius: tables of a database, asked in SQL, where a deleted row leaves no trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Self

import pytest
import sqlalchemy as sa

from crm_sync_assets.errors import FatalError, Forbidden, Unauthorized, Unavailable, Unknown
from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.sandbox.faults import Faults
from crm_sync_assets_tests.crms.genius.truth import differences
from crm_sync_assets_tests.mariadb import MariaDB
from crm_sync_assets_tests.promises.driver import NOON, Fault, Key, Reading, Subject

LIES: Mapping[str, Callable[[Any], Any]] = {
    "empty": lambda rows: rows[:0],
    "short": lambda rows: rows[:-1],
}
"""A result may be cut on its way; a database leaves no row out of its middle."""


def refusal(number: int, state: str, words: str) -> Mapping[str, Any]:
    """The server answers a statement with one of its errors."""
    return {"body": f"SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO={number}, MESSAGE_TEXT='{words}'"}


class TableSubject(Subject):
    """A page's statement meets the fault script in place of a request; what a rule answers with is
    asked of the server instead.
    """

    crm = "genius"
    table: ClassVar[str]
    key: ClassVar[str]
    modified: ClassVar[str | None]
    count = 60
    faults: ClassVar = {
        "lost connection": Fault({"body": "KILL CONNECTION_ID()"}, Unavailable),
        "deadlock": Fault(refusal(1213, "40001", "Deadlock found"), Unavailable),
        "too many connections": Fault(refusal(1040, "08004", "Too many"), Unavailable),
        "too long a query": Fault(refusal(1969, "70100", "Too long"), FatalError, retried=False),
        "no such table": Fault(refusal(1146, "42S02", "No table"), FatalError, retried=False),
        "not granted": Fault(refusal(1142, "42000", "Denied"), Forbidden, retried=False),
        "refused login": Fault(refusal(1045, "28000", "Denied"), Unauthorized, retried=False),
    }
    absences: ClassVar = {
        "no such table": Fault(refusal(1146, "42S02", "No table"), Unknown, retried=False),
        "not granted": Fault(refusal(1142, "42000", "Denied"), Forbidden, retried=False),
    }
    restores = ("as it was",)

    def __init__(self, environment: pytest.MonkeyPatch, server: MariaDB, database: str) -> None:
        super().__init__(environment)
        self.clock = Clock(NOON)
        self.clock.freeze(NOON)
        self.world = World(server.url(database), self.clock, prospects=75)
        self.world.sources = {self.table: self.world.sources[self.table]}
        self.world.reset()
        self.create(self.count - len(self.keys()))
        self.pages: Mapping[Reading, str] = {
            # Statements that ask by key, count or compare read no page.
            "full": rf"FROM `{self.table}` AS t (WHERE t.`{self.key}` > \S+ )?ORDER BY",
            "delta": rf"FROM `{self.table}` AS t WHERE t.`{self.modified}` >= .* ORDER",
        }
        self.script = Faults()
        self.lies: dict[int, Literal["empty", "short"]] = {}
        self.asked: dict[Reading, int] = {"full": 0, "delta": 0}
        self.there = server.url(database)
        environment.setenv("GENIUS_DATABASE_URL", self.there)
        environment.setenv("GENIUS_TIME_ZONE", self.world.zone.key)
        self._deleted: dict[Key, dict[str, Any]] = {}
        self.late: list[tuple[datetime, Key, dict[str, Any]]] = []

    @classmethod
    @contextmanager
    def opened(
        cls, environment: pytest.MonkeyPatch, fixture: Callable[[str], Any]
    ) -> Iterator[Self]:
        subject = cls(environment, fixture("mariadb"), fixture("mysql_database"))
        subject.connect()
        yield subject
        subject.close()
        subject.world.engine.dispose()

    def hurry(self) -> None:
        self.client.source_time = self.clock.now
        database = self.client.database
        database._sleep = self.waits.append
        sa.event.listen(database.engine, "before_cursor_execute", self._meet, retval=True)
        honest = database.rows

        def rows(statement: Any, subject: str, usage: Any) -> Any:
            before = self.asked["full"]
            found = honest(statement, subject, usage)
            lie = self.lies.get(self.asked["full"]) if self.asked["full"] > before else None
            return LIES[lie](found) if lie else found

        database.rows = rows

    def _meet(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        line = " ".join(statement.split())
        for reading, pattern in self.pages.items():
            self.asked[reading] += bool(re.search(pattern, line))
        action = self.script.meet(line)
        if action is not None and action.callback:
            action.callback(0)
        return (action.body, ()) if action is not None and action.body else (statement, parameters)

    def wrong(self) -> list[str]:
        return differences(self.world, self.warehouse, self.entity)

    def keys(self) -> list[Key]:
        return [(str(key[0]),) for key in self.world.keys(self.table)]

    def create(self, count: int = 1) -> list[Key]:
        return [(str(key[0]),) for key in self.world.insert(self.table, count)] if count else []

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit(self.table, (int(key[0]),), changes)

    def touch(self, keys: list[Key], value: str) -> None:
        self._write(keys, {self.column: value, **self._stamp()})

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for write in [one for one in self.late if one[0] <= self.now()]:
            self.late.remove(write)
            self._write([write[1]], write[2])

    def now(self) -> datetime:
        return self.clock.now()

    def before_page(self, number: int, act: Callable[[], None], reading: Reading) -> None:
        self.script.add(self.pages[reading], on=number, callback=lambda _: act())

    def break_page(self, number: int, fault: Fault, reading: Reading, *, lasting: bool) -> None:
        self.script.add(self.pages[reading], on=f"{number}-" if lasting else number, **fault.action)

    def count_pages(self, reading: Reading) -> Callable[[], int]:
        before = self.asked[reading]
        return lambda: self.asked[reading] - before

    def mend(self) -> None:
        self.script.clear()
        self.lies.clear()

    def delete(self, key: Key) -> None:
        (row,) = [row for row in self.world.rows(self.table) if str(row[self.key]) == key[0]]
        self._deleted[key] = row
        self.world.delete(self.table, (int(key[0]),))

    def restore(self, key: Key, how: str) -> None:
        with self.world.engine.begin() as connection:
            table = self.world.sources[self.table].table
            connection.execute(table.insert(), [self._deleted.pop(key)])

    def vanish(self, key: Key) -> None:
        self.delete(key)

    def _stamp(self) -> dict[str, Any]:
        return {self.modified: self.world.now()} if self.modified else {}

    def _write(self, keys: list[Key], values: Mapping[str, Any]) -> None:
        table = self.world.sources[self.table].table
        these = table.c[self.key].in_([int(key[0]) for key in keys])
        with self.world.engine.begin() as connection:
            connection.execute(sa.update(table).where(these).values(**values))

    def lie_at(self, number: int, lie: Literal["empty", "short"]) -> None:
        self.lies[self.asked["full"] + number] = lie

    def give_wrong_credentials(self, secret: str) -> str:
        url = sa.make_url(self.there).set(username="nobody", password=secret)
        self.environment.setenv("GENIUS_DATABASE_URL", url.render_as_string(hide_password=False))
        return "GENIUS_DATABASE_URL"

    def point_nowhere(self) -> Callable[[], None]:
        nowhere = sa.make_url(self.there).set(port=1).render_as_string(hide_password=False)
        self.environment.setenv("GENIUS_DATABASE_URL", nowhere)
        return lambda: self.environment.setenv("GENIUS_DATABASE_URL", self.there)


NO_BUDGET = "a database has no request budget; what it refuses for now is a fault of its own"


class Leads(TableSubject):
    entity, table, key, modified = "leads", "lead", "lead_id", "updated_at"
    column = "city"
    values: ClassVar = {
        "rating": 5,
        "email": "a@example.com",
        "viewed_on": datetime(2024, 3, 1, 12),
    }
    lacks: ClassVar = {
        "merge": "Genius merges nothing: a lead that is one too many is deleted",
        "pause": NO_BUDGET,
    }

    def edit_late(self, key: Key, changes: Mapping[str, Any], seconds: float) -> None:
        """Its transaction is committed so much later than it was dated."""
        shown = self.now() + timedelta(seconds=seconds)
        self.late.append((shown, key, {**changes, **self._stamp()}))


class JobStatuses(TableSubject):
    """A table that cannot say what changed, and is read whole every time."""

    entity, table, key, modified = "job_statuses", "job_status", "id", None
    column = "label"
    values: ClassVar = {}
    faults: ClassVar = {
        kind: TableSubject.faults[kind] for kind in ("lost connection", "no such table")
    }
    lacks: ClassVar = {
        "delta": "no column of this table says when a row changed",
        "versions": "no column of this table says when a row changed",
        "compare": "every sync of this table is a full read, none is a delta",
        "merge": "Genius merges nothing: a status that is one too many is deleted",
        "late": "whatever shows at all is read by the next sync, however it is dated",
        "pause": NO_BUDGET,
    }
