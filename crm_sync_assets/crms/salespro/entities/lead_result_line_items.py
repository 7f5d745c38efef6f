"""The jobs that the form of a visit lists, at most six, or the only one that it is about.

They are read from the forms by themselves, so that both tables are whole each on its own. A form
that was read says all its jobs: those that it listed before and lists no more are gone.
"""

from __future__ import annotations

from crm_sync_assets.clients.athena.source import Several
from crm_sync_assets.crms.salespro.leadresults import items, keys_of_items
from crm_sync_assets.crms.salespro.sources import UPDATED, table
from crm_sync_assets.declarations.columns import decimal, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

LEAD_RESULT_LINE_ITEMS = Entity(
    "salespro.lead_result_line_items",
    about="Jobs that the forms of visits list, with what each would cost.",
    source=table(
        "lead_results",
        "estimate_id",
        select=("estimate_id", "lead_results", UPDATED),
        several=Several(items, keys_of_items, ("estimate_id", "job_type_number")),
    ),
    table="salespro_lead_result_line_item",
    columns=(
        text("estimate_id", key=True),
        integer("job_type_number", key=True),
        text("job_type"),
        decimal("job_type_amount"),
        timestamp(UPDATED, about="of the form"),
    ),
    refers={"estimate_id": "lead_results.estimate_id"},
)
