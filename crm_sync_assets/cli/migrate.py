"""`crm-sync migrate`: the core tables, at their newest revision, in the schema that is set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from crm_sync_assets.cli.arguments import Parser


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
    return parser


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.moving import move
    from crm_sync_assets.settings import environment
    from crm_sync_assets.warehouse.connection import Warehouse
    from crm_sync_assets.warehouse.embedded import warehouse_url
    from crm_sync_assets.warehouse.migrations import HEAD, migrate

    with closing(Warehouse(warehouse_url(environment()))) as warehouse:
        if given.origin:
            moved = move(warehouse, given.origin, registry.all_entities().values())
            print(f"moved {moved} tables from schema {given.origin}")
        done = migrate(warehouse, anew=given.anew)
        print(f"migrated to revision {HEAD}" if done else f"up to date at revision {HEAD}")
    return 0
