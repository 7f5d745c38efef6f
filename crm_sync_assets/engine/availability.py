"""What an account has not, and whether that is a failure or the way this account is.

An account need not have every entity, and a token need not read them all. What the source refuses
when it is asked first is not available, if this warehouse never had any of it. What was here before
and is refused now is a failure like any other.
"""

from __future__ import annotations

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import Forbidden, NotAvailable, Unknown
from crm_sync_assets.warehouse import history
from crm_sync_assets.warehouse.connection import Warehouse


def not_available(entity: Entity, error: BaseException, *, was_here: bool) -> NotAvailable | None:
    """What to say in the place of this error, with which a reading began; None if it stands.

    A client raises Forbidden and Unknown for what is closed or missing by itself: for what a whole
    account refuses it has other errors.
    """
    if was_here or not isinstance(error, Forbidden | Unknown):
        return None
    why = str(error).removeprefix(f"{entity}: ")
    return NotAvailable(f"{entity} is not available: {why}", error)


def was_here(warehouse: Warehouse, entity: Entity, stored: Entity) -> bool:
    """Whether this warehouse ever had the entity: a complete sync of it, or rows in its table."""
    with warehouse.connection() as connection:
        if history.past(connection, entity).watermark is not None:
            return True
    return bool(warehouse.keys(stored.table, column=stored.key[0].name, limit=1))
