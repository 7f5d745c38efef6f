"""Definitions of fields. https://developers.pipedrive.com/docs/api/v1/DealFields

One list per kind of record, all into one table. They cannot be asked for what changed, and have no
moment at which they did: they are read whole.
"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import Rest, Sweep
from crm_sync_assets.crms.pipedrive.sources import BY_CURSOR, tokens
from crm_sync_assets.declarations.columns import boolean, each, json, text
from crm_sync_assets.declarations.entity import Entity

KINDS = ("deal", "person", "organization", "product", "activity")

FIELDS = Entity(
    "pipedrive.fields",
    about="What fields deals, persons, organizations, products and activities have, and options.",
    source=Rest(
        "/api/v2/dealFields",
        records="data",
        paging=BY_CURSOR,
        id="field_code",
        sweeps=tuple(
            Sweep(kind, f"/api/v2/{kind}Fields", marks={"entity": kind}) for kind in KINDS
        ),
        cost=tokens(10),
    ),
    table="pipedrive_field",
    columns=(
        text("entity", key=True, about="deal, person, organization, product or activity"),
        text("field_code", key=True),
        *each(text, "field_name field_type description"),
        *each(boolean, "is_custom_field is_optional_response_field"),
        *each(json, "options subfields"),
    ),
)
