"""What several of Genius's entities have in common."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from crm_sync_assets.clients.sql.sources import Join

ZERO = Decimal("0.00")

STEP_BACK = timedelta(hours=1)
"""`updated_at` is a clock on a wall: in autumn what changed later may say that it was earlier."""


def third_party_of(table: str) -> tuple[Join, ...]:
    """Which record of another system a row of this table is, and which system that is."""
    return (
        Join(
            "third_party_source",
            on=("id", f"{table}.third_party_source_id"),
            columns=(("third_party_id", "third_party_id"),),
        ),
        Join(
            "third_party_source_type",
            on=("id", "third_party_source.third_party_source_type_id"),
            columns=(("third_party", "label"),),
        ),
    )


def hubspot_id(record: dict[str, Any]) -> Any:
    """The third party's id where that party is HubSpot; ids of other systems look just like it.

    As HubSpot writes it, so that it joins.
    """
    name = record.get("third_party") or ""
    found = record.get("third_party_id") if str(name).strip().lower() == "hubspot" else None
    return found.strip() if isinstance(found, str) else found
