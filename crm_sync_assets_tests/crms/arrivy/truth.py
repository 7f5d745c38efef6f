"""Is the warehouse what Arrivy's sandbox holds? What a column is called there the sheet says, and
not the declaration: a wrong path must not be right twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.crms.arrivy.world import World
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.truth import stored_rows

RENAMED = {
    "entities": {"last_reading": "lastreading"},
    "statuses": {"status_type": "type", "name": "title"},
    "tasks": {
        **{
            name: f"customer_{name}"
            for name in ("first_name", "last_name", "email", "mobile_number", "address", "city",
                         "state", "zipcode", "country")
        },
        "address_2": "customer_address_line_2",
        "mileage_data": "mileage",
        "instructions": "details",
        "task_id": "id",
        "task_title": "title",
        "timezone": "start_datetime_timezone",
        "created_on": "created",
    },
    "bookings": {"title": "name", "template_id": "template", "timezone": "time_zone"},
}  # fmt: skip
FLAGS = {
    "complete": "COMPLETE", "cancel": "CANCELLED", "on_our_way": "ENROUTE", "start": "STARTED",
    "exception": "EXCEPTION", "appointment_confirmed": "CONFIRMED",
}  # fmt: skip
PLACES = {"tasks": "customer_exact_location", "bookings": "exact_location"}
EXTRA = ("scheduled_by", "company", "expected_start_date", "mileage")


def true_rows(world: World, entity: Entity) -> Iterator[tuple[str, bool, Any, dict[str, Any]]]:
    """Key, whether it is live, when it begins, and the record with the columns' names."""
    for true in world.truth(entity.sync_type):
        yield true["id"], true["state"] == "live", true["begins"], _named(entity, true["record"])


def _named(entity: Entity, record: Mapping[str, Any]) -> dict[str, Any]:
    kind = entity.sync_type
    renamed = RENAMED.get(kind, {}).items()
    found = {**record, **{ours: record.get(theirs) for ours, theirs in renamed}}
    if kind not in PLACES:
        return found
    place, extra = record.get(PLACES[kind]) or {}, record.get("extra_fields") or {}
    found |= {"latitude": place.get("lat"), "longitude": place.get("lng")}
    found |= {name: extra.get(name) for name in EXTRA} | {"group": record["group"]["name"]}
    for end in ("start", "end"):
        found |= _there(end, record)
    if kind == "tasks":
        found |= {name: record["status"] == status for name, status in FLAGS.items()}
        found["demo_sold"] = record["status_title"] == "Demo Sold"
    return found


def _there(end: str, record: Mapping[str, Any]) -> dict[str, Any]:
    if not record.get(f"{end}_datetime"):
        return {}
    zone = record.get(f"{end}_datetime_timezone") or record.get("time_zone") or "UTC"
    moment = datetime.fromisoformat(record[f"{end}_datetime"]).replace(tzinfo=UTC)
    there = moment.astimezone(ZoneInfo(zone))
    return {f"{end}_date": f"{there:%Y-%m-%d}", f"{end}_time": f"{there:%H:%M:%S}"}


def expected(column: Column, record: Mapping[str, Any]) -> Any:
    value = column.parse(record.get(column.name))
    return column.default if value is None else value


def problems_of(
    entity: Entity, key: str, is_live: bool, record: Mapping[str, Any],
    row: Mapping[str, Any] | None, *, exact: bool,
) -> list[str]:  # fmt: skip
    """Every way in which a row differs from its record, in values only where they are `exact`."""
    if not is_live:
        return [f"{key} is live here"] if exact and row and row["deleted_at"] is None else []
    if row is None or row["deleted_at"] is not None:
        return [f"{key} is {'missing' if row is None else 'marked'}"]
    return [
        f"{key}.{column.name} is {row[column.name]!r}, should be {wanted!r}"
        for column in entity.columns
        if exact and row[column.name] != (wanted := expected(column, record))
    ]


def differences(
    world: World, warehouse: Warehouse, entity: Entity, *, exact_from: datetime | None = None
) -> list[str]:
    """Every way in which a table differs from the truth.

    With `exact_from` it is what deltas make of it: what began before that may be as it was when it
    was read last, and what is gone may be live.
    """
    is_delta = exact_from is not None and entity.tracks_changes
    from_ms = exact_from.timestamp() * 1_000 if exact_from else 0
    stored = {key[0]: row for key, row in stored_rows(warehouse, entity).items()}
    problems, known = [], set()
    for key, is_live, begins, record in true_rows(world, entity):
        known.add(key)
        exact = not is_delta or (is_live and (begins is None or begins >= from_ms))
        problems += problems_of(entity, key, is_live, record, stored.get(key), exact=exact)
    return problems + [f"{key} is nobody's" for key in stored.keys() - known]
