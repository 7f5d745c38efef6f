"""`crm-sync rotate-keys`: encrypt what is plain, move the rest to the newest key."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import open_for_reading, print_table
from crm_sync_assets.keyring import VARIABLE, key_id, new_key


def parser() -> Parser:
    found = Parser(
        prog="crm-sync rotate-keys",
        description="Encrypt every sensitive value under the newest (first) key of "
        f"{VARIABLE}: the first time what is plain, later what is under an older key. Syncs may "
        "go on meanwhile, with the same keys. Stopped half way, it goes on where it was.",
        epilog="A rotation: 1. put the new key in front of the old one and restart every process, "
        "2. run this, 3. remove the keys it says are no longer needed.",
    )
    what = found.add_mutually_exclusive_group()
    what.add_argument("--new", action="store_true", help="only print a fresh key")
    what.add_argument("--check", action="store_true", help="only count what is left to do")
    return found


def run(words: Sequence[str]) -> int:
    """0 when everything is under the newest key, else 1."""
    given = parser().parse(words)
    if given.new:
        print(new_key())
        return exits.SUCCESS
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.operations.rotation import outstanding, rotate

    entities = registry.all_entities().values()
    with closing(open_for_reading() if given.check else open_warehouse()) as warehouse:
        done = (outstanding if given.check else rotate)(warehouse, entities)
        keys = [key_id(key) for key in warehouse.encryption_keys]
    print_table(
        f"Rows with sensitive values; the newest key is {done.newest}",
        ["table", "encrypted now", "not under the newest key"],
        [(p.name, p.encrypted, p.left) for p in done.places],
        nothing="no table has sensitive values",
    )
    if done.left:
        exits.say(
            f"{done.left} rows are not under the newest key: run `crm-sync rotate-keys`"
            if given.check
            else f"{done.left} rows are still not under the newest key: a process writes with "
            "older keys. Restart it, and run this again"
        )
        return exits.FAILED
    if given.check:
        print("every sensitive value is under the newest key")
        return exits.SUCCESS
    for name in done.in_use:
        exits.say(
            f"key {name} is still needed: a table of no declared entity holds values under it, or "
            "a process is writing with it. Run this again when that is over"
        )
    spare = [name for name in keys if name != done.newest and name not in done.in_use]
    for name in spare:
        print(f"key {keys.index(name) + 1} of {VARIABLE} ({name}) is no longer needed: remove it")
    return exits.FAILED if done.in_use else exits.SUCCESS
