"""Tasks.

- Three lists: what is scheduled, by when; what is not, with a moment and without. A task that is
  given a date while they are read is met in another of them, or by its id.
- The list's status can be an old one. For some time a task's own list of statuses is asked.
- A company's own labels of statuses come as CUSTOM, with `status_title`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crm_sync_assets.clients.rest.delta import Everything
from crm_sync_assets.clients.rest.source import One, Sweep
from crm_sync_assets.crms.arrivy.entities.shared import COMMON, INDEXES, extra
from crm_sync_assets.crms.arrivy.sources import (
    NEWEST_STATUS,
    SCHEDULE,
    has_status,
    listed,
)
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    email,
    integer,
    json,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity, Record, Resweep

WITH_A_MOMENT = {"unscheduled": "true", "tasks_with_no_datetime": "false"}
WITHOUT = {"unscheduled": "true", "tasks_with_no_datetime": "true"}


def _customers(name: str) -> str:
    return f"customer_{name}"


def _is(status: str) -> Callable[[Record], bool]:
    """Whether that is its status."""

    def found(record: Record) -> bool:
        return record.get("status") == status

    found.__name__ = f"is_{status.lower()}"
    return found


def own_id(record: Record) -> Any:
    """The key once more, under the name that reports know."""
    return record.get("id")


def is_sold(record: Record) -> bool:
    """Whether its status has that label."""
    return str(record.get("status_title") or "").strip().lower() == "demo sold"


# A delta is about when a task takes place, and that is no change: what changes about older ones is
# found by reading all of them weekly, and so are deleted ones, which no list tells of.
TASKS = Entity(
    "arrivy.tasks",
    about="Appointments and jobs, scheduled or not, with their customers.",
    source=listed(
        "/tasks",
        windowed_by="start_datetime",
        sweeps=(
            Sweep("scheduled", ask={"unscheduled": "false"}, delta=SCHEDULE),
            Sweep("unscheduled", ask=WITH_A_MOMENT, delta=Everything()),
            Sweep("without a moment", ask=WITHOUT, delta=Everything()),
        ),
        details=NEWEST_STATUS,
        wanted=has_status("task_status"),
        one=One("/tasks/{id}"),
        page="https://app.arrivy.com/tasks/{id}",
    ),
    table="arrivy_task",
    columns=(
        *COMMON,
        decimal("latitude", at="customer_exact_location.lat", sensitive=True),
        decimal("longitude", at="customer_exact_location.lng", sensitive=True),
        text("instructions", at="details"),
        *each(text, "title status status_title template_type series_id booking_id"),
        *each(text, "start_datetime_timezone end_datetime_timezone due_datetime_original_iso_str"),
        *each(text, "customer_address customer_address_line_1", sensitive=True),
        *each(text, "customer_address_line_2", sensitive=True),
        *each(text, "customer_city customer_country"),
        state("customer_state"),
        zip_code("customer_zipcode"),
        text("task_id", at=own_id),
        text("task_title", at="title"),
        *each(text, "first_name last_name", spelled=_customers, sensitive=True),
        *each(text, "city country", spelled=_customers),
        state("state", at="customer_state"),
        zip_code("zipcode", at="customer_zipcode"),
        email("email", at="customer_email"),
        phone("mobile_number", at="customer_mobile_number"),
        text("address", at="customer_address", sensitive=True),
        text("address_2", at="customer_address_line_2", sensitive=True),
        text("timezone", at="start_datetime_timezone"),
        timestamp("created_on", at="created"),
        *each(timestamp, "due_datetime actual_start_time actual_end_time"),
        integer("duration", about="minutes"),
        integer("rescheduled_count"),
        *each(boolean, "self_scheduling is_customer_address_geo_coded", default=False),
        *each(boolean, "is_supply_provided_locked is_supply_returned_locked", default=False),
        boolean("complete", at=_is("COMPLETE"), default=False),
        boolean("cancel", at=_is("CANCELLED"), default=False),
        boolean("appointment_confirmed", at=_is("CONFIRMED"), default=False),
        boolean("on_our_way", at=_is("ENROUTE"), default=False),
        boolean("start", at=_is("STARTED"), default=False),
        boolean("exception", at=_is("EXCEPTION"), default=False),
        boolean("demo_sold", at=is_sold, default=False),
        json("customer_exact_location", sensitive=True),
        json("mileage_data", at="mileage"),
        json("skill_details"),
        boolean("custom_cancel_test", at=extra("custom_cancel_test"), default=False),
        *each(text, "scheduled_by crew_assigned_by booking_name company", spelled=extra),
        *each(text, "customer_type start_timezone end_timezone assignees", spelled=extra),
        *each(text, "resources resource_template employee_ids", spelled=extra),
        *each(text, "template_extra_field_product_interest_primary", spelled=extra),
        *each(text, "template_extra_field_product_interest_secondary", spelled=extra),
        *each(text, "template_extra_field_primary_source", spelled=extra),
        *each(text, "template_extra_field_secondary_source", spelled=extra),
        *each(text, "customer_extra_fields task_extra_fields", spelled=extra),
        *each(text, "resource_template_extra_field resource_extra_field", spelled=extra),
        *each(date, "expected_start_date expected_end_date", spelled=extra),
    ),
    indexes=(*INDEXES, "status"),
    resweeps=(Resweep("weekly"),),
)
