"""`crm-sync sql`: a question to the warehouse, the embedded one too."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import psycopg

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.tables import add_output, open_for_reading, print_json, print_table
from crm_sync_assets.errors import UsageError


def parser() -> Parser:
    found = Parser(
        prog="crm-sync sql",
        description="The rows of one SQL query, in a transaction that can only read.",
        epilog="example:\n  crm-sync sql 'SELECT status, count(*) FROM ingestion_sync_history "
        "GROUP BY 1'",
    )
    found.add_argument("query")
    found.add_argument("--limit", type=positive, default=100, metavar="N", help="most rows [100]")
    add_output(found)
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        try:
            # Prepared, it can only be one statement, which the transaction ends with.
            cursor = connection.execute(given.query.encode(), prepare=True)
            names = [column.name for column in cursor.description or ()]
            rows = cursor.fetchmany(given.limit + 1) if names else []
        except psycopg.Error as error:
            raise UsageError(f"PostgreSQL says: {' '.join(str(error).split())}") from None
        connection.rollback()
    shown = rows[: given.limit]
    if given.json:
        print_json([dict(zip(names, row, strict=True)) for row in shown])
        return exits.SUCCESS
    print_table("", names, shown, nothing="no rows", wide=given.wide)
    if len(rows) > given.limit:
        print(f"there are more than {given.limit} rows; --limit shows more")
    return exits.SUCCESS
