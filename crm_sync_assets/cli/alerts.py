"""`crm-sync alerts`: who is told when something goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from crm_sync_assets import log, redaction
from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.tables import add_output, open_for_reading, print_json, print_table
from crm_sync_assets.errors import UsageError


def parser() -> Parser:
    found = Parser(
        prog="crm-sync alerts",
        description="Alerts over SyncHistory, one per incident, to the channels of "
        "CRM_SYNC_ALERT_URLS. The daemon checks every minute; `check` does the same, for cron on "
        "another machine, so that a dead daemon is noticed too.",
    )
    actions = found.add_subparsers(dest="action", metavar="check|list|test", required=True)
    for name, about in (
        ("check", "look now, tell what was not told yet; exit status 1 while something is open"),
        ("list", "incidents, the newest first"),
        ("test", "send a message to every channel, and say which took it"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        if name == "check":
            action.add_argument("--json", action="store_true", help="for programs")
        if name == "list":
            add_output(action)
            action.add_argument("--limit", type=positive, default=20, metavar="N", help="[20]")
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    if given.action == "list":
        return _list(given.limit, given.json, wide=given.wide)
    # What a channel had against a message is in the log.
    log.configure("WARNING")
    return _check(given.json) if given.action == "check" else _test()


def _check(as_json: bool) -> int:
    """0 if nothing is open and everything told, else 1."""
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.alerts import watch
    from crm_sync_assets.operations.findings import minute, shown
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.settings import environment

    done = watch(open_warehouse, environment(), registry.all_active())
    if as_json:
        print_json({**asdict(done), "healthy": not done.open})
    else:
        for one in done.open:
            line = f"{one.subject}: {shown(one.what)}, since {minute(one.since)}; {one.advice}"
            print(redaction.one_line(line))
        if not done.open:
            print("nothing is wrong")
    if done.untold:
        exits.say(
            f"{done.untold} messages found no channel that took them; the next check tries again. "
            "See `crm-sync alerts test`"
        )
    return exits.FAILED if done.open or done.untold else exits.SUCCESS


def _list(limit: int, as_json: bool, *, wide: bool) -> int:
    from crm_sync_assets.operations.incidents import incidents
    from crm_sync_assets.warehouse.migrations import migrate

    warehouse = open_for_reading()
    migrate(warehouse)
    with warehouse.connection() as connection:
        found = incidents(connection, closed=True, limit=limit)
    warehouse.close()
    if as_json:
        print_json([asdict(one) for one in found])
        return exits.SUCCESS
    print_table(
        "Incidents, the newest first",
        ["id", "rule", "subject", "since", "over", "what", "told", "recovery told"],
        [
            (str(o.id), o.rule, o.subject, o.since, o.closed_at, o.what, o.told_at,
             o.recovery_told_at)
            for o in found
        ],
        nothing="no incident yet",
        wide=wide,
    )  # fmt: skip
    return exits.SUCCESS


def _test() -> int:
    """0 if every channel took the message, and the heartbeat URL answered where there is one."""
    from crm_sync_assets.operations import channels
    from crm_sync_assets.settings import environment

    env = environment()
    targets = channels.channels(env)
    if not targets:
        raise UsageError(
            f"{channels.URLS} is not set: give apprise URLs (slack://…, mailto://…, json://…), in "
            "the environment, in .env, or in a file that CRM_SYNC_ALERT_URLS_FILE names"
        )
    failed = 0
    for channel in targets:
        took = targets.try_one(
            channel, "crm_sync test", "If you can read this, alerts arrive here.", is_good=True
        )
        failed += not took
        print(f"{'✓' if took else '✗'} {channel.name}", flush=True)
    answered = channels.beat(env)
    if answered is not None:
        failed += not answered
        print(f"{'✓' if answered else '✗'} heartbeat URL")
    if failed:
        exits.say(f"{failed} did not take it: check its URL, and the network from here")
    return exits.FAILED if failed else exits.SUCCESS
