"""`crm-sync blind-index`: what to look a sensitive value up by."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import open_for_reading
from crm_sync_assets.errors import UsageError
from crm_sync_assets.warehouse.encryption import open_vault
from crm_sync_assets.warehouse.vault import index_column


def parser() -> Parser:
    found = Parser(
        prog="crm-sync blind-index",
        description="The blind index of a value, by which an encrypted column is searched. The "
        "value is read from standard input, so that it stays out of the shell's history.",
        epilog="example:\n  echo ann@example.com | crm-sync blind-index hubspot contacts email",
    )
    found.add_argument("crm")
    found.add_argument("entity")
    found.add_argument("column")
    return found


def run(words: Sequence[str]) -> int:
    """Print the blind index of the value on standard input."""
    given = parser().parse(words)
    from crm_sync_assets.declarations import registry

    entity = registry.entity(f"{given.crm}.{given.entity.replace('-', '_')}")
    columns = {column.name: column for column in entity.columns if column.sensitive}
    column = columns.get(given.column)
    if column is None:
        raise UsageError(
            f"{entity} has no sensitive column '{given.column}'; it has: "
            f"{', '.join(columns) or 'none'}"
        )
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        vault = open_vault(connection, warehouse.encryption_keys)
    if vault is None:
        raise UsageError("nothing in this warehouse is encrypted: search the column itself")
    if sys.stdin.isatty():
        print(f"{column.name}: ", end="", file=sys.stderr, flush=True)
    try:
        value = column.parse(sys.stdin.readline().rstrip("\r\n"))
    except ValueError as error:
        raise UsageError(f"that is no {column.kind}: it {error}") from None
    if value is None:
        raise UsageError("give the value on standard input")
    found = vault.index(column.kind, value)
    print(found)
    exits.say(f"WHERE {index_column(column.name)} = '{found}'")
    return exits.SUCCESS
