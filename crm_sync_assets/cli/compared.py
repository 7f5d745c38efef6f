"""Tables of the demo held against what the sandbox has, key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.truth import Live, live
from crm_sync_assets.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from crm_sync_assets.sandbox.process import Control


@dataclass(frozen=True, slots=True)
class Compared:
    """An entity's table beside the truth: `records` live ones are there; `wrong` says what is wrong
    with the rows here, if anything is. `gone` live rows here are live there no more."""

    entity: Entity
    records: int
    wrong: str | None
    gone: int


def compared(
    warehouse: Warehouse,
    control: Control,
    crm: Crm,
    *,
    excused: frozenset[str] = frozenset(),
) -> Iterator[Compared]:
    """Every entity of a CRM that the sandbox knows the truth of.

    Differences about `excused` ids are passed over.
    """

    def ask(what: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in control.ask(f"truth/{crm.name}/{what}").splitlines()]

    for entity in registry.selection(crm.name):
        true = live(entity, ask)
        if true is None:
            continue
        stored = _stored(warehouse, entity, dated=true.dated)
        missing, extra = (
            [key for key, _ in found if not excused.intersection(key)]
            for found in (true.records - stored.records, stored.records - true.records)
        )
        problem = (
            f"{len(missing)} live records are missing or old in {entity.table}, "
            f"{len(extra)} rows there are not what {crm.title} has"
        )
        there = {key for key, _ in true.records}
        yield Compared(
            entity,
            len(true.records),
            problem if missing or extra else None,
            sum(key not in there for key, _ in stored.records),
        )


def purged(moved: Sequence[str]) -> frozenset[str]:
    """Ids in the sandbox's account of what it did that no delta can know about."""
    words = [line.split() for line in moved]
    return frozenset(w[2] for w in words if len(w) > 2 and w[0] == "purge")


def _stored(warehouse: Warehouse, entity: Entity, *, dated: bool) -> Live:
    """The live rows of an entity's table."""
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in entity.key)
    moment = sql.Identifier(entity.modified.name) if dated and entity.modified else sql.SQL("NULL")
    query = sql.SQL("SELECT {}, {} FROM {} WHERE deleted_at IS NULL").format(
        moment, key, sql.Identifier(entity.table)
    )
    with warehouse.connection() as connection:
        rows = connection.execute(query).fetchall()
    return Live({(tuple(map(str, key)), at) for at, *key in rows}, dated)
