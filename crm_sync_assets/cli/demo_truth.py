"""Does the warehouse hold what the sandbox finally holds? Keys, and when each record changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.hubspot.sources import Associations, Objects
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.process import Running
from crm_sync_assets.warehouse.connection import Warehouse

Live = set[tuple[Any, ...]]
"""Keys of live records, with the moment each changed where the source tells it in UTC."""


def purged(moved: Sequence[str]) -> frozenset[str]:
    """Ids in the sandbox's account of what it did that no delta can know about."""
    words = [line.split() for line in moved]
    return frozenset(w[2] for w in words if len(w) > 2 and w[0] == "purge")


def differences(
    warehouse: Warehouse,
    running: Running,
    crms: Sequence[str],
    *,
    excused: frozenset[str] = frozenset(),
) -> Iterator[tuple[Entity, int, str | None]]:
    """Each entity with its number of live records, and what is wrong with its rows, if anything.

    Differences about `excused` ids are passed over.
    """
    for entity in [entity for crm in crms for entity in registry.selection(crm)]:
        true = _truth(running, entity)
        if true is None:
            continue
        stored = _stored(warehouse, entity, with_moment=isinstance(entity.source, Objects))
        missing, extra = (
            [one for one in found if not excused.intersection(one)]
            for found in (true - stored, stored - true)
        )
        problem = (
            f"{len(missing)} live records are missing or old in {entity.table}, "
            f"{len(extra)} rows there are not what {registry.crm(entity.crm).title} has"
        )
        yield entity, len(true), problem if missing or extra else None


def _truth(running: Running, entity: Entity) -> Live | None:
    """What the sandbox has of this entity; None where it is not asked."""
    source = entity.source
    if isinstance(source, Objects):
        return {
            (record["id"], _moment(record["properties"], source.modified))
            for record in _ask(running, f"hubspot/{source.type}")
            if record["state"] == "live"
        }
    if isinstance(source, Associations):
        pairs = _ask(running, f"hubspot/associations/{source.of}/{source.to}")
        return {(pair["from"], pair["to"]) for pair in pairs}
    if isinstance(source, Table):
        # MySQL does not tell `Id` from `id`.
        names = [column.path("").lower() for column in entity.key]
        rows = [
            {name.lower(): value for name, value in row.items()}
            for row in _ask(running, f"genius/{source.name}")
        ]
        return {tuple(str(row[name]) for name in names) for row in rows}
    return None


def _ask(running: Running, what: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.ask(f"truth/{what}").splitlines()]


def _moment(properties: Mapping[str, str | None], name: str | None) -> datetime | None:
    text = properties.get(name or "")
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _stored(warehouse: Warehouse, entity: Entity, *, with_moment: bool) -> Live:
    columns = [column.name for column in entity.key]
    if with_moment and entity.modified is not None:
        columns.append(entity.modified.name)
    query = sql.SQL("SELECT {} FROM {} WHERE deleted_at IS NULL").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(entity.table)
    )
    with warehouse.connection() as connection:
        return {
            tuple(value if isinstance(value, datetime) else str(value) for value in row)
            for row in connection.execute(query)
        }
