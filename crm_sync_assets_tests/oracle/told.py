"""Webhooks in a life: deliveries that arrive, are lost, repeated, late and in any order, and turns
at what they tell; at any time, also while syncs run and records are read.

A turn may make a row newer and never older, moves no watermark, and makes nothing wrong.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import precondition
from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import SyncError
from crm_sync_assets.operations.turns import Clients, turn
from crm_sync_assets.operations.webhooks import Taken
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.faults import Action, Rule
from crm_sync_assets.warehouse import history, webhook_events
from crm_sync_assets.warehouse.webhook_events import Waiting
from crm_sync_assets_tests.oracle.bench import fetches_ended, pick, until
from crm_sync_assets_tests.oracle.faults import LASTING
from crm_sync_assets_tests.oracle.machine import (
    NUMBER,
    Disturbance,
    EngineMachine,
    locks,
    row_of,
    step,
    tally,
    versions,
)
from crm_sync_assets_tests.receiver.bench import serving
from crm_sync_assets_tests.receiver.senders import SENDERS

Telling = Literal["off", "on", "half"]
"""The source tells nothing, all that happens, or half of the deliveries are lost."""

LOST: Final[Mapping[Telling, float]] = {"off": 1.0, "on": 0.0, "half": 0.5}
PART: Final = st.sampled_from([0.0, 0.0, 0.3, 1.0])
LIES: Final = (404, 410)
"""Who is told that a record is not there takes it for gone, as it would of the true source."""


def is_told(machine: ToldMachine) -> bool:
    return machine.webhooks != "off"


class ToldMachine(EngineMachine):
    """`webhooks` says how much of what happens is told."""

    webhooks: ClassVar[Telling] = "off"
    sandbox: Sandbox
    world: Any
    script: list[dict[str, Any]]

    def listen(self, opened: ExitStack) -> None:
        """The source tells a receiver of its own what happens from now on."""
        self._stamped = 0
        if self.webhooks == "off":
            return
        found = opened.enter_context(serving(lambda: self.warehouse))
        self.sender = SENDERS[self.crm_name](self.world, f"{found.url}/webhooks/{self.crm_name}")
        opened.callback(self.sender.close)

    # Steps

    @precondition(is_told)
    @step(twice=PART, late=PART, shuffle=st.booleans(), seed=NUMBER)
    def tell(self, twice: float, late: float, shuffle: bool, seed: int) -> None:
        self.deliver(twice=twice, late=late, shuffle=shuffle, seed=seed)

    @precondition(is_told)
    @step(seed=NUMBER, waited=st.booleans())
    def process(self, seed: int, waited: bool) -> None:
        """What is told is read, if nothing goes wrong on the way."""
        self.deliver(seed=seed)
        self.take_turns(waited=waited)

    @precondition(is_told)
    @step(seed=NUMBER, at=st.integers(1, 4))
    def tell_while_reading(self, seed: int, at: int) -> None:
        """Records change, and are told of, between what a turn asks and what it stores."""
        self.deliver(seed=seed)

        def happen(_: int) -> None:
            self.sandbox.crms[self.crm_name].move(3, seed)
            self.deliver(twice=0.3, shuffle=True, seed=seed)

        rule = Rule("", at, Action(callback=happen))
        self.take_turns(meanwhile=rule)

    @precondition(is_told)
    @step(number=NUMBER, flags=LASTING, at=st.integers(1, 4), seed=NUMBER)
    def tell_while_syncing(self, number: int, flags: dict[str, Any], at: int, seed: int) -> None:
        """Deliveries in the middle of a sync; the entity that is synced is left alone."""
        name = pick(self.names, number)
        synced = registry.entity(f"{self.crm_name}.{name}")
        locked = synced.tombstones_of or synced.name

        def strike(sync: Sync) -> None:
            self.deliver(twice=0.3, shuffle=True, seed=seed)
            if sync.status != "running":
                return
            for waiting in self.waiting():
                if f"{waiting.source}.{waiting.entity}" == locked:
                    taken = self.turn(waiting, is_judged=False)
                    done = isinstance(taken, Taken) and taken.events
                    assert not done, "it was read while it is synced"

        self.run(name, Disturbance(at, strike), **self.dated(flags))

    @precondition(is_told)
    @step(seed=NUMBER, nth=st.integers(1, 40) | st.integers(10, 90), again=st.booleans())
    def kill_turns(self, seed: int, nth: int, again: bool) -> None:
        """A process that reads what is told is killed before its n-th statement."""
        self.deliver(twice=0.2, seed=seed)
        wrong = self._wrong()
        with NothingOlder(self, self.entities), self.misbehaving(moving=False):
            code = self.bench.killer.sync(
                crm=self.crm_name,
                entity=self.names[0],
                turns=True,
                nth=nth,
                source_time=self.source_now().isoformat(),
            )
        tally[f"→ turns: exit {code}"] += 1
        assert code in (0, 1, -9), "see the log of the killer"
        with self.connected() as connection:
            until(lambda: not locks(connection), "the lock outlives its process")
        self._nothing_new_wrong(wrong)
        if again:
            self.everything_holds()
            self.take_turns()

    # Turns

    def deliver(self, **how: Any) -> None:
        """What waits is told, and arrives at the source's moment: both have the same clock."""
        self.sender.send(lose=LOST[self.webhooks], **how)
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "UPDATE ingestion_webhook_event SET received_at = %s WHERE id > %s RETURNING id",
                (self.source_now(), self._stamped),
            ).fetchall()
        self._stamped = max([self._stamped, *(number for (number,) in found)])

    def waiting(self) -> list[Waiting]:
        with self.connected() as connection:
            return webhook_events.waiting(connection)

    def take_turns(self, *, waited: bool = True, meanwhile: Rule | None = None) -> None:
        """A turn of each entity that something is told of; `waited` so long that all is due."""
        if waited:
            with self.connected() as connection:
                connection.execute("UPDATE ingestion_webhook_event SET next_attempt_at = NULL")
        self.script = [
            line
            for line in self.script
            if line["action"].get("status") not in LIES and "lie" not in line["action"]
        ]
        is_judged = meanwhile is None and self.is_quiet()
        with self.misbehaving():
            if meanwhile is not None:
                self.sandbox.faults.rules.insert(0, meanwhile)
            for waiting in self.waiting():
                self.turn(waiting, is_judged=is_judged)
        self.look()

    def turn(self, waiting: Waiting, *, is_judged: bool) -> Taken | SyncError | None:
        """One turn, judged; `is_judged` also by the truth, where the source says nothing else."""
        entity = registry.entity(f"{waiting.source}.{waiting.entity}")
        named = self._named(waiting)
        wrong = self._wrong() if is_judged else None
        with self.connected() as connection:
            before = versions(connection, entity)
        taken: Taken | SyncError | None
        with NothingOlder(self, [entity]):
            try:
                taken = turn(self.warehouse, waiting, Clients(lambda _: self.client))
            except SyncError as error:
                taken = error
            finally:
                fetches_ended()
        with self.connected() as connection:
            after = versions(connection, entity)
            if isinstance(taken, Taken) and taken.sync_id is not None:
                row = row_of(connection, taken.sync_id)
                assert (row["kind"], row["watermark"]) == ("webhook", None), row
                tally[f"→ turn: {row['status']}"] += 1
                created = len(after.keys() - before.keys())
                assert row["records_created"] == created, (created, row)
                changed = sum(after[key] != place for key, place in before.items())
                most = taken.counts.updated + taken.counts.deleted
                assert changed <= most, (changed, row)
        if wrong is not None:
            still = self._nothing_new_wrong(wrong)
            if isinstance(taken, Taken) and taken.sync_id is not None:
                self._is_true(entity, named, still)
        return taken

    # Judgement

    def _named(self, waiting: Waiting) -> set[str]:
        """The records that are to be read."""
        with self.connected() as connection:
            found = webhook_events.due(connection, waiting.source, waiting.entity, limit=500)
        return {"/".join(one.record) for one in found}

    def _wrong(self) -> set[str] | None:
        """How the warehouse differs from the source; None where that says nothing."""
        with self.connected() as connection:
            tables = [entity.table for entity in self.entities]
            found = connection.execute(
                "SELECT bool_and(to_regclass(quote_ident(t)) IS NOT NULL) "
                "FROM unnest(%s::text[]) AS t",
                (tables,),
            ).fetchone()
        is_synced = bool(found and found[0])
        return set(self.differences(complete=True)) if is_synced and self.is_quiet() else None

    def _nothing_new_wrong(self, before: set[str] | None) -> set[str]:
        if before is None:
            return set()
        after = set(self.differences(complete=True))
        assert after <= before, sorted(after - before)[:5]
        return after

    def _is_true(self, entity: Entity, named: set[str], wrong: set[str]) -> None:
        """What was read is as the source has it, but for what is set aside."""
        read = named - self.set_aside(entity)
        false = [one for one in wrong if read.intersection(re.split(r"[^\w-]+", one))]
        ours = [one for one in false if entity.name in one or ":" not in one.partition(" is ")[0]]
        assert not ours, ours[:5]

    @abstractmethod
    def set_aside(self, entity: Entity) -> set[str]:
        """Names of its records in quarantine."""

    # The end

    def ends_with_the_truth(self) -> None:
        """With what was told read before the last syncs, or after them: then nothing moves."""
        if self.webhooks == "off":
            super().ends_with_the_truth()
            return
        self.mend()
        self.deliver(late=0.3)
        if self._stamped % 2:
            self.take_turns()
        super().ends_with_the_truth()
        with self.connected() as connection:
            before = self.everything(connection)
        self.deliver()
        for _ in range(3):
            self.take_turns()
        with self.connected() as connection:
            assert self.everything(connection) == before, "a turn has changed what was true"
            left = connection.execute(
                "SELECT entity, event_type, error_message FROM ingestion_webhook_event "
                "WHERE status = 'pending' AND record_id IS NOT NULL AND entity = ANY(%s)",
                (list(self.names),),
            ).fetchall()
        assert left == [], "events wait, and nothing is wrong any more"


class NothingOlder:
    """While it lasts no row of these entities becomes older, and no watermark moves."""

    def __init__(self, machine: EngineMachine, entities: list[Entity]) -> None:
        self._machine = machine
        self._entities = entities

    def __enter__(self) -> None:
        with self._machine.connected() as connection:
            self._before = [self._told(connection, entity) for entity in self._entities]

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            return
        with self._machine.connected() as connection:
            for entity, (mark, before) in zip(self._entities, self._before, strict=True):
                now, after = self._told(connection, entity)
                assert now == mark, f"{entity}: the watermark has moved from {mark} to {now}"
                assert before.keys() <= after.keys(), "rows are never removed"
                older = [
                    (key, moment, after[key])
                    for key, moment in before.items()
                    if moment is not None and (after[key] is None or after[key] < moment)
                ]
                assert not older, f"{entity}: older than before: {older[:3]}"

    def _told(
        self, connection: psycopg.Connection[Any], entity: Entity
    ) -> tuple[datetime | None, dict[tuple[Any, ...], Any]]:
        """The watermark, and by key which version each row is."""
        mark = history.past(connection, entity).watermark
        connection.commit()
        if entity.modified is None or not versions(connection, entity):
            return mark, {}
        keys = [sql.Identifier(column.name) for column in entity.key]
        rows = connection.execute(
            sql.SQL("SELECT {}, {} FROM {}").format(
                sql.Identifier(entity.modified.name),
                sql.SQL(", ").join(keys),
                sql.Identifier(entity.table),
            )
        ).fetchall()
        return mark, {tuple(row[1:]): row[0] for row in rows}
