"""Is the warehouse what the sandbox's spreadsheets hold? What a column is called there the sheet
says, and not the declaration: a wrong header must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.crms.gsheet.truth import keyed
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.gsheet.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

HEADERS = {
    "marketing_leads": {
        "channel": "marketing_channel",
        "multiple_inquiry": "Multiple Inquiry",
        "appt_set_by": "Appt Set By",
        "set_appt_date": "Set Appt Date",
        "appt_date_time": "Appt Date-Time",
        "appt_result": "Appt Result",
        "appt_result_reason": "Appt Result Reason",
        "appt_attempts": "Appt Attempts",
        "marketsharp_address": "MarketSharp Address",
        "marketsharp_source": "MarketSharp Source",
        "total_job_value": "Total Job Value",
        "cancel_job_value": "Cancel Job Value",
        "genius_division": "Genius Division",
        "genius_marketing_source": "Genius Marketing Source",
    },
    "marketing_spends": {
        "spend_date": "Date",
        "cost": "Cost",
        "division": "Division",
        "channel": "Channel",
        "campaign": "Campaign",
        "campaign_id": "Campaign ID",
        "campaign_type": "Campaign Type",
    },
}
OURS = ("row_key", "sheet_last_modified")
Key = tuple[str, ...]


def header_of(entity: Entity, column: str) -> str:
    """What a column of ours is called in the sheet."""
    return HEADERS[entity.sync_type].get(column, column)


def true_rows(world: World, entity: Entity) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Key and values of every row, by our columns' names."""
    for key, row in keyed(entity, world.truth(entity.sync_type)):
        cells = dict(zip(row["header"], row["cells"], strict=False))
        values: dict[str, Any] = {"sheet_row_number": row["row"]}
        values["raw_data"] = {name: cell for name, cell in cells.items() if cell != ""}
        if row["year"]:
            values |= {"id": f"{row['year']}-{row['row']}", "year": row["year"]}
        for column in entity.columns:
            if column.name not in (*values, *OURS):
                held = row["values"].get(header_of(entity, column.name))
                values[column.name] = _typed(column.sql, held, row["zone"])
        yield key, values


def _typed(sql: str, held: Any, zone: str) -> Any:
    if held is None or held == "" or isinstance(held, Mapping):
        return None
    if sql == "timestamptz":
        return datetime.fromisoformat(held).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if sql == "date":
        return date.fromisoformat(held)
    if sql == "boolean":
        return held == "true"
    return {"numeric": Decimal, "bigint": int}.get(sql, str)(held)


def differences(world: World, warehouse: Warehouse, entity: Entity) -> list[str]:
    """Every way in which a table differs from the truth."""
    stored = stored_rows(warehouse, entity)
    problems, known = list[str](), set[Key]()
    for key, values in true_rows(world, entity):
        known.add(key)
        problems += problems_of(key, values, stored.get(key))
    live = {key for key, row in stored.items() if row["deleted_at"] is None}
    return problems + [f"{key} is live here, and nowhere else" for key in sorted(live - known)]


def problems_of(key: Key, values: Mapping[str, Any], row: Mapping[str, Any] | None) -> list[str]:
    """Every way in which a row differs from its cells."""
    if row is None or row["deleted_at"] is not None:
        return [f"{key} is {'missing' if row is None else 'marked'}"]
    return [
        f"{key}.{name} is {row[name]!r}, should be {wanted!r}"
        for name, wanted in values.items()
        if row[name] != wanted
    ]
