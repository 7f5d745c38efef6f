"""Genius's rows, what happens to them, and a database that drops its connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import differences, expected_value, joined, stored_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.faults import LASTING
from crm_sync_assets_tests.oracle.killed import open_client
from crm_sync_assets_tests.oracle.machine import NUMBER, Disturbance, EngineMachine, step

NOON = datetime(2026, 11, 20, 20, tzinfo=UTC)
BEFORE_THE_CLOCK_IS_PUT_BACK = datetime(2026, 11, 1, 8, 20, tzinfo=UTC)
JOINED = ("users_userassociations",)
SOURCES = ("lead", "appointment_to_service", "user_data", "marketsharp_marketing_source_map")
REFERRED_TO = ("service",)
TABLES = st.sampled_from([*SOURCES, *JOINED])

_database = "genius_oracle"


class GeniusMachine(EngineMachine):
    crm_name = "genius"
    # A key of one number, of two, a joined table, a key of text.
    names = ("leads", "appointment_services", "user_data", "marketsharp_marketing_source_maps")

    def prepare(self, opened: ExitStack) -> None:
        server = self.bench.mariadb
        server.execute(
            f"DROP DATABASE IF EXISTS {_database}",
            f"CREATE DATABASE {_database} CHARACTER SET utf8mb4",
        )
        url = server.url(_database)
        opened.enter_context(self.bench.environment(GENIUS_DATABASE_URL=url))
        self.clock = Clock(NOON)
        self.clock.freeze(NOON)
        self.world = World(url, self.clock, prospects=20)
        opened.callback(self.world.engine.dispose)
        wanted = (*SOURCES, *JOINED, *REFERRED_TO)
        self.world.sources = {name: self.world.sources[name] for name in wanted}
        self.world.reset()
        self._seen: dict[tuple[str, Any], Any] = {}
        self._settled: dict[tuple[str, Any], datetime] = {}

    def open_client(self) -> Any:
        return open_client("genius", self.clock.now)

    def source_now(self) -> datetime:
        return self.clock.now()

    def misbehaving(self, *, moving: bool = True) -> AbstractContextManager[None]:
        return nullcontext()

    def is_quiet(self) -> bool:
        return True

    def mend(self) -> None:
        self.clock.advance(2_000)
        self.look()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def look(self) -> None:
        for entity in self.entities:
            true = self._truth(entity)
            for key in true.keys() | {k for name, k in self._seen if name == entity.name}:
                if self._seen.get((entity.name, key)) != true.get(key):
                    self._seen[entity.name, key] = true.get(key)
                    self._settled[entity.name, key] = self.source_now()

    def _truth(self, entity: Entity) -> dict[tuple[Any, ...], dict[str, Any]]:
        """By key, each row as it is read, its joined columns with it."""
        assert isinstance(entity.source, Table)
        tables = {name: self.world.rows(name) for name in (entity.source.name, *JOINED)}
        found = {}
        for row in tables[entity.source.name]:
            raw = {name.lower(): value for name, value in row.items()}
            raw |= joined(entity, raw, tables)
            found[tuple(raw[column.path("").lower()] for column in entity.key)] = raw
        return found

    # Steps

    @initialize(start=st.sampled_from([NOON, BEFORE_THE_CLOCK_IS_PUT_BACK]))
    def choose_the_day(self, start: datetime) -> None:
        self.clock.freeze(start)
        self.world.reset()
        self._seen, self._settled = {}, {}
        self.look()

    @step(table=TABLES, n=st.integers(1, 6), seed=NUMBER)
    def move(self, table: str, n: int, seed: int) -> None:
        """Edits, inserts, cleared values, deletions, edits without a time."""
        self.world.move(n, seed, tables=[table])

    @step(table=TABLES)
    def bulk_edit(self, table: str) -> None:
        self.world.bulk(table)

    @step(number=NUMBER, flags=LASTING, at=st.integers(1, 6))
    def lose_source(self, number: int, flags: dict[str, Any], at: int) -> None:
        """Genius's server ends all its sessions in the middle of a sync."""

        def cut(_: Any) -> None:
            server = self.bench.mariadb
            sessions = server.execute(
                f"SELECT id FROM information_schema.processlist WHERE db = '{_database}'"  # noqa: S608
            )
            for (session,) in sessions:
                server.execute(f"KILL {session}")
            # The world's own are among them.
            self.world.engine.dispose()

        self.run(pick(self.names, number), Disturbance(at, cut), **self.dated(flags))

    @step(number=NUMBER, flags=LASTING, at=st.integers(1, 6), table=TABLES, seed=NUMBER)
    def move_between_pages(
        self, number: int, flags: dict[str, Any], at: int, table: str, seed: int
    ) -> None:
        disturb = Disturbance(at, lambda _: self.world.move(3, seed, tables=[table]) and None)
        self.run(pick(self.names, number), disturb, **self.dated(flags))

    # Truth

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        assert isinstance(entity.source, Table)
        kinds = {n.lower(): k for n, k in self.world.sources[entity.source.name].columns.items()}
        stored = stored_rows(self.warehouse, entity)
        for (name, key), raw in self._seen.items():
            if name != entity.name or self._settled[name, key] >= watermark:
                continue
            row = stored.get(key)
            if raw is None:
                if row is not None and row["deleted_at"] is None:
                    yield f"{key} is live here, but gone there"
            elif row is None or row["deleted_at"] is not None:
                yield f"{key} is {'missing' if row is None else 'marked as deleted'}"
            else:
                for column in entity.columns:
                    expected = expected_value(column, raw, kinds, self.world.zone)
                    if row[column.name] != expected:
                        yield f"{key}.{column.name} is {row[column.name]!r}, not {expected!r}"

    def last_syncs(self) -> None:
        for name in sorted(self.unchecked):
            self.settle(name, full=True)

    def differences(self, *, complete: bool) -> list[str]:
        return differences(self.world, self.warehouse, *self.names)
