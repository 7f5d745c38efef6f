"""What a stored row holds in its rest column and the source does not show at present: it stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.rows.processor import Row
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.vault import Vault, decryptor, encrypted_columns


def completed(
    connection: Connection,
    entity: Entity,
    rows: Sequence[Row],
    asked: Collection[str] | None,
    vault: Vault | None,
) -> Sequence[Row]:
    """The rows, each with what the stored one has in the rest column by names not `asked` for.

    All of them as they are where nobody says what was asked for.
    """
    rest = next((i for i, c in enumerate(entity.columns) if c.kind == "rest"), None)
    if asked is None or rest is None or len(entity.key) != 1:
        return rows
    place = entity.columns.index(entity.key[0])
    keys = (str(row[place]) for row in rows)
    stored = stored_values(connection, entity, keys, [entity.columns[rest].name], vault)

    def complete(row: Row) -> Row:
        (held,) = stored.get(str(row[place]), (None,))
        kept = {name: value for name, value in (held or {}).items() if name not in asked}
        return (*row[:rest], kept | (row[rest] or {}), *row[rest + 1 :]) if kept else row

    return [complete(row) for row in rows]


def stored_values(
    connection: Connection,
    entity: Entity,
    keys: Iterable[str],
    names: Sequence[str],
    vault: Vault | None,
) -> Mapping[str, Sequence[Any]]:
    """Of the stored rows of these keys the values of these columns, decrypted, by key.

    The key is one column.
    """
    (key,) = entity.key
    asked = [key.name, *names]
    encrypted = [one for one in encrypted_columns(entity.columns) if vault and one.name in names]
    asked += [one.index for one in encrypted]
    query = sql.SQL("SELECT {} FROM {} WHERE {} = ANY(%s)").format(
        sql.SQL(", ").join(map(sql.Identifier, asked)),
        sql.Identifier(entity.table),
        sql.Identifier(key.name),
    )
    opened = (
        decryptor(vault, entity.table, [key.name], encrypted, asked) if vault is not None else list
    )
    found = map(opened, connection.execute(query, (list(keys),)).fetchall())
    return {str(row[0]): row[1 : len(names) + 1] for row in found}
