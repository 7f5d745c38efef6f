"""MarketSharp: contacts, and what is sold to them, behind an OData service."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.marketsharp.crm import MarketSharp
from crm_sync_assets.sandbox.crms.marketsharp.knobs import MarketSharpKnobs

CRM = Entry(
    "marketsharp",
    MarketSharp,
    knobs=MarketSharpKnobs,
    options=(
        Option(
            "marketsharp_contacts", 60, "contacts of MarketSharp, and all around them", int, "N"
        ),
    ),
)
