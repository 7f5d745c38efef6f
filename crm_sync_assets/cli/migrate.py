"""`crm-sync migrate`: the core tables, at their newest revision, in the schema that is set."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from crm_sync_assets.cli.arguments import Parser

if TYPE_CHECKING:
    from crm_sync_assets.declarations.entity import Entity
    from crm_sync_assets.warehouse.connection import Warehouse


def parser() -> Parser:
    parser = Parser(prog="crm-sync migrate", description="Bring the core tables up to date.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from",
        metavar="SCHEMA",
        dest="origin",
        help="move the warehouse to CRM_SYNC_SCHEMA first",
    )
    where.add_argument(
        "--anew", action="store_true", help="an empty warehouse beside one in another schema"
    )
    where.add_argument(
        "--grant",
        metavar="ROLE",
        help="let a role read data and SyncHistory, what is made later too, and nothing else",
    )
    where.add_argument("--revoke", metavar="ROLE", help="take that back")
    return parser


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.moving import move
    from crm_sync_assets.settings import environment
    from crm_sync_assets.warehouse.connection import Warehouse
    from crm_sync_assets.warehouse.embedded import warehouse_url
    from crm_sync_assets.warehouse.migrations import HEAD, migrate

    entities = list(registry.all_entities().values())
    with closing(Warehouse(warehouse_url(environment()))) as warehouse:
        if given.origin:
            moved = move(warehouse, given.origin, entities)
            print(f"moved {moved} tables from schema {given.origin}")
        done = migrate(warehouse, anew=given.anew)
        print(f"migrated to revision {HEAD}" if done else f"up to date at revision {HEAD}")
        _admit(warehouse, given, entities)
    return 0


def _admit(warehouse: Warehouse, given: Namespace, entities: Sequence[Entity]) -> None:
    from crm_sync_assets.warehouse import readers

    with warehouse.connection() as connection:
        readers.renew(connection, entities)
        if given.grant:
            several = readers.grant(connection, given.grant, entities)
            print(
                f"{given.grant} may read {several} tables and views of data, those made later, "
                f"and {readers.HISTORY}"
            )
        if given.revoke:
            readers.revoke(connection, given.revoke, entities)
            print(f"{given.revoke} may no longer read the data")
