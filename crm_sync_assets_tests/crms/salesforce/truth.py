"""Is the warehouse what Salesforce's sandbox holds? Where a column comes from the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

OBJECTS = {
    "accounts": "Account",
    "contacts": "Contact",
    "leads": "Lead",
    "opportunities": "Opportunity",
    "cases": "Case",
    "tasks": "Task",
    "events": "Event",
    "users": "User",
    "campaigns": "Campaign",
}


def field_of(column: str) -> str:
    """`first_name` is FirstName there."""
    return "".join(part[:1].upper() + part[1:] for part in column.split("_"))


def differences(
    sandbox: Sandbox, warehouse: Warehouse, entity: Entity, *, purges_seen: bool = True
) -> Iterator[str]:
    """Every way in which a table differs from the truth.

    What is deleted for good a delta may not have heard of: `purges_seen`.
    """
    stored, known = stored_rows(warehouse, entity), set()
    records = list(sandbox.salesforce.truth(OBJECTS[entity.sync_type]))
    heirs = {true["id"]: true["merged_into"] for true in records}
    for true in records:
        key = (true["id"],)
        known.add(key)
        row = stored.get(key)
        if true["state"] == "live":
            yield from _row_differences(entity, key, true["properties"], row)
        elif row is not None and row["deleted_at"] is None:
            if true["state"] != "purged" or purges_seen:
                yield f"{entity} {key} is {true['state']} and live here"
        elif row is not None and not row.get("is_deleted", True):
            yield f"{entity} {key} is deleted and not flagged so"
        elif row is not None and row.get("merged_into") != _heir(heirs, true["id"]):
            yield f"{entity} {key} is merged into {row.get('merged_into')}"
    for key in stored.keys() - known:
        yield f"{entity} {key} is nobody's"


def _heir(heirs: dict[str, str | None], key: str) -> str | None:
    """Into what a record was merged in the end."""
    found = None
    while (heir := heirs.get(found or key)) is not None:
        found = heir
    return found


def _row_differences(
    entity: Entity, key: tuple[str, ...], record: dict[str, Any], row: dict[str, Any] | None
) -> Iterator[str]:
    if row is None:
        yield f"{entity} {key} is missing"
        return
    if row["deleted_at"] is not None or row.get("is_deleted") or row.get("merged_into"):
        yield f"{entity} {key} is live and marked here"
    for column in entity.columns:
        if column.kind == "rest":
            yield from _custom_differences(f"{entity} {key}", record, row[column.name] or {})
            continue
        expected = _parsed(column, record.get(field_of(column.name)))
        if row[column.name] != expected:
            yield f"{entity} {key}.{column.name} is {row[column.name]!r}, not {expected!r}"


def _parsed(column: Column, value: Any) -> Any:
    if column.sql == "timestamptz":
        return timestamp(value)
    if column.sql == "text" and isinstance(value, str):
        kept = value.replace("\0", "")
        return (kept.strip() if column.kind == "email" else kept) or None
    parsed = None if value is None else column.parse(value)
    return column.default if parsed is None else parsed


def _custom_differences(
    where: str, record: dict[str, Any], stored: dict[str, Any]
) -> Iterator[str]:
    wanted = {name.lower(): value for name, value in record.items() if name.endswith("__c")}
    wanted |= {name: record[name] for name in ("CurrencyIsoCode",) if name in record}
    wanted = {name: _plain(value) for name, value in wanted.items() if value not in (None, "")}
    found = {name: _plain(value) for name, value in stored.items()}
    for name in wanted.keys() | found.keys():
        if wanted.get(name) != found.get(name):
            yield f"{where}.{name} is {found.get(name)!r}, not {wanted.get(name)!r}"


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return Decimal(str(value)) if is_number else value
