"""Cases. Of two that are merged the loser names the other in MasterRecordId."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.entities.shared import COMMON, ID, INDEXES
from crm_sync_assets.crms.salesforce.sources import SObject, pascal
from crm_sync_assets.declarations.columns import boolean, each, email, text, timestamp
from crm_sync_assets.declarations.entity import Entity

CASES = Entity(
    "salesforce.cases",
    about="Questions and complaints of customers.",
    source=SObject("Case"),
    table="salesforce_case",
    columns=(
        ID,
        *each(text, "contact_id account_id parent_id owner_id case_number", spelled=pascal),
        *each(text, "subject description type status reason origin priority", spelled=pascal),
        text("supplied_name", at="SuppliedName", sensitive=True),
        email("supplied_email", at="SuppliedEmail"),
        *each(boolean, "is_closed is_escalated", spelled=pascal),
        timestamp("closed_date", at="ClosedDate"),
        *COMMON,
    ),
    indexes=("account_id", "contact_id", "status", *INDEXES),
    merges_told=True,
)
