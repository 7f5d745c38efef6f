"""`crm-sync verify`: is everything here that is there, and nothing else?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import print_json
from crm_sync_assets.errors import SyncError, UsageError
from crm_sync_assets.operations.verified import KINDS, SIDES, Verification

SHOWN = 20
"""Findings of an entity that are printed one by one; --json has all of them."""


def parser() -> Parser:
    found = Parser(
        prog="crm-sync verify",
        description="Compares keys and modified moments of every record with the source, and names "
        "what is missing, stale or extra in the warehouse. What changed since the last complete "
        "sync is left to the next one.",
    )
    found.add_argument("crm", help="a CRM")
    found.add_argument("entities", nargs="*", metavar="entity", help="entities, a group, or all")
    found.add_argument("--repair", action="store_true", help="read again exactly what differs")
    found.add_argument("--json", action="store_true", help="for programs")
    return found


def run(words: Sequence[str]) -> int:
    """0 if nothing differs any more, 3 if what differs may be newer than the last sync, else 1."""
    given = parser().parse(words)

    from crm_sync_assets.cli.sync import chosen
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.operations.opening import open_client, open_warehouse
    from crm_sync_assets.operations.verify import can_verify, verify

    crm = registry.crm(given.crm)
    entities = chosen(crm, given.entities)
    warehouse = open_warehouse()
    client = open_client(crm.name)
    told: list[dict[str, Any]] = []
    worst = exits.SUCCESS
    try:
        able = [entity for entity in entities if can_verify(entity, client)]
        if not able:
            raise UsageError(f"{entities[0]}: there is nothing to compare it with")
        for entity in able:
            try:
                found = verify(
                    warehouse, entity, client, settings_for(crm, entity), repair=given.repair
                )
            except SyncError as error:
                if len(able) == 1:
                    raise
                exits.explain(error)
                worst = exits.FAILED
                continue
            worst = exits.worse(worst, exits.STATUSES[found.status])
            if given.json:
                told.append(as_json(found))
            else:
                _print(found, client)
    finally:
        client.close()
    if given.json:
        print_json(told)
    return worst


def _print(found: Verification, client: Any) -> None:
    proven = found.verified_through
    until = f"verified through {proven:%Y-%m-%d %H:%M:%S} UTC" if proven else "not verified"
    print(f"{found.entity}: {until}: {found.summary()} (sync {found.sync_id})")
    for finding in found.findings[:SHOWN]:
        url = client.record_url(found.entity, finding.key)
        print(
            f"  {finding.kind:<8}{'/'.join(finding.key)}"
            + (" repaired" if finding.repaired else "")
            + ("" if finding.dated else " (since when, the source does not say)")
            + (f"  {url}" if url else "")
        )
    if len(found.findings) > SHOWN:
        print(f"  and {len(found.findings) - SHOWN} more; --json has them all")


def as_json(found: Verification) -> dict[str, Any]:
    return {
        "entity": found.entity.name,
        "status": found.status,
        "verified_through": found.verified_through,
        "compared_through": found.through,
        "records_there": found.there,
        "records_here": found.here,
        "unchecked": found.unchecked,
        "quarantined": found.quarantined,
        "left_out": {SIDES[kind].replace(" ", "_"): found.newer[kind] for kind in KINDS},
        "api_calls": found.usage.api_calls,
        "sync_id": found.sync_id,
        "findings": [
            {
                "kind": finding.kind,
                "key": list(finding.key),
                "dated": finding.dated,
                "repaired": finding.repaired,
                "modified_here": finding.stored,
                "modified_there": finding.sent,
            }
            for finding in found.findings
        ],
    }
