"""People who work with MarketSharp."""

from __future__ import annotations

from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import boolean, guid, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

EMPLOYEES = Entity(
    "marketsharp.employees",
    about="People who work with MarketSharp.",
    source=dated("Employees"),
    table="marketsharp_employee",
    columns=(
        guid("id", key=True),
        text("name", sensitive=True),
        boolean("is_active", at="isactive", default=True),
        timestamp("last_update", at="lastupdate"),
        integer("company_id", at="companyid"),
    ),
    indexes=("last_update",),
    clock_steps_back=STEP_BACK,
)
