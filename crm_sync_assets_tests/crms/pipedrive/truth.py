"""Is the warehouse what Pipedrive finally holds, row for row? The sandbox knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

KINDS = ("deal", "person", "organization", "product", "activity")
CUSTOM = {
    "deals": "deal",
    "leads": "deal",
    "persons": "person",
    "organizations": "organization",
    "products": "product",
}


def wrong(
    sandbox: Sandbox, warehouse: Warehouse, entity: Entity, everything: bool = True
) -> Iterator[str]:
    """Every way in which a table differs from the truth.

    Without having read `everything`, nobody has been told of most deletions.
    """
    stored, known = stored_rows(warehouse, entity), set()
    # The bin of deals is a list; deleted notes may be listed as inactive.
    fed = {"deals", *(["notes"] if sandbox.knobs.pipedrive_deleted_notes else [])}
    for true, wire in _records(sandbox, entity):
        key = tuple(str(wire[column.name]) for column in entity.key)
        known.add(key)
        row = stored.get(key)
        if (entity.sync_type, key[0]) in sandbox.pipedrive.hidden:
            continue
        if true == "live":
            yield from _row_differences(entity, key, wire, row)
        elif row is not None and row["deleted_at"] is None:
            is_told = true == "archived" and entity.sync_type in fed
            if everything or is_told:
                yield f"{entity} {key} is {true} and live here"
        elif row is not None and not row.get("is_deleted", True):
            yield f"{entity} {key} is deleted and not flagged so"
    for key in stored.keys() - known:
        if stored[key]["deleted_at"] is None:
            yield f"{entity} {key} is stored and there is none"


def _records(sandbox: Sandbox, entity: Entity) -> Iterator[tuple[str, dict[str, Any]]]:
    """State and record, as Pipedrive would send it."""
    world, kind = sandbox.pipedrive, entity.sync_type
    if kind == "fields":
        for one in KINDS:
            for row in world.directory.tables[f"fields/{one}"]:
                yield "live", {**row, "entity": one}
        return
    if kind in world.directory.tables:
        for row in world.directory.tables[kind]:
            yield "live", dict(row)
        return
    table = world.table(kind)
    for number in range(table.next_number):
        state, version = table.state(number, None)
        wire = world.wire(table, number, version)
        if kind in CUSTOM:
            fields = world.directory.tables[f"fields/{CUSTOM[kind]}"]
            custom = table.values(number, version).get("custom_fields") or {}
            wire["custom_fields_labeled"] = _labeled(custom, fields)
        yield str(state), wire


def _labeled(custom: Mapping[str, Any], fields: list[dict[str, Any]]) -> dict[str, Any] | None:
    found = {}
    for field in fields:
        value = custom.get(field["field_code"])
        if value is None:
            continue
        labels = {option["id"]: option["label"] for option in field["options"] or ()}
        if field["field_type"] == "enum":
            value = labels[value]
        if field["field_type"] == "set":
            value = [labels[option] for option in value]
        found[field["field_name"]] = value
    return found or None


def _row_differences(
    entity: Entity, key: tuple[str, ...], wire: dict[str, Any], row: Mapping[str, Any] | None
) -> Iterator[str]:
    if row is None:
        yield f"{entity} {key} is missing"
        return
    if row["deleted_at"] is not None:
        yield f"{entity} {key} is live and deleted here"
    for column in entity.columns:
        expected = _value(column, wire)
        if row[column.name] != expected:
            yield f"{entity} {key}.{column.name} is {row[column.name]!r}, not {expected!r}"


def _value(column: Column, wire: dict[str, Any]) -> Any:
    if callable(column.at):
        raw = column.at(wire)
    else:
        raw = wire
        for step in column.path("").split("."):
            raw = raw.get(step) if isinstance(raw, dict) else None
    try:
        parsed = column.parse(raw)
    except ValueError:
        parsed = None
    return column.default if parsed is None else parsed
