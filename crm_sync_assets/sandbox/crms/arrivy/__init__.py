"""Arrivy: tasks with what becomes of them, bookings, entities, groups and statuses."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.arrivy.crm import Arrivy
from crm_sync_assets.sandbox.crms.arrivy.knobs import ArrivyKnobs

CRM = Entry(
    "arrivy",
    Arrivy,
    knobs=ArrivyKnobs,
    options=(
        Option("arrivy_tasks", 120, "tasks of Arrivy to begin with", int, "N"),
        Option("arrivy_others", 30),
    ),
)
