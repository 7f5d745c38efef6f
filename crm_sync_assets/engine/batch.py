"""The one way into a table: rows are loaded, what cannot be stored is set aside, tombstones marked.

Syncs, repairs, refreshes and replays all come through here, in a transaction of their own that also
holds their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg import sql

from crm_sync_assets.declarations.contract import Tombstone
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.rows.processor import Failure, Processor
from crm_sync_assets.warehouse import encryption, quarantine
from crm_sync_assets.warehouse.attempts import SeenKeys
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import remove_gathered, soft_delete
from crm_sync_assets.warehouse.loading import Rejected, Row, Table, load
from crm_sync_assets.warehouse.vault import Vault

FailureOf = Callable[[Rejected], Failure]
"""The failure of a row that the database refused."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What one batch brings: rows, records that became none, keys that are gone."""

    rows: Sequence[Row] = ()
    failures: Sequence[Failure] = ()
    tombstones: Sequence[Tombstone] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.

    `counts` are those of its rows and failures. `failures` are all that could not be stored,
    `marked` how many tombstones marked a row, `unmarked` how many found it marked, or none.
    """

    counts: Counts
    failures: Sequence[Failure] = ()
    marked: int = 0
    unmarked: int = 0


@dataclass(frozen=True, slots=True)
class Inlet:
    """The way into one entity's table for one row of SyncHistory.

    `target` stands for the table where rows are gathered elsewhere first. What only rehearses holds
    no encryption key: it leaves nothing that a key would have to open. `counted` is what a sync has
    read, where several records make a row that is counted once.
    """

    entity: Entity
    table: Table
    vault: Vault | None
    sync_id: int
    target: sql.Identifier | None = None
    rehearses: bool = False
    counted: SeenKeys | None = None

    def store(
        self,
        connection: Connection,
        incoming: Incoming,
        failure_of: FailureOf,
        *,
        fresh_stage: bool,
        after_copy: Callable[[], None] | None = None,
        sets_aside: Callable[[Failure], bool] = lambda _: True,
    ) -> Stored:
        """Store a batch inside the caller's transaction; see `load` for the last options.

        `sets_aside` says which failures go to quarantine; all of them are counted.
        """
        if not self.rehearses:
            encryption.hold(connection, self.vault)
        counts, rejected = Counts(), list[Rejected]()
        if incoming.rows:
            counts, rejected = load(
                connection,
                self.table,
                incoming.rows,
                target=self.target or self.table.target,
                fresh_stage=fresh_stage,
                after_copy=after_copy,
                counted_in=self.counted.first_attempt if self.counted else None,
            )
        failures = [*incoming.failures, *map(failure_of, rejected)]
        aside = [failure for failure in failures if sets_aside(failure)]
        if aside:
            quarantine.add(connection, self.entity, self.sync_id, aside, self.vault)
        marked, unmarked = soft_delete(connection, self.entity, incoming.tombstones)
        if self.target is not None:
            remove_gathered(connection, self.entity, self.target, incoming.tombstones)
        if self.counted is not None and failures:
            counts += self.counted.count_failed(connection, failures)
        elif self.counted is None:
            failed = len(incoming.failures)
            counts += Counts(processed=failed, failed=failed)
        return Stored(counts, failures, marked, unmarked)


def failure_among(
    entity: Entity,
    table: Table,
    records: Sequence[Record],
    url_of: Callable[[tuple[str, ...]], str | None],
) -> FailureOf:
    """Finds the record that a refused row was made from, among these."""

    def failure_of(refused: Rejected) -> Failure:
        key = table.key_of(refused.row)
        again = Processor(entity, validate=False)
        for record in reversed(records):
            rows = again.process([record]).rows
            if rows and rows[0][:-1] == refused.row[:-1]:
                return Failure(
                    record_id="/".join(key),
                    stage="load",
                    reason=refused.reason,
                    field=None,
                    record=record,
                    url=url_of(key),
                )
        raise AssertionError(f"{entity}: no record became the refused row {key}")

    return failure_of
