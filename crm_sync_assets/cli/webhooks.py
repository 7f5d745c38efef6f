"""`crm-sync webhooks`: receive what CRMs tell of changes; list, show and replay what they told."""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict

from crm_sync_assets.cli import exits, subscriptions
from crm_sync_assets.cli.arguments import Parser, port_number, positive
from crm_sync_assets.cli.tables import (
    add_output,
    check_crm,
    check_entity,
    open_for_reading,
    print_json,
    print_table,
)
from crm_sync_assets.errors import UsageError
from crm_sync_assets.warehouse import webhook_events
from crm_sync_assets.warehouse.encryption import open_vault

NOTHING = "webhooks have told nothing of that kind"
MOST_WORKERS = 32


def parser() -> Parser:
    found = Parser(
        prog="crm-sync webhooks",
        description="Receives webhooks at /webhooks/<crm>, keeps what they tell, and answers. Each "
        "is a hint that a record has changed, which is read later; syncs bring it in any case.",
    )
    found.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
    found.add_argument("--port", type=port_number, default=3200, help="0: a free one [3200]")
    found.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes that answer [1]"
    )
    found.add_argument(
        "--eager",
        action="store_true",
        help="also read what is told, at once; else Dagster does, or `process`",
    )
    actions = found.add_subparsers(dest="action", metavar="register|check|process|list|show|replay")
    subscriptions.add_actions(actions)
    process = "read the records of what is pending; exits 3 if some is left"
    actions.add_parser("process", help=process, description=process, allow_abbrev=False)
    for name, about in (
        ("list", "the newest events, and what became of them"),
        ("show", "events with what was sent; it may hold personal data"),
        ("replay", "let failed events, or the one of --id, be tried again"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        action.add_argument("--crm", help="only this CRM")
        action.add_argument("--entity", help="only this entity")
        action.add_argument("--id", dest="number", type=positive, help="only the event of this id")
        if name == "replay":
            continue
        action.add_argument("--status", choices=webhook_events.STATUSES, help="only these")
        action.add_argument("--limit", type=positive, metavar="N", help="most events")
        if name == "list":
            add_output(action)
        else:
            action.add_argument("--json", action="store_true", help="what it prints anyway")
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    if given.action is None:
        return _serve(given)
    if given.action in ("register", "check"):
        return {"register": subscriptions.register, "check": subscriptions.check}[given.action](
            given
        )
    if given.action == "process":
        return _process()
    check_crm(given.crm)
    return {"list": _list, "show": _show, "replay": _replay}[given.action](given)


def _serve(given: Namespace) -> int:
    from crm_sync_assets import log
    from crm_sync_assets.dashboard.server import listener
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.operations.turns import Clients, Eager
    from crm_sync_assets.receiver.serving import expected, senders, serve

    if given.workers > MOST_WORKERS:
        raise UsageError(f"--workers: at most {MOST_WORKERS}")
    names = expected()
    if not names:
        secrets = [
            f"{name}: {', '.join(v.name for v in one.variables if v.secret)}"
            for name, one in senders().items()
        ]
        raise UsageError(
            "no webhook could be proven: set what those of a CRM are proven by, in the environment "
            f"or in .env ({'; '.join(secrets)})"
        )
    log.configure("WARNING")
    with listener(given.host, given.port) as socket:
        host = f"[{given.host}]" if ":" in given.host else given.host
        address = f"http://{host}:{socket.getsockname()[1]}"
        paths = ", ".join(f"{address}/webhooks/{name}" for name in names)
        print(f"webhooks are received at {paths}; Ctrl-C stops it", flush=True)
        # The server answers what it has begun, and only then hands the signal on.
        signal.signal(signal.SIGTERM, lambda *_: None)
        reading = Eager(open_warehouse, Clients()).running() if given.eager else nullcontext()
        with suppress(KeyboardInterrupt), reading:
            serve(socket, workers=given.workers)
    return exits.SUCCESS


def _process() -> int:
    """0 if nothing is pending any more, 3 if something waits, 1 if nothing could be read."""
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.operations.turns import Clients, turns

    clients = Clients()
    done, waits, failed = 0, 0, 0
    goes_on, said = True, set[str]()
    with closing(open_warehouse()) as warehouse, closing(clients):
        # A turn ends after a while, and what is left of its entity is for the next one.
        while goes_on:
            goes_on = False
            for taken in turns(warehouse, clients):
                if isinstance(taken, Exception):
                    failed += 1
                    _say_once(str(taken), said)
                    continue
                done += 1
                waits += bool(taken.counts.failed)
                progress = bool(taken.events or taken.settled)
                goes_on |= progress
                if progress or str(taken.entity) not in said:
                    print(f"{taken.entity}: {taken.summary()}")
                said.add(str(taken.entity))
                if taken.why:
                    _say_once(taken.why, said)
        with warehouse.connection() as connection:
            pending = webhook_events.pending(connection)
    if pending:
        exits.say(f"{pending} events are pending still: `crm-sync webhooks list --status pending`")
    elif not done and not failed:
        print("nothing is pending")
    if failed and not done:
        return exits.FAILED
    return exits.PARTIAL if failed or waits or pending else exits.SUCCESS


def _say_once(text: str, said: set[str]) -> None:
    """What lasts is met in every turn."""
    if text not in said:
        exits.say(text)
    said.add(text)


def _list(given: Namespace) -> int:
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        found = webhook_events.listed(
            connection,
            source=given.crm,
            entity=check_entity(connection, given.crm, given.entity),
            status=given.status,
            number=given.number,
            limit=given.limit or 20,
        )
    if given.json:
        events = [asdict(event) for event in found]
        for event in events:
            del event["payload"]
        print_json(events)
        return exits.SUCCESS
    print_table(
        "What webhooks told, the newest first",
        ["id", "crm", "entity", "record", "status", "event", "received", "processed", "attempts",
         "reason", "sync"],
        [
            (str(e.id), e.source, e.entity, e.record, e.status, e.type, e.received_at,
             e.processed_at, e.attempts, e.error, None if e.sync_id is None else str(e.sync_id))
            for e in found
        ],
        nothing=NOTHING,
        wide=given.wide,
    )  # fmt: skip
    return exits.SUCCESS


def _show(given: Namespace) -> int:
    if not (given.number or given.entity or given.crm):
        raise UsageError("say which: --id of an event, or --crm and --entity")
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        found = webhook_events.shown(
            connection,
            open_vault(connection, warehouse.encryption_keys),
            source=given.crm,
            entity=check_entity(connection, given.crm, given.entity),
            status=given.status,
            number=given.number,
            limit=given.limit or 5,
        )
    print_json([asdict(event) for event in found])
    return exits.SUCCESS


def _replay(given: Namespace) -> int:
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        found = webhook_events.again(
            connection,
            source=given.crm,
            entity=check_entity(connection, given.crm, given.entity),
            number=given.number,
        )
    if given.number and not found:
        raise UsageError(
            f"there is no event {given.number} that could be tried again: "
            "`crm-sync webhooks list` shows what there is"
        )
    print(f"{found} events wait to be tried again")
    return exits.SUCCESS
