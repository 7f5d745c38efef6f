"""Tables beside what the sandbox's truth says of each record: its key, its state, its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

Key = tuple[str, ...]


def problems_of(
    entity: Entity,
    key: Key,
    state: str,
    values: Mapping[str, Any],
    row: Mapping[str, Any] | None,
    *,
    deletions: bool,
) -> list[str]:
    """Every way in which a row differs from its record, whose values have the columns' names."""
    if state != "live":
        is_wrong = deletions and row is not None and row["deleted_at"] is None
        return [f"{key} is gone there, and live here"] if is_wrong else []
    if row is None or row["deleted_at"] is not None:
        return [f"{key} is {'missing' if row is None else 'marked'}"]
    found = []
    for column in entity.columns:
        wanted = column.parse(values[column.name])
        wanted = column.default if wanted is None else wanted
        if row[column.name] != wanted:
            found.append(f"{key}.{column.name} is {row[column.name]!r}, should be {wanted!r}")
    return found


def table_differences(
    entity: Entity,
    warehouse: Warehouse,
    true_rows: Iterable[tuple[Key, str, Mapping[str, Any]]],
    *,
    deletions: bool,
) -> list[str]:
    """Every way in which a table differs from the truth: key, state and values of each record.

    Without `deletions`, that nobody tells of, what is gone may be live here.
    """
    stored, problems, known = stored_rows(warehouse, entity), [], set()
    for key, state, values in true_rows:
        known.add(key)
        problems += problems_of(entity, key, state, values, stored.get(key), deletions=deletions)
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]
