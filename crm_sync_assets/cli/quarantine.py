"""`crm-sync quarantine`: records that could not be stored."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import groupby

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.tables import (
    add_output,
    check_crm,
    check_entity,
    open_for_reading,
    print_json,
    print_table,
)
from crm_sync_assets.errors import UsageError
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.encryption import open_vault
from crm_sync_assets.warehouse.quarantine import MOST_TRIES, Entry, entries, numbered_entry

ALL_ENTRIES = 1_000_000
NOTHING = "the quarantine holds nothing of that kind"


def parser() -> Parser:
    found = Parser(
        prog="crm-sync quarantine",
        description="Records that could not be stored, kept whole with the reason. A record that "
        "arrives in order with a later sync leaves by itself.",
    )
    actions = found.add_subparsers(dest="action", metavar="list|show|replay", required=True)
    for name, about in (
        ("list", "the newest entries"),
        ("show", "entries with the record as the source sent it; it may hold personal data"),
        ("replay", "try to store them again"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        action.add_argument("--crm", help="only this CRM")
        action.add_argument("--entity", help="only this entity")
        action.add_argument("--id", dest="record_id", help="only the record of this id")
        action.add_argument("--limit", type=positive, metavar="N", help="most entries")
        if name == "list":
            add_output(action)
        elif name == "show":
            action.add_argument("--json", action="store_true", help="what it prints anyway")
        else:
            action.add_argument(
                "--skip-validation", action="store_true", help="no checks and no business rules"
            )
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    check_crm(given.crm)
    if given.action == "show" and not (given.record_id or given.entity or given.crm):
        raise UsageError("say which: --id of a record, or --crm and --entity")
    return _replay(given) if given.action == "replay" else _print(given)


def _print(given: argparse.Namespace) -> int:
    with closing(open_for_reading()) as warehouse:
        found = _entries(warehouse, given, given.limit or (20 if given.action == "list" else 5))
    if given.action == "show" or given.json:
        listed = [asdict(entry) for entry in found]
        if given.action == "list":
            for entry in listed:
                del entry["record"]
        print_json(listed)
        return exits.SUCCESS
    print_table(
        "Quarantine, the newest first",
        ["id", "entity", "record", "reason", "tries", "last seen", "field", "stage", "sync"],
        [
            (str(e.id), f"{e.crm}.{e.sync_type}", e.record_id, e.reason, e.tries, e.last_seen,
             e.field, e.stage, None if e.sync_id is None else str(e.sync_id))
            for e in found
        ],
        nothing=NOTHING,
        wide=given.wide,
    )  # fmt: skip
    return exits.SUCCESS


def _replay(given: argparse.Namespace) -> int:
    """0 if every entry tried was stored, 3 if some were refused again."""
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.operations.replay import replay

    warehouse = open_warehouse()
    found = _entries(warehouse, given, given.limit or ALL_ENTRIES)
    named = given.record_id is not None
    tired = [] if named else [entry for entry in found if entry.tries >= MOST_TRIES]
    fresh = sorted(
        (entry for entry in found if entry not in tired), key=lambda e: (e.crm, e.sync_type)
    )
    refused = 0
    for (crm, sync_type), group in groupby(fresh, key=lambda e: (e.crm, e.sync_type)):
        entity = registry.entity(f"{crm}.{sync_type}")
        settings = settings_for(registry.crm(crm), entity)
        done = replay(
            warehouse,
            entity,
            list(group),
            strict=settings.mode == "strict",
            validate=not given.skip_validation,
        )
        counts = done.counts
        print(
            f"{entity}: {counts.processed} tried, {counts.created} created, {counts.updated} "
            f"updated, {counts.unchanged} unchanged, {counts.failed} refused again "
            f"(sync {done.sync_id})"
            + (f"; {done.obsolete} were deleted at the source since" if done.obsolete else "")
        )
        for entry, reason in done.refused:
            exits.say(f"{entity} {entry.record_id}: {reason}")
        refused += len(done.refused)
    warehouse.close()
    if tired:
        exits.say(
            f"{len(tired)} records were refused {MOST_TRIES} times or more and were left alone; "
            "--id of a record tries that one"
        )
    if not found:
        print(NOTHING)
    return exits.PARTIAL if refused or tired else exits.SUCCESS


def _entries(warehouse: Warehouse, given: argparse.Namespace, limit: int) -> list[Entry]:
    with warehouse.connection() as connection:
        found = entries(
            connection,
            crm=given.crm,
            sync_type=check_entity(connection, given.crm, given.entity),
            record_id=given.record_id,
            limit=limit,
            vault=open_vault(connection, warehouse.encryption_keys),
        )
        if given.record_id is not None and not found and given.action != "list":
            raise UsageError(_not_there(connection, given))
        return found


def _not_there(connection: Connection, given: argparse.Namespace) -> str:
    """That there is no such record, and which one was meant by the number of an entry."""
    wanted = given.record_id
    of = f" of {'.'.join(filter(None, (given.crm, given.entity)))}" if given.crm else ""
    told = f"the quarantine holds no record {wanted}{of}"
    numbered = numbered_entry(connection, int(wanted)) if wanted.isdecimal() else None
    if numbered:
        return f"{told}; its entry {wanted} is about record {numbered}: --id {numbered}"
    return f"{told}: `crm-sync quarantine list` shows what it holds"
