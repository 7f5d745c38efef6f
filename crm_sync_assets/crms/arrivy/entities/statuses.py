"""Statuses: the labels that a company gives its tasks.

Neither the list's address nor its shape is documented: it is read whole, in pages or at once.
"""

from __future__ import annotations

from crm_sync_assets.crms.arrivy.sources import PERHAPS_PAGED, listed
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

# No delta, and no versions: what was read last is the newest.
STATUSES = Entity(
    "arrivy.statuses",
    about="Labels of what becomes of a task, each of one of Arrivy's types.",
    # None can be asked for alone, so what one reading leaves out is looked for in another.
    source=listed("/statuses", paging=PERHAPS_PAGED, modified=None, again=True),
    table="arrivy_status",
    columns=(
        text("id", key=True, about="a number of 16 digits at the source"),
        text("name", at="title"),
        *each(text, "title description type_id color"),
        text("status_type", at="type"),
        integer("order"),
        boolean("is_active", default=True),
        *each(boolean, "visible_to_customer require_signature require_rating", default=False),
        *each(timestamp, "created updated"),
    ),
)
