"""`crm-sync sql`: a question to the warehouse, the embedded one too."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing, suppress

import psycopg

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, port_number, positive
from crm_sync_assets.cli.tables import add_output, open_for_reading, print_json, print_table
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import environment

PORT = 54_320


def parser() -> Parser:
    found = Parser(
        prog="crm-sync sql",
        description="The rows of one SQL query, in a transaction that can only read. Or the "
        "embedded PostgreSQL for other tools on this machine, which may only read as well.",
        epilog="examples:\n  crm-sync sql 'SELECT status, count(*) FROM ingestion_sync_history "
        "GROUP BY 1'\n  crm-sync sql --tcp",
    )
    found.add_argument("query", nargs="?")
    found.add_argument(
        "--tcp",
        action="store_true",
        help="let tools connect to the embedded PostgreSQL at 127.0.0.1 until Ctrl-C",
    )
    found.add_argument(
        "--port", type=port_number, default=PORT, help=f"of --tcp; 0: a free one [{PORT}]"
    )
    found.add_argument("--limit", type=positive, default=100, metavar="N", help="most rows [100]")
    add_output(found)
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    if given.tcp == bool(given.query):
        raise UsageError("give a query, or --tcp for other tools, and not both")
    return _serve(given.port) if given.tcp else _answer(given)


def _answer(given: Namespace) -> int:
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


def _serve(port: int) -> int:
    """Let tools connect until Ctrl-C."""
    from crm_sync_assets.dashboard.server import listener
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.operations.tool_access import prepare
    from crm_sync_assets.warehouse.gateway import Gateway

    env = environment()
    if env.warehouse_url:
        raise UsageError(
            "--tcp opens the embedded PostgreSQL, and CRM_SYNC_WAREHOUSE_URL names one of yours: "
            "connect to that, as a role that `crm-sync migrate --grant ROLE` lets in"
        )
    with listener("127.0.0.1", port) as listening:
        entities = registry.all_entities().values()
        access = prepare(open_warehouse(), env.made_home(), entities)
        here = listening.getsockname()[1]
        print(
            "PostgreSQL for tools on this machine, to read only; Ctrl-C ends it\n"
            f"  host      127.0.0.1\n  port      {here}\n  database  {access.database}\n"
            f"  user      {access.user}\n  password  {access.password}\n"
            f"postgresql://{access.user}:{access.password}@127.0.0.1:{here}/{access.database}",
            flush=True,
        )
        with suppress(KeyboardInterrupt):
            asyncio.run(Gateway(access.socket, access.user).serve(listening))
    return exits.SUCCESS
