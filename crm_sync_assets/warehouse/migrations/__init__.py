"""The core tables' schema, by Alembic. Entity tables follow from the declarations instead."""

from __future__ import annotations

from pathlib import Path

import psycopg
import sqlalchemy as sa

from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import locks, schemas
from crm_sync_assets.warehouse.connection import Connection, Warehouse, message_of

log = logger(__name__)

HEAD = "0014"
"""The newest revision in versions/, known here so that an up-to-date start needs no Alembic."""


def revision(connection: Connection) -> str | None:
    """The revision the warehouse is at, None before the first migration."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT version_num FROM ingestion_schema_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None


def migrate(warehouse: Warehouse, *, anew: bool = False) -> bool:
    """Bring the core tables up to date; whether anything had to be done.

    Several processes may start at once: one migrates, the others wait for it. Raises UsageError
    where the database's warehouse is in another schema, unless a new one is asked for.
    """
    schemas.make(warehouse.url, anew=anew)
    with warehouse.connection() as connection:
        at = revision(connection)
        if at == HEAD:
            return False
        if at is None and not anew:
            schemas.refuse_another(connection, schemas.own_schema(warehouse.url))
        connection.commit()
        with locks.held(connection, locks.MIGRATION, wait=True):
            if revision(connection) == HEAD:
                return False
            connection.commit()
            _upgrade(warehouse)
    log.info("warehouse: core tables migrated to revision %s", HEAD)
    return True


def _upgrade(warehouse: Warehouse) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["engine"] = warehouse.engine
    own = schemas.own_schema(warehouse.url)
    # What is made goes to the first; tables of data may have to be changed, too.
    config.attributes["path"] = f"{schemas.internal(own)}, {own}" if own else None
    try:
        command.upgrade(config, HEAD)
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        raise FatalError(
            f"the warehouse's core tables could not be brought up to date: {message_of(error)}. "
            "Nothing was changed; `crm-sync doctor` names a right that is missing"
        ) from error
