"""Is the warehouse what HubSpot finally holds, row for row? The sandbox knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.crms.hubspot.sources import Associations, Objects
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.encrypted import opened

Row = dict[str, Any]


class HubSpotSyncs:
    """Syncs HubSpot entities of the environment one by one, with one client for all."""

    def __init__(self) -> None:
        self.crm = registry.crm("hubspot")
        self.client = open_client("hubspot")
        self.warehouse = open_warehouse()

    def begin(self, name: str, **flags: Any) -> Sync:
        entity = registry.entity(f"hubspot.{name}")
        marked = registry.entity(entity.tombstones_of) if entity.tombstones_of else None
        request = Request(
            self.crm, entity, Flags(**flags), settings_for(self.crm, entity), marked_entity=marked
        )
        return begin(request, self.client, self.warehouse)

    def sync(self, name: str, **flags: Any) -> Sync:
        begun = self.begin(name, **flags)
        drain(begun)
        return begun

    def all(self, **flags: Any) -> dict[str, Sync]:
        """Everything but the removals, in run order."""
        return {
            entity.sync_type: self.sync(entity.sync_type, **flags)
            for entity in registry.entities("hubspot")
            if entity.in_all
        }

    def close(self) -> None:
        self.client.close()


def differences(sandbox: Any, warehouse: Warehouse, *, purges_seen: bool = True) -> list[str]:
    """Every way in which a HubSpot table differs from the truth; empty when it is the same.

    A purge is in no feed: `purges_seen` says that full reads or removals have looked for them.
    """
    found = []
    for entity in registry.entities("hubspot"):
        if not entity.tombstones_of:
            found += [
                f"{entity.table}: {problem}"
                for problem in entity_differences(sandbox, warehouse, entity, purges_seen)
            ]
    return found


def entity_differences(
    sandbox: Any, warehouse: Warehouse, entity: Entity, purges_seen: bool
) -> Iterator[str]:
    stored = stored_rows(warehouse, entity)
    expected = set()
    for true in true_records(sandbox, entity):
        key, wire = as_sent(entity, true)
        expected.add(key)
        yield from row_differences(entity, key, true, wire, stored.get(key), purges_seen)
    for key in stored.keys() - expected:
        if stored[key]["deleted_at"] is None:
            yield f"{key} is stored but never existed, or exists no more"


def stored_rows(warehouse: Warehouse, entity: Entity) -> dict[tuple[str, ...], Row]:
    """All rows of an entity's table by key."""
    names, found = opened(warehouse, entity, deleted=True)
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return {tuple(str(row[c.name]) for c in entity.key): row for row in rows}


def true_records(sandbox: Any, entity: Entity) -> Iterator[Mapping[str, Any]]:
    source = entity.source
    if isinstance(source, Objects):
        what = source.type
    elif isinstance(source, Associations):
        what = f"associations/{source.of}/{source.to}"
    else:
        what = entity.sync_type
    return iter(sandbox.crms["hubspot"].truth(what))


def as_sent(entity: Entity, true: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The record as the API would send it, and its key."""
    source = entity.source
    if isinstance(source, Objects):
        wire = {
            "id": true["id"],
            "properties": true["properties"],
            "createdAt": true["createdAt"],
            "updatedAt": true["updatedAt"],
            "archived": true["state"] == "archived",
            "archivedAt": true["archivedAt"],
        }
    elif isinstance(source, Associations):
        wire = {source.columns[0]: true["from"], source.columns[1]: true["to"]}
    else:
        wire = {**true, **true.get("properties", {})}
        wire |= {"objectType": true.get("object_type"), "pipelineId": true.get("pipeline_id")}
    return tuple(str(_value(entity, wire, column)) for column in entity.key), wire


def _value(entity: Entity, wire: dict[str, Any], column: Any) -> Any:
    if callable(column.at):
        raw = column.at(wire)
    else:
        raw = wire
        for step in column.path(entity.source.root).split("."):
            raw = raw.get(step) if isinstance(raw, dict) else None
    try:
        parsed = column.parse(raw)
    except ValueError:
        parsed = None
    return column.default if parsed is None else parsed


def row_differences(
    entity: Entity,
    key: tuple[str, ...],
    true: Mapping[str, Any],
    wire: dict[str, Any],
    row: Row | None,
    purges_seen: bool,
) -> Iterator[str]:
    # A zip code's record has a state too, but that one is in the USA.
    state = true["state"] if isinstance(entity.source, Objects) else "live"
    if state == "purged":
        if purges_seen and row is not None and row["deleted_at"] is None:
            yield f"{key} was purged but is live here"
        return
    if state == "merged":
        if row is not None and (row["deleted_at"] is None or not row["merged_into"]):
            yield f"{key} was merged into {true['merged_into']} but is not marked so"
        return
    if row is None:
        yield f"{key} is missing ({state})"
        return
    if (row["deleted_at"] is None) != (state == "live"):
        yield f"{key} is {state} but deleted_at is {row['deleted_at']}"
    taken = set()
    for column in entity.columns:
        taken.add(column.path(entity.source.root))
        if column.kind == "rest":
            continue
        expected = _value(entity, wire, column)
        if row[column.name] != expected and column.name != "deleted_at":
            yield f"{key}.{column.name} is {row[column.name]!r}, should be {expected!r}"
    if isinstance(entity.source, Objects):
        kept = row["properties"] or {}
        for name, value in true["properties"].items():
            if f"properties.{name}" not in taken and value and kept.get(name) != value:
                yield f"{key}.properties.{name} is {kept.get(name)!r}, should be {value!r}"
