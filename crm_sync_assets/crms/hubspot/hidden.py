"""Which columns have a property that the account does not show."""

from __future__ import annotations

from collections.abc import Collection

from crm_sync_assets.crms.hubspot.objecttype import ObjectType
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.log import logger

log = logger(__name__)


def hidden_columns(objects: ObjectType, entity: Entity, names: Collection[str]) -> list[str]:
    """Columns whose property is not among these names, which are all that are shown; told once.

    A record cannot tell: a property asked for may be left out of it, or be null, all the same.
    """
    known = set(names)
    missing = {name: sent for name, sent in of_columns(entity).items() if sent not in known}
    told = ("unknown columns", objects.kind, *sorted(missing))
    if missing and objects.hub.first_time(told):
        unknown = sorted(missing.values())
        log.warning(
            "%s: the account shows no %s; what is stored there stays as it is",
            objects.subject,
            ", ".join(unknown[:10]) + (f" and {len(unknown) - 10} more" if unknown[10:] else ""),
        )
    return sorted(missing)


def of_columns(entity: Entity) -> dict[str, str]:
    """The property of each column that has one."""
    root = entity.source.root
    return {
        column.name: path.removeprefix(root)
        for column in entity.columns
        if column.kind != "rest" and (path := column.path(root)).startswith(root)
    }
