"""Is the warehouse what Genius's tables hold, row for row? The tables themselves are asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.encrypted import opened

Row = dict[str, Any]


class GeniusSyncs:
    """Syncs Genius's entities of the environment one by one, with one client for all."""

    def __init__(self) -> None:
        self.crm = registry.crm("genius")
        self.client: Any = open_client("genius")
        self.warehouse = open_warehouse()

    def begin(self, name: str, client: Any = None, **flags: Any) -> Sync:
        entity = registry.entity(f"genius.{name}")
        settings = settings_for(self.crm, entity)
        request = Request(self.crm, entity, Flags(**flags), settings)
        return begin(request, client or self.client, self.warehouse)

    def sync(self, name: str, client: Any = None, **flags: Any) -> Sync:
        begun = self.begin(name, client, **flags)
        drain(begun)
        return begun

    def all(self, **flags: Any) -> dict[str, Sync]:
        """Everything, in run order."""
        return {
            entity.sync_type: self.sync(entity.sync_type, **flags)
            for entity in registry.entities("genius")
        }

    def close(self) -> None:
        self.client.close()


def differences(world: World, warehouse: Warehouse, *names: str) -> list[str]:
    """Every way in which a table differs from the truth; empty when it is the same."""
    tables = {name: world.rows(name) for name in world.sources}
    return [
        f"{entity.table}: {problem}"
        for entity in registry.entities("genius")
        if not names or entity.sync_type in names
        for problem in _differences(world, tables, warehouse, entity)
    ]


def stored_rows(warehouse: Warehouse, entity: Entity) -> dict[tuple[Any, ...], Row]:
    """All rows of an entity's table by key."""
    names, found = opened(warehouse, entity, deleted=True)
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return {tuple(row[c.name] for c in entity.key): row for row in rows}


def _differences(
    world: World, tables: dict[str, list[Row]], warehouse: Warehouse, entity: Entity
) -> Iterator[str]:
    assert isinstance(entity.source, Table)
    stored = stored_rows(warehouse, entity)
    kinds = {n.lower(): k for n, k in world.sources[entity.source.name].columns.items()}
    there = set()
    for true in tables[entity.source.name]:
        raw = {name.lower(): value for name, value in true.items()}
        raw |= joined(entity, raw, tables)
        key = tuple(raw[column.path("").lower()] for column in entity.key)
        there.add(key)
        row = stored.get(key)
        if row is None or row["deleted_at"] is not None:
            yield f"{key} is {'missing' if row is None else 'marked as deleted'}"
            continue
        for column in entity.columns:
            expected = expected_value(column, raw, kinds, world.zone)
            if row[column.name] != expected:
                yield f"{key}.{column.name} is {row[column.name]!r}, should be {expected!r}"
    for key, row in stored.items():
        if key not in there and row["deleted_at"] is None:
            yield f"{key} is live here, but gone there"


def joined(entity: Entity, raw: Row, tables: dict[str, list[Row]]) -> Row:
    """What the joins bring in, found without any."""
    if entity.sync_type == "user_data":
        found = [
            a for a in tables["users_userassociations"] if a["id"] == raw["user_associations_id"]
        ]
        return {"primary_user_id": found[0]["primary_user_id"] if found else None}
    if entity.sync_type in ("prospects", "appointments"):
        types = {t["id"]: t["label"] for t in tables["third_party_source_type"]}
        for source in tables["third_party_source"]:
            if source["id"] == raw["third_party_source_id"]:
                is_hubspot = types.get(source["third_party_source_type_id"]) == "hubspot"
                return {"hubspot": source["third_party_id"] if is_hubspot else None}
        return {"hubspot": None}
    return {}


def expected_value(column: Any, raw: Row, kinds: dict[str, str], zone: ZoneInfo) -> Any:
    path = "hubspot" if callable(column.at) else column.path("").lower()
    value = raw.get(path)
    if isinstance(value, datetime):
        if kinds.get(path) == "datetime":
            value = value.replace(tzinfo=zone).astimezone(UTC)
        elif value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
    if column.sql == "boolean" and isinstance(value, bytes):
        value = int.from_bytes(value, "big")
    if column.sql == "boolean" and value is not None and not isinstance(value, str):
        return value != 0
    try:
        parsed = column.parse(value)
    except ValueError:
        parsed = None
    return column.default if parsed is None else parsed
