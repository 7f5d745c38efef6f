"""What SalesPro's tables have in common.

The vendor writes them anew again and again: a key may be in several rows, of which the newest
counts, and nothing tells of a row that is gone.
"""

from __future__ import annotations

from typing import Any

from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.declarations.columns import Column, timestamp

UPDATED = "updated_at"


def table(name: str, key: str, **options: Any) -> Table:
    """A table with one key, whose rows say when they were updated."""
    return Table(name, UPDATED, (key,), needed=(key,), by=key, **options)


def moments() -> tuple[Column, ...]:
    """When a row was made and changed there; versions are ordered by the latter."""
    return (timestamp("created_at"), timestamp(UPDATED))
