"""Sets of MarketSharp's data service, with or without a moment of their last change."""

from __future__ import annotations

from datetime import timedelta

from crm_sync_assets.clients.odata.paging import InOrder
from crm_sync_assets.clients.odata.querying import Changed
from crm_sync_assets.clients.rest.source import Rest

STEP_BACK = timedelta(hours=1)
"""`lastUpdate` is a clock on a wall: in autumn what changed later may say that it was earlier."""


def dated(name: str, modified: str = "lastUpdate") -> Rest:
    """A set that can be asked for what changed. It is read in the order of changes, also whole."""
    return Rest(
        f"/{name}",
        records="entries",
        paging=InOrder("id", modified),
        delta=Changed(modified),
        modified=modified.lower(),
    )


def undated(name: str, key: str = "id") -> Rest:
    """A set whose records do not say when they changed: it is read whole every time."""
    return Rest(f"/{name}", records="entries", paging=InOrder(key), id=key.lower())
