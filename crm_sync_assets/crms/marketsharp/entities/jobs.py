"""Jobs: what was sold and is built.

The schema spells one property `addressLin2`.
"""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import Either, joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import (
    boolean,
    each,
    guid,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

JOBS = Entity(
    "marketsharp.jobs",
    about="Jobs: what was sold and is built.",
    source=dated("Jobs"),
    table="marketsharp_job",
    columns=(
        guid("id", key=True),
        *each(guid, "contact_id inquiry_id appointment_id", spelled=joined),
        *each(text, "site address_line1", spelled=joined, sensitive=True),
        text("address_line2", at=Either(("addresslin2", "addressline2")), sensitive=True),
        *each(text, "number type status city structure_value_code", spelled=joined),
        text("name", default=""),
        *each(text, "description note", sensitive=True),
        state("state"),
        zip_code("zip"),
        *each(timestamp, "start_date sale_date completed_date", spelled=joined),
        boolean("is_active", at="isactive", default=True),
        *each(timestamp, "last_update created_date", spelled=joined),
        boolean("exported_to_guild_quality", at="exportedtoguildquality", default=False),
    ),
    indexes=("last_update", "contact_id"),
    clock_steps_back=STEP_BACK,
)
