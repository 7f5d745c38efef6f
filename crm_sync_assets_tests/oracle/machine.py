"""What is the same for every CRM: syncs as the oracle runs and judges them, and their disturbers.

Each rule is one step. A sync may end in any way a sync may; what is checked is that its row tells
the truth about it, and that the tables hold what the rows say.
"""

from __future__ import annotations

import sys
from abc import ABCMeta, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ClassVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from psycopg import sql
from psycopg.rows import dict_row

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.strategy import midnight_utc
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import AlreadyRunning, SyncError, UsageError
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.warehouse import history, quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets_tests.oracle.bench import Bench, fetches_ended, pick, until
from crm_sync_assets_tests.oracle.faults import FLAGS, LASTING
from crm_sync_assets_tests.oracle.killed import open_client

Row = dict[str, Any]
Versions = dict[tuple[str, ...], str]
"""Key → where the row's newest version lies: another place means that it was written again."""

RUNNING = "SELECT id FROM ingestion_sync_history WHERE status = 'running'"
NUMBER = st.integers(0, 10**6)
THEN = st.sampled_from(["the same", "later the same", "a trial and the same", "something else"])
"""What follows a sync that was killed; only the same one resumes."""

tally: Counter[str] = Counter()
"""How often each step, and each ending of a sync, has come up in this process."""


def step(**draws: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that is counted, and after which everything must hold."""

    def counted(function: Callable[..., None]) -> Any:
        @wraps(function)
        def run(self: Any, **drawn: Any) -> None:
            tally[function.__name__] += 1
            function(self, **drawn)
            self.everything_holds()

        return rule(**draws)(run)

    return counted


@dataclass
class Attempt:
    """One sync that was tried, and the table before and after it."""

    entity: Entity
    flags: Mapping[str, Any]
    sync: Sync
    error: SyncError | None
    before: Versions
    after: Versions
    everything_before: str
    server_lost: bool

    @property
    def counts(self) -> Counts:
        return self.sync.counts


@dataclass
class Disturbance:
    """What happens once, after the n-th batch of a sync."""

    after_batches: int
    act: Callable[[Sync], None]
    batches: int = 0
    happened: bool = False

    def __call__(self, sync: Sync) -> None:
        self.batches += 1
        if self.batches == self.after_batches:
            self.happened = True
            self.act(sync)


class _Meta(ABCMeta, type(RuleBasedStateMachine)):
    """Hypothesis has a metaclass of its own."""


class EngineMachine(RuleBasedStateMachine, metaclass=_Meta):
    """Syncs of one CRM. A subclass has the source, what happens there, and what is true there."""

    bench: ClassVar[Bench]
    crm_name: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    """The entities that are synced, in run order."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[int, datetime] = {}
        """By sync id: the source's clock when it began."""
        self.unchecked: set[str] = set()
        """Entities that were synced without validation: rows may lack the notes a check makes."""
        self._open = ExitStack()
        self.url = self._open.enter_context(self.bench.database())
        self._connection = psycopg.connect(self.url)
        self.crm = registry.crm(self.crm_name)
        self.entities = [registry.entity(f"{self.crm_name}.{name}") for name in self.names]
        self.prepare(self._open)
        self.warehouse = Warehouse(self.url)
        self.client = self.open_client()
        self._lags = {e.sync_type: settings_for(self.crm, e).lag for e in self.entities}
        self._open.callback(self.warehouse.close)
        self._open.callback(self.client.close)
        self.look()

    # What a subclass says

    @abstractmethod
    def prepare(self, opened: ExitStack) -> None:
        """Make the source as it is in the beginning."""

    def open_client(self) -> Client:
        return open_client(self.crm_name)

    @abstractmethod
    def source_now(self) -> datetime:
        """The source's clock, which stands still unless it is moved."""

    @abstractmethod
    def advance(self, seconds: float) -> None:
        """Move the source's clock."""

    def look(self) -> None:
        """Note what has changed at the source since the last look."""

    def mend(self) -> None:
        """Nothing goes wrong any more, and all changes are to be seen."""

    @abstractmethod
    def is_quiet(self) -> bool:
        """Whether the source shows everything that was changed, and nothing will go wrong."""

    @abstractmethod
    def misbehaving(self, *, moving: bool = True) -> AbstractContextManager[None]:
        """A context in which the source does what was scripted for the next sync.

        What would move records or clocks is left out unless `moving`: where it is uncertain how
        far a sync reads, the example could not be repeated.
        """

    @abstractmethod
    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """What the warehouse lacks although the watermark says it has it."""

    @abstractmethod
    def differences(self, *, complete: bool) -> list[str]:
        """How the warehouse differs from the source, `complete` when all deletions are known."""

    def last_syncs(self) -> None:
        """The syncs that find what no delta can."""

    # Syncs

    def begin(self, name: str, **flags: Any) -> Sync:
        entity = registry.entity(f"{self.crm_name}.{name}")
        marked = registry.entity(entity.tombstones_of) if entity.tombstones_of else None
        settings = settings_for(self.crm, entity)
        request = Request(self.crm, entity, Flags(**flags), settings, marked_entity=marked)
        begun = begin(request, self.client, self.warehouse)
        self.begun[begun.sync_id] = self.source_now()
        if flags.get("skip_validation"):
            self.unchecked.add(name)
        return begun

    def run(
        self, name: str, disturb: Disturbance | None = None, *, loses_server: bool = False,
        **flags: Any,
    ) -> Attempt | None:  # fmt: skip
        """A sync to its end, judged; None for flags that are refused."""
        entity = registry.entity(f"{self.crm_name}.{name}")
        stored = registry.entity(entity.tombstones_of or entity.name)
        with self.connected() as connection:
            before, newest = versions(connection, stored), _newest(connection)
            everything = self.everything(connection) if flags.get("dry_run") else ""
        try:
            sync = self.begin(name, **flags)
        except UsageError:
            with self.connected() as connection:
                assert _newest(connection) == newest, "a sync that was refused left a row"
            return None
        moving = disturb is None and not flags.get("max_records")
        with self.misbehaving(moving=moving):
            error = self.drain(sync, disturb)
        self.look()
        with self.connected() as connection:
            after = versions(connection, stored)
        lost = loses_server and disturb is not None and disturb.happened
        attempt = Attempt(entity, flags, sync, error, before, after, everything, lost)
        self.judge(attempt)
        return attempt

    def drain(self, sync: Sync, disturb: Disturbance | None = None) -> SyncError | None:
        """The error it ended with, if any; anything but a SyncError is raised."""
        error = None
        try:
            drain(sync, disturb or (lambda _: None))
        except SyncError as raised:
            error = raised
        finally:
            fetches_ended()
            tally[f"→ {sync.status}"] += 1
        return error

    # Judgement

    def judge(self, attempt: Attempt) -> None:
        """Whether the row and the tables agree about one sync."""
        sync, counts, flags = attempt.sync, attempt.counts, attempt.flags
        with self.connected() as connection:
            row = row_of(connection, sync.sync_id)
            everything = self.everything(connection) if flags.get("dry_run") else ""
        if attempt.server_lost and row["status"] == "running":
            assert attempt.error is not None
            return
        assert row["status"] == sync.status, (row, sync.status)
        assert row["status"] == "failed" if attempt.error else row["status"] != "failed", row
        written = {k for k, place in attempt.after.items() if attempt.before.get(k) != place}
        new = attempt.after.keys() - attempt.before.keys()
        assert attempt.before.keys() <= attempt.after.keys(), "rows are never removed"
        if flags.get("dry_run"):
            assert everything == attempt.everything_before, "a dry run has written something"
            return
        if attempt.error is None:
            told = (row["records_processed"], row["records_created"], row["records_updated"])
            assert told == (counts.processed, counts.created, counts.updated), (row, counts)
        swapped = sync.plan.replaces
        if not attempt.server_lost and not (swapped and attempt.error):
            carried = Counts() if swapped else sync.plan.carried
            created = counts.created - carried.created
            assert created == len(new), f"{created} created, but {len(new)} rows are new: {row}"
            changed = counts.updated + counts.deleted - carried.updated - carried.deleted
            if attempt.entity.parts:
                # What an attempt before has made or changed counts as that, also if it changes now.
                changed += carried.created + carried.updated
            assert len(written - new) <= changed, (written - new, counts, row)

    def history_is_true(self, connection: psycopg.Connection[Any]) -> None:
        marks: dict[str, datetime] = {}
        highest: dict[str, datetime] = {}
        for row in _rows(connection, "SELECT * FROM ingestion_sync_history ORDER BY end_time, id"):
            how, status = row["configuration"], row["status"]
            assert status in ("running", "success", "partial", "failed"), row
            parts = [row[f"records_{n}"] for n in ("created", "updated", "failed")]
            unchanged = row["performance_metrics"].get("unchanged", 0)
            assert min(*parts, unchanged) >= 0, row
            if status in ("success", "partial"):
                assert row["records_processed"] == sum(parts) + unchanged, row
                assert (status == "partial") == (row["records_failed"] > 0), row
                assert row["checkpoint"] is None, row
            else:
                assert row["records_processed"] >= sum(parts), row
                assert status == "running" or row["error_message"], row
            if row["watermark"] is None:
                continue
            assert status in ("success", "partial"), f"a {status} sync has a watermark: {row}"
            limited = how["dry_run"] or how["max_records"] or how["end_date"]
            assert not limited, f"a limited sync has a watermark: {row}"
            before = marks.get(row["sync_type"])
            if how["start_date"]:
                since = midnight_utc(how["start_date"])
                assert before is not None, f"nothing before {since} was ever read: {row}"
                assert since <= before, f"nothing from {before} to {since} was read: {row}"
            reached = highest.get(row["sync_type"])
            highest[row["sync_type"]] = max(reached or row["watermark"], row["watermark"])
            if row["performance_metrics"]["api_calls"] == 0 and not how["resumes"]:
                # Where nothing was asked, nothing told the source's clock.
                continue
            assert before is None or row["watermark"] >= before, f"the watermark went back: {row}"
            began = self.begun[how["resumes"] or row["id"]]
            earliest = began - self._lags[row["sync_type"]]
            assert row["watermark"] <= max(earliest, reached or earliest), (
                f"the watermark is later than what was read: it began at {began}: {row}"
            )
            marks[row["sync_type"]] = row["watermark"]
        for entity in self.entities:
            if entity.sync_type in marks and not entity.tombstones_of:
                problems = list(self.stale(entity, marks[entity.sync_type]))
                assert not problems, (f"watermark {marks[entity.sync_type]}", problems[:5])

    def everything_holds(self) -> None:
        """Nothing of this is ever false, whatever happened."""
        self.look()
        with self.connected() as connection:
            until(lambda: not locks(connection), "a lock outlives its sync: no sync is running now")
            running = _rows(
                connection,
                "SELECT configuration ->> 'lock' AS lock, count(*) AS n "
                "FROM ingestion_sync_history WHERE status = 'running' GROUP BY 1",
            )
            assert all(row["n"] == 1 for row in running), f"two run at once: {running}"
            self.history_is_true(connection)
            self.nothing_piles_up(connection)

    def nothing_piles_up(self, connection: psycopg.Connection[Any]) -> None:
        """Keys and shadows belong to attempts that can be resumed, one per entity, and to the
        newest that failed, where several records make a row and it was a limited one."""
        kept = _rows(
            connection,
            "SELECT h.sync_type, count(DISTINCT k.sync_id) AS n FROM ingestion_sync_keys AS k "
            "JOIN ingestion_sync_history AS h ON h.id = k.sync_id GROUP BY 1",
        )
        most = {entity.sync_type: 2 if entity.parts else 1 for entity in self.entities}
        piled = [row for row in kept if row["n"] > most[row["sync_type"]]]
        assert not piled, f"keys of ended attempts pile up: {kept}"
        shadows = Counter(
            row["relname"].split("_", 3)[3]
            for row in _rows(
                connection,
                "SELECT relname FROM pg_class WHERE relkind = 'r' "
                "AND relname ~ '^ingestion_shadow_[0-9]+_'",
            )
        )
        assert all(n == 1 for n in shadows.values()), f"shadows pile up: {shadows}"

    # Steps

    @step(seconds=st.sampled_from([1, 30, 120, 700, 700, 3_600, 86_400]))
    def pass_time(self, seconds: int) -> None:
        self.advance(seconds)

    @step(number=NUMBER, flags=FLAGS)
    def sync(self, number: int, flags: dict[str, Any]) -> None:
        self.run(pick(self.names, number), **self.dated(flags))

    @step(number=NUMBER)
    def delta(self, number: int) -> None:
        self.run(pick(self.names, number))

    @step()
    def deltas(self) -> None:
        for name in self.names[:3]:
            self.run(name)

    @step(number=NUMBER, flags=LASTING, most=st.sampled_from([0, 0, 5]))
    def rehearse(self, number: int, flags: dict[str, Any], most: int) -> None:
        """A dry run foretells the run after it, where the source says the same to both."""
        quiet = self.is_quiet()
        name, flags = pick(self.names, number), {**self.dated(flags), "max_records": most}
        dry = self.run(name, **{**flags, "dry_run": True})
        real = self.run(name, **flags)
        if not quiet or dry is None or real is None or real.sync.resumed:
            return
        assert dry.sync.status == real.sync.status, (dry.error, real.error)
        if real.error is None:
            told = {f: (getattr(dry.counts, f), getattr(real.counts, f)) for f in COUNTED}
            assert all(a == b for a, b in told.values()), f"foretold and true counts: {told}"

    @step(number=NUMBER, flags=LASTING, other=FLAGS)
    def two_at_once(self, number: int, flags: dict[str, Any], other: dict[str, Any]) -> None:
        """The second is refused and names the first."""
        name = pick(self.names, number)
        stored = registry.entity(f"{self.crm_name}.{name}").tombstones_of
        rival = stored.partition(".")[2] if stored else name
        try:
            first = self.begin(name, **self.dated(flags))
        except UsageError:
            return
        try:
            refused = None
            try:
                self.begin(rival, **self.dated(other))
            except (AlreadyRunning, UsageError) as error:
                refused = error
            assert refused is not None, f"{rival} was begun while {name} was running"
            named = f"sync {first.sync_id} of {self.crm_name}.{name}" in str(refused)
            assert named or isinstance(refused, UsageError), refused
        finally:
            self.drain(first)

    @step(number=NUMBER, flags=LASTING, nth=st.integers(1, 60) | st.integers(20, 160), then=THEN)
    def kill(self, number: int, flags: dict[str, Any], nth: int, then: str) -> None:
        """A process is killed before its n-th statement, or ends before it gets there."""
        name, flags = pick(self.names, number), self.dated(flags)
        self._kill(name, flags, nth)
        if then == "a trial and the same":
            self.run(name, dry_run=True)
        if then == "later the same":
            self.pass_time(seconds=1_500)
        if then != "something else":
            self.everything_holds()
            self.run(name, **flags)

    def _kill(self, name: str, flags: dict[str, Any], nth: int) -> None:
        entity = registry.entity(f"{self.crm_name}.{name}")
        stored = registry.entity(entity.tombstones_of or entity.name)
        with self.connected() as connection:
            before, newest = versions(connection, stored), _newest(connection)
            past = history.past(connection, entity)
        with self.misbehaving(moving=False):
            code = self.bench.killer.sync(
                crm=self.crm_name,
                entity=name,
                flags=flags,
                nth=nth,
                source_time=self.source_now().isoformat(),
            )
        tally[f"→ exit {code}"] += 1
        assert code in (0, 1, -9), "see the log of the killer"
        self.look()
        with self.connected() as connection:
            until(lambda: not locks(connection), "the lock outlives its process")
            for row in _rows(
                connection, "SELECT * FROM ingestion_sync_history WHERE id > %s", newest
            ):
                self.begun[row["id"]] = self.source_now()
                carried = Counts()
                if row["configuration"]["resumes"] and past.checkpoint:
                    carried = past.checkpoint.counts
                gathers = not flags.get("end_date") if entity.parts else flags.get("full")
                replaced = entity.at_once or (gathers and flags.get("force"))
                if not replaced or row["status"] in ("success", "partial"):
                    new = versions(connection, stored).keys() - before.keys()
                    created = row["records_created"] - (0 if replaced else carried.created)
                    # The row of a sync that was never begun to be stored has no counts yet.
                    if row["records_processed"] or new:
                        assert created == len(new), (created, new, row)

    @step()
    def reap(self) -> None:
        """Rows left by the dead are closed."""
        with self.connected() as connection:
            history.reap(connection)
            left = _rows(connection, RUNNING)
        assert left == [], "nobody works on these"

    @step(number=NUMBER, flags=LASTING, at=st.integers(1, 6), how=st.sampled_from(
        ["closed", "terminated", "succeeded"]))  # fmt: skip
    def declare_dead(self, number: int, flags: dict[str, Any], at: int, how: str) -> None:
        """A sync that is taken for dead while it works stores nothing from there on."""
        name, seen = pick(self.names, number), []

        def strike(sync: Sync) -> None:
            if sync.status != "running":
                return
            with self.connected() as connection:
                if how == "closed":
                    history.close_failed(
                        connection, sync.sync_id, "taken for dead", reason="system"
                    )
                else:
                    # One that was killed before may be among them: no sync has closed it yet.
                    left = {row["id"] for row in _rows(connection, RUNNING)}
                    assert sync.sync_id in left
                    assert set(history.reap(connection, stale_after=timedelta(0))) == left
            if how == "succeeded":
                until(lambda: not self.locked(), "the lock outlives its session")
                try:
                    drain(self.begin(name))
                except SyncError as error:
                    tally[f"→ no successor: {type(error).__name__}"] += 1
            with self.connected() as connection:
                seen.append(self.everything(connection))

        disturb = Disturbance(at, strike)
        try:
            sync = self.begin(name, **self.dated(flags))
        except UsageError:
            return
        error = self.drain(sync, disturb)
        self.look()
        if seen:
            assert error is not None, "it went on as if nothing had happened"
            with self.connected() as connection:
                assert self.everything(connection) == seen[0], "it wrote on"
                assert row_of(connection, sync.sync_id)["status"] == "failed"

    @step(number=NUMBER, flags=LASTING, at=st.integers(0, 6))
    def restart_server(self, number: int, flags: dict[str, Any], at: int) -> None:
        """The database stops at once and starts again, in the middle of a sync or after it."""
        if at == 0:
            self.bench.server.restart(0.0)
            self.run(pick(self.names, number), **self.dated(flags))
            return
        disturb = Disturbance(at, lambda _: self.bench.server.restart(0.0))
        self.run(pick(self.names, number), disturb, loses_server=True, **self.dated(flags))

    @step(number=NUMBER)
    def replay(self, number: int) -> None:
        self.replayed(pick(self.entities, number))

    def replayed(self, entity: Entity) -> None:
        if entity.tombstones_of:
            return
        with self.connected() as connection:
            entries = quarantine.entries(
                connection, crm=entity.crm, sync_type=entity.sync_type, limit=1_000
            )
        if entries:
            done = replay(self.warehouse, entity, entries)
            with self.connected() as connection:
                row = row_of(connection, done.sync_id)
            assert row["records_processed"] == len(entries), row

    # The end

    def teardown(self) -> None:
        try:
            # An example that failed already is not judged any further.
            if sys.exc_info()[0] is None:
                self.ends_with_the_truth()
        finally:
            fetches_ended()
            self._connection.close()
            self._open.close()

    def ends_with_the_truth(self) -> None:
        """Mended and settled, the warehouse is what the source holds, and stays it unwritten."""
        self.mend()
        self.reap()
        for entity in self.entities:
            self.replayed(entity)
        for name in self.names:
            self.settle(name)
        self.everything_holds()
        assert self.differences(complete=False) == []
        self.nothing_moves()
        self.last_syncs()
        assert self.differences(complete=True) == []
        self.nothing_moves(full=True)

    def settle(self, name: str, **flags: Any) -> Attempt:
        """Sync until it went through from its own beginning."""
        for _ in range(4):
            attempt = self.run(name, **flags)
            assert attempt is not None
            if attempt.error is None and not attempt.sync.resumed:
                assert attempt.sync.status == "success", attempt.counts
                return attempt
            if attempt.error and "would be marked as deleted" in str(attempt.error):
                flags = {**flags, "force": True}
        raise AssertionError(f"{name} does not get through: {attempt.error!r}")

    def nothing_moves(self, **flags: Any) -> None:
        with self.connected() as connection:
            before = self.everything(connection)
        for entity in self.entities:
            told = self.run(entity.sync_type, **flags)
            assert told is not None
            assert told.sync.status == "success", told.error
            counts = told.counts
            moved = (counts.created, counts.updated, counts.deleted, counts.failed)
            assert moved == (0, 0, 0, 0), (entity.name, flags, counts)
        with self.connected() as connection:
            assert self.everything(connection) == before, "rows were rewritten"

    # Looking

    def dated(self, flags: Mapping[str, Any]) -> dict[str, Any]:
        """The flags, with days before the source's today as dates."""
        found = dict(flags)
        for name, day in (("start_date", 0), ("end_date", 1)):
            if name in found:
                moment = self.source_now() + timedelta(days=day - found[name])
                found[name] = f"{moment:%Y-%m-%d}"
        return found

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """A look at the warehouse from outside the engine."""
        try:
            self._connection.execute("SELECT")
        except psycopg.OperationalError:
            self._connection = psycopg.connect(self.url)
        yield self._connection
        self._connection.commit()

    def locked(self) -> bool:
        with self.connected() as connection:
            return bool(locks(connection))

    def everything(self, connection: psycopg.Connection[Any]) -> str:
        """Changes as soon as any row of a table, the quarantine or the keys is written."""
        tables = {entity.table: entity for entity in self.entities}
        parts = [repr(versions(connection, entity)) for entity in tables.values()]
        for name in ("ingestion_quarantine", "ingestion_sync_keys"):
            parts.append(
                repr(sorted(connection.execute(f"SELECT {name}::text FROM {name}").fetchall()))  # noqa: S608
            )
        return "\n".join(parts)


COUNTED = ("processed", "created", "updated", "unchanged", "failed", "deleted")


def versions(connection: psycopg.Connection[Any], entity: Entity) -> Versions:
    """Where the newest version of each row of an entity's table lies."""
    connection.commit()
    found = connection.execute("SELECT to_regclass(quote_ident(%s))", (entity.table,)).fetchone()
    if found is None or found[0] is None:
        return {}
    keys = [column.name for column in entity.key]
    rows = connection.execute(
        sql.SQL("SELECT ctid::text || ' ' || xmin::text, {} FROM {} ORDER BY 1").format(
            sql.SQL(", ").join(map(sql.Identifier, keys)), sql.Identifier(entity.table)
        )
    ).fetchall()
    placed = {tuple(str(part) for part in row[1:]): row[0] for row in rows}
    assert len(placed) == len(rows), "a key is there twice"
    return placed


def _rows(connection: psycopg.Connection[Any], query: Any, *values: Any) -> list[Row]:
    found = connection.cursor(row_factory=dict_row).execute(query, values).fetchall()
    connection.commit()
    return found


def row_of(connection: psycopg.Connection[Any], sync_id: int) -> Row:
    (row,) = _rows(connection, "SELECT * FROM ingestion_sync_history WHERE id = %s", sync_id)
    return row


def _newest(connection: psycopg.Connection[Any]) -> int:
    (row,) = _rows(connection, "SELECT coalesce(max(id), 0) AS id FROM ingestion_sync_history")
    return int(row["id"])


def locks(connection: psycopg.Connection[Any]) -> Sequence[Row]:
    return _rows(
        connection,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
