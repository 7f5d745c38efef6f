"""`crm-sync migrate`: the core tables, at their newest revision."""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.cli.arguments import Parser


def parser() -> Parser:
    return Parser(prog="crm-sync migrate", description="Bring the core tables up to date.")


def run(words: Sequence[str]) -> int:
    parser().parse(words)
    from crm_sync_assets.settings import environment
    from crm_sync_assets.warehouse.connection import Warehouse
    from crm_sync_assets.warehouse.embedded import warehouse_url
    from crm_sync_assets.warehouse.migrations import HEAD, migrate

    warehouse = Warehouse(warehouse_url(environment()))
    done = migrate(warehouse)
    print(f"migrated to revision {HEAD}" if done else f"up to date at revision {HEAD}")
    warehouse.close()
    return 0
