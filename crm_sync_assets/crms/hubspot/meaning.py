"""What decides what HubSpot's values mean: the account, and which type id stands for an object."""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.hubspot.account import Account
from crm_sync_assets.crms.hubspot.sources import (
    Associations,
    Objects,
    Removal,
)
from crm_sync_assets.declarations.contract import Meant
from crm_sync_assets.declarations.entity import Source


def of_account(hub: Account, source: Source) -> list[Meant]:
    """The portal, where HubSpot tells it, and the type ids that the environment gives."""
    found = [
        Meant(f"object type of {name}", hub.type_id(name), f"HUBSPOT_{name.upper()}_OBJECT_ID")
        for name in _names(hub, source)
        if name in hub.own_types
    ]
    portal = hub.portal()
    if portal is not None:
        found.insert(0, Meant("HubSpot account", portal, hub.account_setting))
    return found


def _names(hub: Account, source: Source) -> list[str]:
    """The objects that a source reads. Which of them have pipelines is no meaning of their ids."""
    if isinstance(source, Objects):
        return [source.type]
    if isinstance(source, Associations):
        return [source.of, source.to]
    if isinstance(source, Removal):
        return [source.of]
    if isinstance(source, Rest) and source.each:
        return hub.pipeline_types
    return []
