"""Queries while they are played: ordered, under way, over, and their results in pages."""

import base64
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.salespro.knobs import SalesProKnobs
from crm_sync_assets.sandbox.crms.salespro.sql import Cells, Column, Failed, Result, answer
from crm_sync_assets.sandbox.crms.salespro.world import World

FAILURES: Mapping[str, tuple[str, bool]] = {
    "internal": ("GENERIC_INTERNAL_ERROR: Encountered an internal error", False),
    "flagged": ("Query could not be placed this time", True),
    "slow": ("HIVE_CURSOR_ERROR: Please reduce your request rate (SlowDown, S3)", False),
    "syntax": ("SYNTAX_ERROR: line 1:8: mismatched input", True),
    "closed": (
        "Insufficient permissions to execute the query. User is not authorized to perform: "
        "glue:GetTable",
        False,
    ),
}


class Invalid(Exception):
    """A request that cannot be met."""


@dataclass
class Query:
    """One query; its result is that of the moment it was ordered."""

    id: str
    token: str
    asked: Mapping[str, Any]
    submitted: float
    result: Result | None
    failure: tuple[str, bool] | None
    scanned: int
    cancelled_by: str | None = None
    looks: int = 0
    state: str = "QUEUED"
    ended: float | None = None


@dataclass
class Queries:
    """All queries of the account."""

    clock: Clock
    knobs: SalesProKnobs
    world: World
    by_id: dict[str, Query] = field(default_factory=dict)
    by_token: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        with self.lock:
            self.by_id.clear()
            self.by_token.clear()

    def start(self, token: str, asked: Mapping[str, Any], database: str) -> Query:
        """A new query, or the one that this token has ordered. Invalid for another one's token."""
        with self.lock:
            if (known := self.by_token.get(token)) is not None:
                query = self.by_id[known]
                if query.asked != asked:
                    raise Invalid("Idempotent parameters do not match")
                return query
            query = self._made(token, asked, database)
            self.by_id[query.id] = query
            self.by_token[token] = query.id
            return query

    def _made(self, token: str, asked: Mapping[str, Any], database: str) -> Query:
        knobs, result, failure, table = self.knobs, None, None, None
        try:
            with self.world.lock:
                result, table = answer(str(asked["QueryString"]), database, self.world.tables)
        except Failed as error:
            failure = (str(error), False)
        if failure is None and knobs.salespro_failing > 0:
            knobs.salespro_failing -= 1
            failure = FAILURES[knobs.salespro_failure]
        cancelled = None
        if failure is None and knobs.salespro_cancelled > 0:
            knobs.salespro_cancelled -= 1
            cancelled = "Query was cancelled by an administrator"
        scanned = knobs.salespro_scanned or self._size(table)
        now = self.clock.now_ms() / 1000
        return Query(str(uuid.uuid4()), token, asked, now, result, failure, scanned, cancelled)

    def _size(self, table: str | None) -> int:
        rows = self.world.tables[table] if table else []
        return sum(len(value or "") for one in rows for value in one.values())

    def look(self, id: str) -> Query:
        """A query as it is now; each look brings it nearer to its end. Invalid: no such query."""
        with self.lock:
            query = self.find(id)
            if query.ended is not None:
                return query
            query.looks += 1
            if query.looks <= self.knobs.salespro_polls:
                again = self.knobs.salespro_requeued and query.looks == self.knobs.salespro_polls
                query.state = "QUEUED" if query.looks == 1 or again else "RUNNING"
                return query
            query.state = "FAILED" if query.failure else "SUCCEEDED"
            if query.cancelled_by:
                query.state = "CANCELLED"
            query.ended = self.clock.now_ms() / 1000
            return query

    def stop(self, id: str) -> None:
        """End a query that is under way."""
        with self.lock:
            query = self.find(id)
            if query.ended is None:
                query.state, query.ended = "CANCELLED", self.clock.now_ms() / 1000
                query.cancelled_by = "Query cancelled by user"

    def find(self, id: str) -> Query:
        query = self.by_id.get(id)
        if query is None:
            raise Invalid(f"QueryExecution {id} was not found")
        return query

    def page(
        self, id: str, token: str | None, most: int
    ) -> tuple[list[Column], list[Cells], str | None]:
        """Columns, rows and what leads to the next page: the first begins with the names."""
        with self.lock:
            query = self.find(id)
            if query.state != "SUCCEEDED" or query.result is None:
                if query.ended is None:
                    state = f"has not yet finished. Current state: {query.state}"
                else:
                    state = f"did not finish successfully. Final query state: {query.state}"
                raise Invalid(f"Query {state}")
            if self.knobs.salespro_lost > 0:
                self.knobs.salespro_lost -= 1
                raise Invalid(f"Could not find results for query {id}")
            columns = list(query.result.columns)
            names: Cells = tuple(column.name for column in columns)
            rows = [names, *query.result.rows]
            start = _place(token, id) if token is not None else 0
            end = start + most
            return columns, rows[start:end], _token(id, end) if end < len(rows) else None


def _token(id: str, place: int) -> str:
    return base64.urlsafe_b64encode(f"{id}:{place}".encode()).decode()


def _place(token: str, id: str) -> int:
    try:
        whose, _, place = base64.urlsafe_b64decode(token).decode().partition(":")
        if whose == id:
            return int(place)
    except ValueError:
        pass
    raise Invalid("Invalid nextToken")
