"""Is the warehouse what Five9's sandbox holds? Where a column comes from the sheet says, and not
the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.five9.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.compared import Key, table_differences

ZONE = ZoneInfo("America/Los_Angeles")
US_DATES = ("PC Work Finished",)
"""Printed as the field's DateFormat says."""
OURS = ("list_name", "modified_at", "extra")


def column_of(field: str) -> str:
    """What the column of a field is called."""
    name = re.sub("[ -]", "_", field)
    return f"field_{name}" if re.match(r"[0-9]", name) else name


def true_rows(world: World, entity: Entity) -> Iterator[tuple[Key, str, dict[str, Any]]]:
    """Key, state, and the values by the columns' names."""
    for true in world.truth("contacts"):
        yield tuple(true["key"]), true["state"], _values(entity, true["record"])


def _values(entity: Entity, record: Mapping[str, Any]) -> dict[str, Any]:
    named = {column_of(field): value for field, value in record.items()}
    # This one begins with a letter.
    phone = "f65d759a-2250-4b2d-89a9-60796f624f72"
    named[column_of(phone)] = record[phone]
    found: dict[str, Any] = {}
    for column in entity.columns:
        value = named.get(column.name)
        if value and column.sql == "timestamptz":
            value = _utc(value).isoformat()
        found[column.name] = value
    for field in US_DATES:
        if value := record.get(field):
            found[column_of(field)] = datetime.strptime(value, "%m/%d/%Y").date().isoformat()
    declared = {column.name for column in entity.columns}
    found["list_name"] = record["last_list"] or ""
    changed = record["New Contact Field"]
    found["modified_at"] = _utc(changed).isoformat() if changed else None
    others = {
        field: value
        for field, value in record.items()
        if value and column_of(field) not in declared
    }
    found["extra"] = others or None
    return found


def _utc(wall: str) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZONE).astimezone(UTC)


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, deletions: bool = True
) -> list[str]:
    """Every way in which the table differs from the truth; without `deletions`, that nobody tells
    of, what is gone may be live here."""
    rows = true_rows(world, entity)
    return table_differences(entity, warehouse, rows, deletions=deletions)
