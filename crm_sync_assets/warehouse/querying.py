"""Rows read back from an entity's table, encrypted values decrypted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from psycopg import sql

from crm_sync_assets.errors import UsageError
from crm_sync_assets.warehouse import tables
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.vault import TYPES, EncryptedColumn, Vault, decryptor, index_column

TABLE = "dagster/table_name"
COLUMNS = "dagster/column_schema"
KEY = "primary_key"
SENSITIVE = "sensitive"
"""The tag of a sensitive column, in an asset's column schema; its value is the column's kind."""


def sensitive_columns(described: Any) -> Iterator[EncryptedColumn]:
    columns = described.schema.columns if hasattr(described, "schema") else described.columns
    for column in columns:
        if SENSITIVE in column.tags:
            yield EncryptedColumn(column.name, column.tags[SENSITIVE], column.type)


def read(
    connection: Connection, table: str, wanted: Mapping[str, Any] | None
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """Names and rows of what an input's metadata asks for."""
    cursor = connection.execute(*select(table, wanted))
    return [column.name for column in cursor.description or ()], cursor.fetchall()


def read_encrypted(
    connection: Connection,
    table: str,
    wanted: Mapping[str, Any] | None,
    vault: Vault,
    *,
    key: Sequence[str],
    sensitive: Sequence[EncryptedColumn],
) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """As `read`, of a table whose sensitive columns are encrypted, or are about to be."""
    existing = tables.existing_columns(connection, table) or {}
    encrypted = [column for column in sensitive if column.index in existing]
    if not encrypted:
        return read(connection, table, wanted)
    wanted = dict(wanted or {})
    marks = {column.index for column in encrypted}
    asked = list(wanted.get("columns") or [name for name in existing if name not in marks])
    where = dict(wanted.get("where") or {})
    hidden = {c.name: _indexes(vault, c, where.pop(c.name)) for c in encrypted if c.name in where}
    opened = [column for column in encrypted if column.name in {*asked, *hidden}]
    needed = [*asked, *key, *(name for c in opened for name in (c.name, c.index))]
    names = list(dict.fromkeys(needed))
    query, values = select(table, {**wanted, "columns": names, "where": where}, hidden)
    plain = map(decryptor(vault, table, key, opened, names), connection.execute(query, values))
    kinds = {column.name: column.kind for column in opened}
    # A value that waits for its first encryption has no index to be chosen by.
    chosen = [
        row
        for row in plain
        if all(
            _index(vault, kinds[name], row[names.index(name)]) in indexes
            for name, indexes in hidden.items()
        )
    ]
    places = [names.index(name) for name in asked]
    return asked, [[row[place] for place in places] for row in chosen]


def _indexes(vault: Vault, column: EncryptedColumn, value: Any) -> list[str | None]:
    given = list(value) if isinstance(value, list | tuple | set) else [value]
    try:
        # As PostgreSQL would: a date may be given as text, a number as an int.
        values = [
            one if one is None else msgspec.convert(one, TYPES[column.sql], strict=False)
            for one in given
        ]
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{column.name} is compared with what is no {column.sql}: {error}"
        ) from None
    return [_index(vault, column.kind, one) for one in values]


def _index(vault: Vault, kind: str, value: Any) -> str | None:
    return None if value is None else vault.index(kind, value)


def select(
    table: str,
    wanted: Mapping[str, Any] | None,
    hidden: Mapping[str, Sequence[str | None]] | None = None,
) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for an input's metadata, and its bound values. A value of None means NULL.

    `hidden` has the blind indexes that encrypted columns are compared with.
    """
    wanted = wanted or {}
    columns = wanted.get("columns")
    chosen = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
    conditions: list[sql.Composable] = []
    if not wanted.get("deleted"):
        conditions.append(sql.SQL("deleted_at IS NULL"))
    values: dict[str, Any] = {}
    for number, (name, value) in enumerate(dict(wanted.get("where") or {}).items()):
        given = list(value) if isinstance(value, list | tuple | set) else [value]
        column, parameter = sql.Identifier(name), f"v{number}"
        condition = sql.SQL("{} = ANY({})").format(column, sql.Placeholder(parameter))
        if None in given:
            condition = sql.SQL("({} OR {} IS NULL)").format(condition, column)
        values[parameter] = [one for one in given if one is not None]
        conditions.append(condition)
    for number, (name, indexes) in enumerate((hidden or {}).items()):
        parameter = f"h{number}"
        condition = sql.SQL("({1} = ANY({2}) OR {0} IS NOT NULL AND {1} IS NULL").format(
            sql.Identifier(name), sql.Identifier(index_column(name)), sql.Placeholder(parameter)
        )
        or_empty = sql.SQL(" OR {} IS NULL)").format(sql.Identifier(name))
        conditions.append(condition + (or_empty if None in indexes else sql.SQL(")")))
        values[parameter] = [one for one in indexes if one is not None]
    query = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(table))
    if conditions:
        query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
    return query, values
