"""Rows that are put together of several records, each part from the newest that has it; see `Part`.

Which parts of a row a record brings is decided in the statement that stores it, against the stored
row alone. So it ends up the same whether its records come on one page or many, in any order, again,
or in syncs years apart. It counts once in a sync, as what became of it in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

from crm_sync_assets.declarations.entity import UNDATED, Entity, Part
from crm_sync_assets.rows.processor import Row
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.deletions import key_array


@dataclass(frozen=True, slots=True)
class Fold:
    """How the rows of one entity are put together, as SQL.

    `indexes` has the blind index of each encrypted column. A stored version after `future` is dated
    wrongly, so any other replaces it.
    """

    entity: Entity
    indexes: dict[str, str]
    future: datetime | None

    def names(self, part: Part) -> list[str]:
        """The stored columns of a part, blind indexes among them."""
        names = [column.name for column in self.entity.columns_of(part)]
        names += [self.indexes[name] for name in names if name in self.indexes]
        return [*names, *([] if part.columns else ["sync_issues"])]

    def bare(self, row: Row) -> Row:
        """The row without what it has of parts that its record has not."""
        place = {column.name: at for at, column in enumerate(self.entity.columns)}
        found = list(row)
        for part in self.entity.parts:
            if row[place[part.version[0]]] is None:
                for column in self.entity.columns_of(part):
                    found[place[column.name]] = column.default
                if not part.columns:
                    found[-1] = None
        return tuple(found)

    def brings(self, part: Part, *, overwrite: bool) -> sql.Composable:
        """Whether `excluded` brings this part to the stored row `t`."""
        moment, *ties = part.version
        forced = sql.SQL("excluded.{} > {}").format(
            sql.Identifier(moment), sql.Literal(UNDATED if overwrite else None)
        )
        return sql.SQL(
            "(excluded.{moment} IS NOT NULL AND (t.{moment} IS NULL OR ({new}) >= ({old}) "
            "OR (t.{moment} > {future}) IS TRUE OR ({forced}) IS TRUE))"
        ).format(
            moment=sql.Identifier(moment),
            new=_version("excluded", moment, ties),
            old=_version("t", moment, ties),
            future=sql.Literal(self.future),
            forced=forced,
        )

    def newest(self, rows: Sequence[Row]) -> list[Row]:
        """Of each key the rows that are the newest with some part, and one that has none."""
        place = {column.name: at for at, column in enumerate(self.entity.columns)}
        key = place[self.entity.key[0].name]
        best: dict[tuple[Any, Part | None], tuple[Any, int]] = {}
        for number, row in enumerate(rows):
            best.setdefault((row[key], None), (None, number))
            for part in self.entity.parts:
                version = version_in(row, [place[name] for name in part.version])
                seen = best.get((row[key], part))
                if version is not None and (seen is None or version >= seen[0]):
                    best[row[key], part] = (version, number)
        told = {one for one, part in best if part is not None}
        return [
            rows[number]
            for number in sorted(
                {
                    number
                    for (one, part), (_, number) in best.items()
                    if part is not None or one not in told
                }
            )
        ]


def version_in(row: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...] | None:
    """The version of a part that a row has at these places; None where it has not the part."""
    if row[places[0]] is None:
        return None
    return (row[places[0]], *(row[place] or "" for place in places[1:]))


def layers(rows: Sequence[Row], key: int) -> list[list[Row]]:
    """The same rows in as few lists as have each key once, those of one key in their order."""
    found: list[list[Row]] = []
    times: dict[Any, int] = {}
    for row in rows:
        turn = times.get(row[key], 0)
        times[row[key]] = turn + 1
        if turn == len(found):
            found.append([])
        found[turn].append(row)
    return found


def _version(alias: str, moment: str, ties: Sequence[str]) -> sql.Composed:
    texts = (
        sql.SQL("coalesce({}, '') COLLATE \"C\"").format(sql.Identifier(alias, name))
        for name in ties
    )
    return sql.SQL(", ").join([sql.Identifier(alias, moment), *texts])


WAS = sql.SQL("CASE WHEN s.failed THEN 'failed' ELSE s.counted END")
"""As what a key counts so far, by its row `s` of `ingestion_sync_keys`."""


def counted(
    insert: sql.Composable, entity: Entity, source: sql.Composable, sync_id: int, *, settles: bool
) -> sql.Composed:
    """`insert`, which returns `key` and `created` of the rows it changes, and what it adds to the
    sync's counts: processed, created, updated, unchanged.

    What each key counts as is kept under `sync_id`; one of which a record failed counts as that.
    What `settles` them, at last, is all of the counts, whatever each counted as before.
    """
    before = sql.SQL("NULL::text") if settles else sql.SQL("nullif(s.counted, 'unchanged')")
    noted = sql.SQL(
        ", noted AS (INSERT INTO ingestion_sync_keys (sync_id, key, counted) "
        "SELECT {}, key, counted FROM told ON CONFLICT (sync_id, key) "
        "DO UPDATE SET counted = excluded.counted)"
    ).format(sql.Literal(sync_id))
    return sql.SQL(
        "WITH loaded AS ({insert}), "
        "told AS (SELECT r.key, {was} AS was, coalesce(s.failed, false) AS failed, "
        "coalesce({before}, CASE WHEN l.created THEN 'created' WHEN l.key IS NOT NULL "
        "THEN 'updated' ELSE 'unchanged' END) AS counted "
        "FROM (SELECT {key} AS key FROM {source} AS r) AS r LEFT JOIN loaded AS l USING (key) "
        "LEFT JOIN ingestion_sync_keys AS s ON s.sync_id = {sync_id} AND s.key = r.key), "
        "new AS (SELECT was, CASE WHEN failed THEN 'failed' ELSE counted END AS now_is FROM told)"
        "{noted} SELECT {gained} FROM new"
    ).format(
        insert=insert,
        was=sql.SQL("NULL::text") if settles else WAS,
        before=before,
        key=key_array(entity, "r"),
        source=source,
        sync_id=sql.Literal(sync_id),
        noted=sql.SQL("") if settles else noted,
        gained=_gained("created", "updated", "unchanged"),
    )


def failing(sync_id: int) -> sql.Composed:
    """Counts the keys that it is given, as text[], as failed; what that adds to the counts."""
    return sql.SQL(
        "WITH new AS (SELECT n.key, {was} AS was, 'failed' AS now_is "
        "FROM (SELECT DISTINCT ARRAY[k] AS key FROM unnest(%s::text[]) AS k) AS n "
        "LEFT JOIN ingestion_sync_keys AS s ON s.sync_id = {sync_id} AND s.key = n.key), "
        "noted AS (INSERT INTO ingestion_sync_keys (sync_id, key, failed) "
        "SELECT {sync_id}, key, true FROM new ON CONFLICT (sync_id, key) "
        "DO UPDATE SET failed = true) SELECT {gained} FROM new"
    ).format(
        was=WAS,
        sync_id=sql.Literal(sync_id),
        gained=_gained("created", "updated", "unchanged", "failed"),
    )


def mending(sync_id: int) -> sql.Composed:
    """Counts the keys that it is given, as text[], and that are stored, no longer as failed."""
    return sql.SQL(
        "WITH new AS (UPDATE ingestion_sync_keys AS s SET failed = false "
        "FROM (SELECT DISTINCT ARRAY[k] AS key FROM unnest(%s::text[]) AS k) AS n "
        "WHERE s.sync_id = {sync_id} AND s.key = n.key AND s.failed AND s.counted IS NOT NULL "
        "RETURNING 'failed' AS was, s.counted AS now_is) SELECT {gained} FROM new"
    ).format(
        sync_id=sql.Literal(sync_id),
        gained=_gained("created", "updated", "unchanged", "failed"),
    )


def _gained(*names: str) -> sql.Composed:
    """How many are new, and how many more count as each of these than before; less than none
    where some count otherwise now."""
    each = (
        sql.SQL("count(*) FILTER (WHERE now_is = {0}) - count(*) FILTER (WHERE was = {0})").format(
            sql.Literal(name)
        )
        for name in names
    )
    return sql.SQL(", ").join([sql.SQL("count(*) FILTER (WHERE was IS NULL)"), *each])


def counts_of(found: Sequence[int] | None) -> Counts:
    """The counts that such a statement gives."""
    processed, created, updated, unchanged, *failed = found or (0, 0, 0, 0)
    return Counts(processed, created, updated, unchanged, *failed)
