"""Divisions, a custom object. https://developers.hubspot.com/docs/api-reference/crm-custom-objects-v3/guide

Its type id belongs to one account: HUBSPOT_DIVISIONS_OBJECT_ID. Older divisions carry `label` and
`code` instead of `division_label` and `division_code`.
"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, OBJECT_IDS, OBJECT_ORIGIN, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import each, email, phone, state, text, zip_code
from crm_sync_assets.declarations.entity import Entity


def division_label(record: dict[str, Any]) -> Any:
    """`division_label`, else `label`."""
    properties = record.get("properties", {})
    return properties.get("division_label") or properties.get("label")


def division_code(record: dict[str, Any]) -> Any:
    """`division_code`, else `code`."""
    properties = record.get("properties", {})
    return properties.get("division_code") or properties.get("code")


DIVISIONS = Entity(
    "hubspot.divisions",
    about="Divisions of the company: where they are, and who runs them.",
    source=Objects("divisions", created="hs_createdate"),
    table="hubspot_division",
    columns=(
        *ID,
        text("division_name"),
        text("division_label", at=division_label),
        text("division_code", at=division_code),
        *each(text, "status region manager_name city"),
        *each(text, "address1 address2", sensitive=True),
        email("manager_email"),
        phone("phone"),
        state("state"),
        zip_code("zip"),
        *OBJECT_ORIGIN,
        *OBJECT_IDS,
        *REST,
    ),
    indexes=("hs_lastmodifieddate",),
    merged_ids=MERGED,
)
