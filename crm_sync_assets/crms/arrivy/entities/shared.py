"""Columns that tasks and bookings have alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    email,
    integer,
    json,
    phone,
    text,
    time,
    timestamp,
)
from crm_sync_assets.declarations.entity import Record


def extra(name: str) -> str:
    """Where what a company added itself has this."""
    return f"extra_fields.{name}"


def _local(end: str, part: Callable[[datetime], Any]) -> Callable[[Record], Any]:
    """A part of a moment as the clocks show it there: as told with its offset, else by the zone."""

    def found(record: Record) -> Any:
        told = record.get(f"{end}_datetime_original_iso_str")
        try:
            if told:
                return part(datetime.fromisoformat(str(told)))
            moment = parsing.timestamp(record.get(f"{end}_datetime"))
            zone = record.get(f"{end}_datetime_timezone") or record.get("time_zone")
            return part(moment.astimezone(ZoneInfo(zone) if zone else UTC)) if moment else None
        except (ValueError, KeyError, OSError):
            return None

    found.__name__ = f"local_{end}_{part.__name__}"
    return found


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _clock(moment: datetime) -> str:
    return moment.time().isoformat()


COMMON = (
    text("id", key=True, about="a number of 16 digits at the source"),
    *each(text, "url_safe_id created_by_user updated_by_user"),
    *each(text, "customer_name customer_first_name customer_last_name", sensitive=True),
    *each(text, "customer_company_name linked_external_ref travel_time wait_time task_time"),
    *each(text, "total_time template external_id route_name details"),
    text("group", at="group.name"),
    text("customer_notes", sensitive=True),
    *each(text, "rating_text owner created_by updated_by start_datetime_original_iso_str"),
    *each(text, "end_datetime_original_iso_str customer_id customer_timezone linked_internal_ref"),
    *each(text, "route_id internal_route_id external_type external_resource_type"),
    *each(timestamp, "created updated start_datetime end_datetime"),
    *each(boolean, "unscheduled use_lat_lng_address is_linked", default=False),
    email("customer_email"),
    *each(phone, "customer_phone customer_mobile_number"),
    *each(json, "entity_ids crew_ids worker_ids resource_ids routes entity_routes"),
    *each(json, "additional_addresses current_destination document_ids file_ids files forms"),
    *each(json, "extra_fields template_extra_fields entity_confirmation_statuses items"),
    *each(integer, "number_of_workers_required outbound_sms_count inbound_sms_count"),
    *each(integer, "outbound_email_count inbound_email_count"),
    decimal("rating"),
    decimal("mileage", at=extra("mileage"), about="tasks have theirs in mileage_data"),
    date("start_date", at=_local("start", _day), about="where it takes place"),
    date("end_date", at=_local("end", _day), about="where it takes place"),
    time("start_time", at=_local("start", _clock), about="where it takes place"),
    time("end_time", at=_local("end", _clock), about="where it takes place"),
)

INDEXES = ("updated", "start_datetime", "customer_id")
