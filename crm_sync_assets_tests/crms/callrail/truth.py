"""Is the warehouse what CallRail's sandbox holds? What a column is called there the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

RENAMED = {
    "companies": {"api_created_at": "created_at"},
    "trackers": {"api_created_at": "created_at"},
    "form_submissions": {"submission_time": "submitted_at"},
    "users": {"is_active": "accepted", "permissions": "companies"},
    "text_messages": {
        "status": "state",
        "tracking_phone_number": "current_tracking_number",
        "message": "content",
        "sent_at": "created_at",
    },
}


def true_rows(world: World, entity: Entity) -> Iterator[tuple[str, bool, int, dict[str, Any]]]:
    """Key, whether it is live, when it began, and the record with the columns' names."""
    name = entity.sync_type
    for true in world.truth("conversations" if name == "text_messages" else name):
        if not true["shown"]:
            continue
        for key, record in _records(true, name):
            renamed = RENAMED.get(name, {}).items()
            named = {**record, **{ours: record[theirs] for ours, theirs in renamed}}
            yield key, true["state"] == "live", true["began"], named


def _records(true: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    record = dict(true["record"])
    if name == "trackers" and not record["destination_number"]:
        record["destination_number"] = (record["call_flow"] or {}).get("destination_number")
    if name == "tags":
        parts = ("tag_level", "status", "background_color", "created_at")
        record["configuration"] = {part: record[part] for part in parts}
    if name != "text_messages":
        yield true["id"], record
        return
    times: Counter[str] = Counter()
    for message in true["messages"]:
        said = f"{message['created_at']}|{message['direction']}|{message['content']}"
        times[said] += 1
        digest = hashlib.sha256(f"{said}|{times[said]}".encode()).hexdigest()[:32]
        yield f"{true['id']}-{digest}", {**record, **message}


def expected(column: Column, record: Mapping[str, Any]) -> Any:
    if column.name not in record and column.name != "id":
        raise AssertionError(f"the sandbox has no {column.name}")
    value = column.parse(record[column.name])
    return column.default if value is None else value


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, exact_from: datetime | None = None
) -> list[str]:
    """Every way in which a table differs from the truth.

    A record that is gone may be live here where that is kept. Of what began before `exact_from` a
    row has to be there, and may say what was true when it was read last.
    """
    from_ms = exact_from.timestamp() * 1_000 if exact_from and entity.tracks_changes else 0
    stored = {key[0]: row for key, row in stored_rows(warehouse, entity).items()}
    problems, known = [], set()
    for key, is_live, began, record in true_rows(world, entity):
        known.add(key)
        row, exact = stored.get(key), began >= from_ms
        problems += problems_of(entity, key, is_live, record, row, exact=exact)
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]


def problems_of(
    entity: Entity,
    key: str,
    is_live: bool,
    record: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    *,
    exact: bool,
) -> list[str]:
    """Every way in which a row differs from its record, in values only where they are `exact`."""
    if not is_live:
        kept = entity.absent == "kept"
        if row and kept != (row["deleted_at"] is None):
            return [f"{key} is gone there, and {'marked' if kept else 'live'} here"]
        return []
    if row is None or row["deleted_at"] is not None:
        return [f"{key} is {'missing' if row is None else 'marked'}"]
    return [
        f"{key}.{column.name} is {row[column.name]!r}, should be {wanted!r}"
        for column in entity.columns
        if exact
        and column.name != "id"
        and row[column.name] != (wanted := expected(column, record))
    ]
