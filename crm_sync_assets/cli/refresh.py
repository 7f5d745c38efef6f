"""`crm-sync refresh`: what the source calculates anew, without calling that a change."""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.errors import SyncError, UsageError


def parser() -> Parser:
    found = Parser(
        prog="crm-sync refresh",
        description="Reads the values that the source calculates (formulas, roll-ups, scores) for "
        "every record and stores those that changed. They change without the record's modified "
        "date, so that no delta sees it.",
    )
    found.add_argument("crm", help="a CRM")
    found.add_argument("entities", nargs="*", metavar="entity", help="entities, a group, or all")
    found.add_argument("--dry-run", action="store_true", help="count what would change, no more")
    return found


def run(words: Sequence[str]) -> int:
    """0 if all is stored or there was nothing to do, 3 if some is in quarantine, else 1."""
    given = parser().parse(words)

    from crm_sync_assets.cli.sync import chosen
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.operations.opening import open_client, open_warehouse
    from crm_sync_assets.operations.refresh import refresh

    crm = registry.crm(given.crm)
    entities = chosen(crm, given.entities)
    if not crm.calculates:
        raise UsageError(f"{crm.title} calculates no values; there is nothing to refresh")
    warehouse = open_warehouse()
    client = open_client(crm.name)
    worst = exits.SUCCESS
    try:
        for entity in entities:
            try:
                found = refresh(
                    warehouse, entity, client, settings_for(crm, entity), dry_run=given.dry_run
                )
            except SyncError as error:
                if len(entities) == 1:
                    raise
                exits.explain(error)
                worst = exits.FAILED
                continue
            if found is None:
                print(f"{entity}: skipped, it keeps nothing that {crm.title} calculates")
                continue
            worst = exits.worse(worst, exits.STATUSES[found.status])
            how = ", dry run: nothing was stored" if given.dry_run else ""
            print(f"{entity}: {found.summary()} (sync {found.sync_id}{how})")
    finally:
        client.close()
    return worst
