"""Columns that hold another table's key have its type, so that the two join.

A value that is no number where a number is due becomes NULL, is noted as an issue of its row, and
kept among the row's other properties, as if it had been read like that.
"""

from __future__ import annotations

from typing import Any, cast

import psycopg
from alembic import op
from psycopg import sql

from crm_sync_assets.errors import FatalError
from crm_sync_assets.warehouse import views
from crm_sync_assets.warehouse.connection import Connection

revision = "0012"
down_revision = "0011"

TO_TEXT = (
    ("genius_prospect", "hubspot_contact_id"),
    ("genius_appointment", "hubspot_appointment_id"),
    ("arrivy_booking", "status_id"),
)
TO_NUMBERS = (
    ("hubspot_contact", "lead_salesrabbit_lead_id"),
    ("hubspot_appointment", "genius_appointment_id"),
    ("hubspot_appointment", "genius_prospect_id"),
)
_NUMBER = r"^\s*[+-]?[0-9]{1,18}(\.0+)?\s*$"


def upgrade() -> None:
    connection = cast(Connection, op.get_bind().connection.driver_connection)
    for table, column in TO_TEXT:
        _convert(connection, table, column, "bigint", "text", sql.SQL("{0}::text"))
    for table, column in TO_NUMBERS:
        if _types(connection, table).get(column) == "text":
            _note_what_is_lost(connection, table, column)
        number = sql.SQL("CASE WHEN {0} ~ {1} THEN trunc({0}::numeric)::bigint END")
        _convert(connection, table, column, "text", "bigint", number)


def downgrade() -> None:
    connection = cast(Connection, op.get_bind().connection.driver_connection)
    number = sql.SQL("CASE WHEN {0} ~ {1} THEN trunc({0}::numeric)::bigint END")
    for table, column in TO_TEXT:
        _convert(connection, table, column, "text", "bigint", number)
    for table, column in TO_NUMBERS:
        _convert(connection, table, column, "bigint", "text", sql.SQL("{0}::text"))


def _convert(
    connection: Connection, table: str, column: str, before: str, after: str, using: sql.SQL
) -> None:
    """Raises FatalError naming the view of somebody's that has the column."""
    if _types(connection, table).get(column) != before:
        return
    name = sql.Identifier(column)
    try:
        with views.aside(connection, table):
            connection.execute(
                sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}").format(
                    sql.Identifier(table),
                    name,
                    sql.SQL(cast(Any, after)),
                    using.format(name, sql.Literal(_NUMBER)),
                )
            )
    except psycopg.errors.FeatureNotSupported as error:
        raise FatalError(
            f"{table}.{column} becomes {after}, like the key it holds, and "
            f"{error.diag.message_detail or error.diag.message_primary}: drop that, run "
            "`crm-sync migrate`, and make it again. Nothing was changed"
        ) from error


def _note_what_is_lost(connection: Connection, table: str, column: str) -> None:
    issue = sql.Literal(psycopg.types.json.Jsonb([{"field": column, "problem": "is not a number"}]))
    kept = (
        sql.SQL(", properties = coalesce(properties, '{{}}') || jsonb_build_object({}, {})").format(
            sql.Literal(column), sql.Identifier(column)
        )
        if _types(connection, table).get("properties") == "jsonb"
        else sql.SQL("")
    )
    connection.execute(
        sql.SQL(
            "UPDATE {} SET sync_issues = coalesce(sync_issues, '[]') || {}, "
            "sync_updated_at = now(){} WHERE {} !~ {}"
        ).format(sql.Identifier(table), issue, kept, sql.Identifier(column), sql.Literal(_NUMBER))
    )


def _types(connection: Connection, table: str) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    return dict(found.fetchall())
