"""An entity with sensitive columns of every kind, and what a test asks of its encrypted table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from crm_sync_assets.declarations.columns import (
    date,
    decimal,
    email,
    id_list,
    integer,
    rest,
    text,
    timestamp,
)
from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.keyring import new_key
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.encryption import open_vault
from crm_sync_assets.warehouse.querying import read, read_encrypted
from crm_sync_assets.warehouse.vault import Vault, encrypted_columns
from crm_sync_assets_tests.scripted import Script, person, rows

OLD, NEW = new_key(), new_key()

CLIENTS = Entity(
    "test.clients",
    about="People whose particulars are nobody's business.",
    source=Script(),
    columns=(
        text("id", key=True),
        text("name"),
        email("email"),
        text("note", sensitive=True),
        date("born", sensitive=True),
        decimal("worth", sensitive=True),
        integer("shoe", sensitive=True),
        timestamp("modified"),
        id_list("merged"),
        rest("other", sensitive=True),
    ),
    table="test_clients",
    merged_ids="merged",
    indexes=("name", "email"),
)
ENCRYPTED = [column.name for column in encrypted_columns(CLIENTS.columns)]

CANARY = "canary"


def client(number: int, *, at: int = 0, **values: Any) -> Record:
    """A client whose every sensitive value is a canary: no other value looks like it."""
    return person(
        number,
        at=at,
        **{
            "email": f"{CANARY}{number}@example.com",
            "note": f"{CANARY} note {number}",
            "born": f"1931-07-{number % 28 + 1:02}",
            "worth": f"918273.{number:03}0",
            "shoe": 8_675_309_000 + number,
            "nickname": f"{CANARY} nick {number}",
            **values,
        },
    )


CANARIES = (CANARY, "1931-07-", "918273.", "8675309")


def plaintext(warehouse: Warehouse, *found: str) -> list[str]:
    """Every row of every table that shows one of these texts, as a dump of the database would."""
    shown = []
    for (table,) in rows(warehouse, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        with warehouse.connection() as connection:
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))
            for (row,) in connection.execute(query):
                shown += [f"{table}: {row}" for one in found or CANARIES if one in row]
    return shown


def vault(warehouse: Warehouse) -> Vault:
    with warehouse.connection() as connection:
        found = open_vault(connection, warehouse.encryption_keys)
    assert found is not None
    return found


def opened(
    warehouse: Warehouse, entity: Entity = CLIENTS, **wanted: Any
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """Column names and rows as a downstream asset gets them."""
    with warehouse.connection() as connection:
        vault = open_vault(connection, warehouse.encryption_keys)
        if vault is None:
            return read(connection, entity.table, wanted)
        return read_encrypted(
            connection,
            entity.table,
            wanted,
            vault,
            key=[column.name for column in entity.key],
            sensitive=encrypted_columns(entity.columns),
        )


def by_key(warehouse: Warehouse, entity: Entity = CLIENTS) -> dict[str, dict[str, Any]]:
    """All rows opened, deleted ones too, without the moments they were stored at."""
    names, found = opened(warehouse, entity, deleted=True)
    made = [dict(zip(names, row, strict=True)) for row in found]
    for row in made:
        del row["sync_created_at"], row["sync_updated_at"]
        row["deleted_at"] = row["deleted_at"] is not None
    return {str(row[entity.key[0].name]): row for row in made}
