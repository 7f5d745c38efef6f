"""Where an entity is on the dashboard."""

from __future__ import annotations

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.settings import environment


def entity_url(entity: Entity) -> str | None:
    """Its place below CRM_SYNC_DASHBOARD_URL; None where nobody says where the dashboard is."""
    base = environment().dashboard_url
    return f"{base.rstrip('/')}/#{entity.crm}/{entity.sync_type}" if base else None
