"""Offices, from a file that is exported by hand."""

from __future__ import annotations

from crm_sync_assets.clients.csvfiles.source import CsvFile
from crm_sync_assets.crms.salespro.columns import flag
from crm_sync_assets.crms.salespro.variables import OFFICES as FILE
from crm_sync_assets.declarations.columns import text, timestamp
from crm_sync_assets.declarations.entity import Entity

OFFICES = Entity(
    "salespro.offices",
    about="Offices of the companies.",
    source=CsvFile(FILE.name, "office", key="objectId", modified="updatedAt"),
    table="salespro_office",
    columns=(
        text("office_id", at="objectId", key=True),
        text("name"),
        text("company_id", at="companyId"),
        text("company_name", at="company"),
        flag("can_search_all_estimates", at="canSearchAllEstimates"),
        text("last_edit_user"),
        timestamp("created_at", at="createdAt"),
        timestamp("updated_at", at="updatedAt"),
        timestamp("last_edit_date"),
    ),
)
