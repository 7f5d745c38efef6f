"""Associations. https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide

Linking two records touches neither of them and there is no list of changed links, so each sync
asks for the links of every record in the warehouse. One pair can have several labels; it is one
row. Some directions exist one way only, so each pair is read from the side named first.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.sources import Associations
from crm_sync_assets.declarations.columns import object_id
from crm_sync_assets.declarations.entity import Entity


def _pairs(of: str, to: str, of_type: str, to_type: str, table: str | None = None) -> Entity:
    """The pairs of `of` and `to`; `…_type` are the names of the entities they are kept as."""
    of_column, to_column = f"{of}_id", f"{to}_id"
    return Entity(
        f"hubspot.associations_{of}_{to}",
        about=f"Which {to.replace('_', ' ')} belongs to which {of}.",
        source=Associations(of_type, to_type, f"hubspot_{of}", (of_column, to_column)),
        table=table or f"hubspot_{of}_{to}_assoc",
        columns=(object_id(of_column, key=True), object_id(to_column, key=True)),
        indexes=(to_column,),
        after=(f"hubspot.{of_type}", f"hubspot.{to_type}"),
        refers={of_column: f"{of_type}.id", to_column: f"{to_type}.id"},
        settings={"page_size": 1_000},
    )


CONTACT_APPOINTMENT = _pairs(
    "contact",
    "appointment",
    "contacts",
    "appointments",
    table="hubspot_appointment_contact_assoc",
)
CONTACT_DIVISION = _pairs("contact", "division", "contacts", "divisions")
CONTACT_DEAL = _pairs("contact", "deal", "contacts", "deals")
CONTACT_COMPANY = _pairs("contact", "company", "contacts", "companies")
DEAL_COMPANY = _pairs("deal", "company", "deals", "companies")
DEAL_LINE_ITEM = _pairs("deal", "line_item", "deals", "line_items")
