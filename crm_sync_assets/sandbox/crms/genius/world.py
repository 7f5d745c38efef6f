"""Genius's tables in a database, filled from a seed and moved by the sandbox's clock.

The database itself is the truth: nothing about a row is kept anywhere else.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius import values
from crm_sync_assets.sandbox.crms.genius.schema import Source, sources

LOOKUPS = {
    "division_group": 6, "division_region": 4, "division": 12, "user_title": 15, "service": 9,
    "appointment_type": 5, "appointment_outcome_type": 4, "appointment_outcome": 18,
    "marketing_source_type": 6, "marketing_source": 25, "marketsharp_source": 30,
    "marketsharp_marketing_source_map": 30, "job_status": 12, "job_change_order_type": 3,
    "job_change_order_status": 4, "job_change_order_reason": 8,
    "integration_field_definition": 10, "third_party_source_type": 3,
}  # fmt: skip
PER_PROSPECT = {
    "user_data": 0.1, "users_userassociations": 0.05, "prospect": 1.0, "lead": 0.8,
    "integration_field": 0.1, "prospect_source": 1.0, "appointment": 0.9,
    "appointment_to_service": 1.2, "quote": 0.5, "job": 0.3, "job_financing": 0.15,
    "job_change_order": 0.15, "job_change_order_item": 0.4, "third_party_source": 0.5,
}  # fmt: skip
FROM_ZERO = frozenset(("service", "prospect"))
"""Tables with a row whose id is 0."""

_THIRD_PARTIES = ("hubspot", "five9", "salesrabbit")
_UNMOVED = frozenset(("third_party_source", "third_party_source_type"))
_DICE = {
    "edit": 40, "insert": 15, "clear": 12, "delete": 8, "edit_undated": 8, "associate": 5, "bulk": 2
}  # fmt: skip


_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
}


def _with_driver(url: str) -> sa.URL:
    """The URL of MySQL, MariaDB or PostgreSQL with the driver that is installed."""
    parsed = sa.make_url(url)
    return parsed.set(drivername=_DRIVERS[parsed.get_backend_name()])


class Tables:
    """The 30 tables and the two they refer to. Raises what the database raises.

    `zone` is the zone whose clock hangs on Genius's wall.
    """

    def __init__(
        self, url: str, clock: Clock, seed: int = 7, prospects: int = 300, zone: str = "US/Pacific"
    ) -> None:
        self.url = _with_driver(url)
        self.zone = ZoneInfo(zone)
        self.sources = sources()
        self._clock = clock
        self._seed = seed
        self._prospects = prospects
        self._lock = threading.RLock()
        self.is_mysql = self.url.get_backend_name() == "mysql"
        arguments: dict[str, Any] = {"charset": "utf8mb4"} if self.is_mysql else {}
        self.engine = sa.create_engine(self.url, connect_args=arguments)
        sa.event.listen(self.engine, "connect", self._prepare)

    def _prepare(self, connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            if self.is_mysql:
                cursor.execute("SET time_zone = '+00:00', sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
            else:
                cursor.execute("SET timezone = 'UTC'")
                connection.commit()

    def now(self) -> datetime:
        """What the clock on the wall shows, to the second."""
        return self._clock.now().astimezone(self.zone).replace(microsecond=0, tzinfo=None)

    def reset(self) -> None:
        """All tables anew, as the seed makes them."""
        with self._lock, self.engine.begin() as connection:
            for source in self.sources.values():
                source.table.drop(connection, checkfirst=True)
                source.table.create(connection)
            sizes = {n: self._size(n) for n in self.sources}
            for source in self.sources.values():
                rng = random.Random(f"{self._seed} {source.name}")
                rows = [self._new(source, key, sizes, rng) for key in self._keys(source, sizes)]
                connection.execute(sa.insert(source.table), rows)

    def _size(self, name: str) -> int:
        return LOOKUPS.get(name) or max(5, round(self._prospects * PER_PROSPECT[name]))

    def _keys(self, source: Source, sizes: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
        size = sizes[source.name]
        if source.name == "appointment_to_service":
            services = sizes["service"] - 1
            for n in range(size):
                yield n // 2 + 1, n % services
        elif source.name == "marketsharp_marketing_source_map":
            for n in range(size):
                yield (self._text_key(n),)
        else:
            first = 0 if source.name in FROM_ZERO else 1
            for n in range(first, first + size):
                yield (n,)

    def _text_key(self, number: int) -> str:
        return ("ms-", "MS ", "Ms_ä")[number % 3] + f"{number:04d}"

    def _new(
        self, source: Source, key: tuple[Any, ...], sizes: Mapping[str, int], rng: random.Random
    ) -> dict[str, Any]:
        row = values.row(source, key, self.now(), sizes, rng, mysql=self.is_mysql)
        if source.name == "third_party_source_type":
            row["label"] = _THIRD_PARTIES[(int(key[0]) - 1) % 3]
        return self._placed(source, row)

    def _placed(self, source: Source, row: dict[str, Any]) -> dict[str, Any]:
        """Wall-clock times of TIMESTAMP columns as moments, the way such a column takes them."""
        for name, value in row.items():
            if isinstance(value, datetime) and source.columns[name] == "timestamp":
                moment = value.replace(tzinfo=self.zone).astimezone(UTC)
                row[name] = moment.replace(tzinfo=None) if self.is_mysql else moment
        return row

    # Reading

    def rows(self, name: str) -> list[dict[str, Any]]:
        """All rows of a table, values as the driver gives them."""
        query = sa.text(f"SELECT * FROM {self._quoted(name)}")  # noqa: S608  quoted
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The rows of a table. LookupError when there is none of that name."""
        if what not in self.sources:
            raise LookupError(f"no table {what!r}, have {list(self.sources)}")
        return iter(self.rows(what))

    def keys(self, name: str) -> list[tuple[Any, ...]]:
        source = self.sources[name]
        query = sa.select(*(source.table.c[k] for k in source.key)).order_by(
            *(source.table.c[k] for k in source.key)
        )
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def _quoted(self, name: str) -> str:
        return self.engine.dialect.identifier_preparer.quote_identifier(name)

    # Changing

    def insert(self, name: str, n: int = 1, seed: int = 0) -> list[tuple[Any, ...]]:
        """New rows with the next free keys; those keys."""
        source, rng = self.sources[name], random.Random(f"{self._seed} {name} {seed}")
        with self._lock:
            taken = self.keys(name)
            keys = self._next_keys(source, taken, n)
            sizes = {each: self._size(each) for each in self.sources}
            rows = [self._new(source, key, sizes, rng) for key in keys]
            if source.modified:
                for row in rows:
                    row |= self._placed(source, self._stamp(source))
            with self.engine.begin() as connection:
                connection.execute(sa.insert(source.table), rows)
        return keys

    def _next_keys(
        self, source: Source, taken: Sequence[tuple[Any, ...]], n: int
    ) -> list[tuple[Any, ...]]:
        if source.name == "marketsharp_marketing_source_map":
            numbers = range(len(taken) * 3, 10**6)
            free = (k for k in ((self._text_key(i),) for i in numbers) if k not in taken)
            return [next(free) for _ in range(n)]
        last = max((int(key[0]) for key in taken), default=0)
        rest = (1,) * (len(source.key) - 1)
        return [(last + i + 1, *rest) for i in range(n)]

    def edit(self, name: str, key: Sequence[Any], changes: Mapping[str, Any]) -> None:
        """Change a row now. LookupError when it is not there."""
        source = self.sources[name]
        self._update(source, key, {**dict(changes), **self._stamp(source)})

    def edit_undated(self, name: str, key: Sequence[Any], changes: Mapping[str, Any]) -> None:
        """Change a row and leave it without the time of its change."""
        source = self.sources[name]
        stamp = {source.modified: None} if source.modified else {}
        self._update(source, key, {**dict(changes), **stamp})

    def delete(self, name: str, key: Sequence[Any]) -> None:
        """Remove a row for good, without a trace. LookupError when it is not there."""
        source = self.sources[name]
        with self._lock, self.engine.begin() as connection:
            found = connection.execute(sa.delete(source.table).where(self._is(source, key)))
        if not found.rowcount:
            raise LookupError(f"{name} has no row {list(key)}")

    def bulk(self, name: str, changes: Mapping[str, Any] | None = None) -> int:
        """Change every row with one statement, and so at one time; how many there are."""
        source = self.sources[name]
        wanted = self._placed(source, {**(changes or {}), **self._stamp(source)})
        if not wanted:
            return 0
        with self._lock, self.engine.begin() as connection:
            found = connection.execute(sa.update(source.table).values(wanted))
        return int(found.rowcount)

    def _update(self, source: Source, key: Sequence[Any], changes: dict[str, Any]) -> None:
        with self._lock, self.engine.begin() as connection:
            if (
                connection.execute(
                    sa.select(source.table.c[source.key[0]]).where(self._is(source, key))
                ).first()
                is None
            ):
                raise LookupError(f"{source.name} has no row {list(key)}")
            if changes:
                placed = self._placed(source, changes)
                query = sa.update(source.table).where(self._is(source, key)).values(placed)
                connection.execute(query)

    def _stamp(self, source: Source) -> dict[str, Any]:
        return {source.modified: self.now()} if source.modified else {}

    def _is(self, source: Source, key: Sequence[Any]) -> sa.ColumnElement[bool]:
        pairs = zip(source.key, key, strict=True)
        return sa.and_(*(source.table.c[name] == value for name, value in pairs))


class World(Tables):
    """The tables, and a life of their own."""

    def move(self, n: int = 1, seed: int = 0, tables: Sequence[str] = ()) -> list[str]:
        """`n` random changes, described one line each."""
        rng = random.Random(f"{self._seed} move {seed}")
        names = list(tables) or [name for name in self.sources if name not in _UNMOVED]
        acts: dict[str, Callable[[str, random.Random], str]] = {
            "edit": self._move_edit,
            "insert": lambda name, _: str(self.insert(name, 1, rng.randrange(10**9))[0]),
            "clear": self._move_clear,
            "delete": self._move_delete,
            "edit_undated": self._move_undated,
            "associate": self._move_association,
            "bulk": self._move_bulk,
        }
        done = []
        for _ in range(n):
            what = rng.choices(list(_DICE), list(_DICE.values()))[0]
            name = rng.choice(names)
            told = acts[what](name, rng)
            done.append(f"{what} {name} {told}")
        return done

    def _one(self, name: str, rng: random.Random) -> tuple[Any, ...] | None:
        keys = self.keys(name)
        return rng.choice(keys) if keys else None

    def _changes(self, name: str, rng: random.Random, most: int = 4) -> dict[str, Any]:
        source = self.sources[name]
        fixed = {*source.key, source.modified}
        free = [column for column in source.columns if column not in fixed]
        chosen = rng.sample(free, min(len(free), rng.randint(1, most)))
        sizes = {each: self._size(each) for each in self.sources}
        return {
            column: values.value(
                column, source.columns[column], self.now(), sizes, rng, mysql=self.is_mysql
            )
            for column in chosen
        }

    def _move_edit(self, name: str, rng: random.Random) -> str:
        key = self._one(name, rng)
        if key is not None:
            self.edit(name, key, self._changes(name, rng))
        return str(key)

    def _move_undated(self, name: str, rng: random.Random) -> str:
        key = self._one(name, rng)
        if key is not None:
            self.edit_undated(name, key, self._changes(name, rng))
        return str(key)

    def _move_clear(self, name: str, rng: random.Random) -> str:
        key = self._one(name, rng)
        if key is not None:
            self.edit(name, key, dict.fromkeys(self._changes(name, rng, 2)))
        return str(key)

    def _move_delete(self, name: str, rng: random.Random) -> str:
        key = self._one(name, rng)
        # A small table that lost a row in five would not be believed.
        if key is None or len(self.keys(name)) < 12:
            return "nothing"
        self.delete(name, key)
        return str(key)

    def _move_association(self, _name: str, rng: random.Random) -> str:
        """Another primary user, while the users concerned stay as they are."""
        key = self._one("users_userassociations", rng)
        if key is not None:
            self.edit("users_userassociations", key, {"primary_user_id": rng.randint(1, 30)})
        return str(key)

    def _move_bulk(self, name: str, _rng: random.Random) -> str:
        return str(self.bulk(name))
