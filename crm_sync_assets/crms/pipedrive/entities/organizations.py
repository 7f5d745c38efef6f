"""Organizations. https://developers.pipedrive.com/docs/api/v1/Organizations

The delta can be trusted for what was edited. No list shows what was deleted, or lost a merge: a
full read asks for what it did not meet.
"""

from __future__ import annotations

from crm_sync_assets.crms.pipedrive.entities.shared import COMMON, ID
from crm_sync_assets.crms.pipedrive.sources import PAGE, v2
from crm_sync_assets.declarations.columns import decimal, each, integer, json, text
from crm_sync_assets.declarations.entity import Entity, Resweep

ADDRESS = """
    value street_number route subpremise locality sublocality admin_area_level_1 admin_area_level_2
    country postal_code
"""

ORGANIZATIONS = Entity(
    "pipedrive.organizations",
    about="Companies and other organizations that people belong to.",
    source=v2(
        "organizations", page=f"{PAGE}organization/{{id}}", list_page=f"{PAGE}organizations/list"
    ),
    resweeps=(Resweep("weekly"),),
    table="pipedrive_organization",
    columns=(
        ID,
        *each(text, "name website linkedin"),
        *(text(f"address_{part}", at=f"address.{part}") for part in ADDRESS.split()),
        *each(integer, "owner_id industry employee_count visible_to"),
        decimal("annual_revenue"),
        json("label_ids"),
        *COMMON,
    ),
    indexes=("update_time", "owner_id"),
)
