"""`crm-sync webhooks register` and `check`: what CRMs tell, and whether they do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.tables import (
    add_output,
    check_crm,
    moment,
    open_for_reading,
    print_json,
    print_table,
)
from crm_sync_assets.errors import SyncError
from crm_sync_assets.redaction import one_line, redact
from crm_sync_assets.settings import environment
from crm_sync_assets.told import words

if TYPE_CHECKING:
    from crm_sync_assets.declarations.crm import Crm
    from crm_sync_assets.declarations.subscriptions import Standing
    from crm_sync_assets.operations.subscriptions import Outcome, Place
    from crm_sync_assets.operations.webhook_report import Row

DONE: Final = {
    "missing": ("made", "would be made"),
    "elsewhere": ("led here", "would be led here"),
    "off": ("switched on", "would be switched on"),
    "failing": ("made anew", "would be made anew"),
    "secret": ("given the secret of here", "would be given the secret of here"),
    "old": ("made anew", "would be made anew"),
}
WRONG: Final = {
    "missing": "missing still",
    "elsewhere": "lead elsewhere still",
    "off": "switched off still",
    "failing": "failing still",
    "secret": "cannot be proven here",
    "old": "of an old version still",
    "taken": "cannot be made",
}


def add_actions(actions: Any) -> None:
    """`register` and `check`, among the actions of `crm-sync webhooks`."""
    about = "make, mend and switch on the subscriptions of CRMs that have an API for it"
    action = actions.add_parser("register", help=about, description=about, allow_abbrev=False)
    action.add_argument("--crm", help="only this CRM")
    action.add_argument("--dry-run", action="store_true", help="say what would be done")
    action.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    action.add_argument(
        "--moved-from", metavar="URL", help="the public address before: what leads there is ours"
    )
    about = "are all subscriptions there, on and heard of? Exits 1 if not"
    action = actions.add_parser("check", help=about, description=about, allow_abbrev=False)
    action.add_argument("--crm", help="only this CRM")
    action.add_argument(
        "--silence",
        default="24h",
        metavar="AGE",
        help="for so long a sender may say nothing while deltas find changes [24h]",
    )
    add_output(action)


def register(given: Namespace) -> int:
    """0 if all are as they should be, 1 if something is not, or could not be done."""
    from crm_sync_assets.operations import subscriptions

    place, crms, left = _asked(given.crm, given.moved_from)
    hands = {crm.name: subscriptions.by_hand(crm, place) for crm in crms}
    status = exits.SUCCESS
    for crm in crms:
        if (hand := hands[crm.name]) is not None:
            if not given.quiet:
                print(f"{crm.name}: {hand}")
            continue
        try:
            outcome = subscriptions.register(crm, place, dry_run=given.dry_run)
        except SyncError as error:
            if given.crm:
                raise
            exits.say(_about(crm, error))
            status = exits.FAILED
            continue
        if not given.quiet:
            _say_done(crm, outcome, place, dry_run=given.dry_run)
        status = exits.worse(status, _say_wrong(crm, outcome, dry_run=given.dry_run))
    for line in [] if given.quiet else left:
        exits.say(f"left out: {line}")
    return status


def check(given: Namespace) -> int:
    """0 if nothing is wrong, 1 if something is."""
    from crm_sync_assets.operations.webhook_report import named

    since = moment(given.silence)
    place, crms, left = _asked(given.crm, None)
    rows: list[Row] = []
    failed: list[tuple[Crm, SyncError]] = []
    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        from crm_sync_assets.warehouse.webhook_silence import heard

        known = heard(connection, since)
    for crm in crms:
        try:
            rows += _rows(crm, place, known, since)
        except SyncError as error:
            if given.crm:
                raise
            failed.append((crm, error))
    if given.json:
        print_json([asdict(row) for row in rows])
    else:
        print_table(
            "Webhooks, and whether they tell",
            ["crm", "entity", "of", "state", "received", "subscriptions", "detail"],
            [
                (row.crm, row.entity, row.of or None, row.state, row.last_received,
                 f"{len(row.subscriptions)}: {named(row.subscriptions)}"
                 if row.is_wrong or row.state == "foreign" else str(len(row.subscriptions)),
                 one_line(redact(row.detail)))
                for row in rows
            ],
            nothing="no subscription is needed: no entity that is synced hears of anything",
            wide=given.wide,
        )  # fmt: skip
    for crm, problem in failed:
        exits.say(_about(crm, problem))
    for line in left:
        exits.say(f"left out: {line}")
    if any(row.is_wrong and row.state not in ("silent", "taken") for row in rows):
        exits.say("`crm-sync webhooks register` puts right what an API can put right")
    is_wrong = bool(failed) or any(row.is_wrong for row in rows)
    return exits.FAILED if is_wrong else exits.SUCCESS


def _asked(name: str | None, moved_from: str | None) -> tuple[Place, Sequence[Crm], Sequence[str]]:
    """What is to be looked after. Raises UsageError before anything is asked or written."""
    from crm_sync_assets.operations import addresses, subscriptions

    check_crm(name)
    before = (addresses.checked(moved_from, "--moved-from"),) if moved_from else ()
    place = subscriptions.Place(addresses.public(environment()), before)
    chosen = subscriptions.chosen(name)
    return place, chosen.crms, chosen.left


def _rows(crm: Crm, place: Place, known: Any, since: Any) -> Iterator[Row]:
    from crm_sync_assets.operations import subscriptions, webhook_report

    hand = subscriptions.by_hand(crm, place)
    if hand is not None:
        return webhook_report.of_hand_made(crm, hand, known, since)
    return webhook_report.rows(crm, subscriptions.look(crm, place), place, known, since)


def _say_done(crm: Crm, outcome: Outcome, place: Place, *, dry_run: bool) -> None:
    """What was done, what is somebody else's, and how many are as they should be."""
    from crm_sync_assets.operations import addresses
    from crm_sync_assets.operations.webhook_report import named

    for (who, state), names in _grouped(crm, outcome.done).items():
        print(f"{who}: {len(names)} {DONE[state][dry_run]}: {named(names)}")
    for one in outcome.standings:
        if one.state == "foreign" and one.found is not None:
            where = addresses.shown(one.found.address, place.bases)
            print(f"{crm.name}: left alone: {one.found.name} to {where}")
    right = sum(one.state == "ok" for one in outcome.standings)
    wanted = sum(one.wanted is not None for one in outcome.standings)
    print(f"{crm.name}: {right} of {wanted} subscriptions are as they should be: {place.of(crm)}")


def _say_wrong(crm: Crm, outcome: Outcome, *, dry_run: bool) -> int:
    """What was refused, and what is not as it should be still; the exit status."""
    from crm_sync_assets.operations.webhook_report import named

    for one, error in outcome.refused:
        name = one.wanted.name if one.wanted else ""
        exits.say(f"{crm.name}: {name}: {redact(words(error))}")
    mended = {id(one) for one in outcome.done} if dry_run else set[int]()
    wrong = [one for one in outcome.standings if one.is_wrong and id(one) not in mended]
    for (who, state), names in _grouped(crm, wrong).items():
        why = "; ".join(dict.fromkeys(one.why for one in wrong if one.state == state and one.why))
        said = f"{who}: {len(names)} {WRONG[state]}: {named(names)}"
        exits.say(f"{said} ({why})" if why else said)
    return exits.FAILED if wrong or outcome.refused else exits.SUCCESS


def _grouped(crm: Crm, standings: Sequence[Standing]) -> dict[tuple[str, str], list[str]]:
    """Names by whom they are about, an entity and perhaps a part of the account, and state."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in standings:
        if one.wanted is None:
            continue
        who = f"{crm.name} {', '.join(one.wanted.entities)}"
        if one.wanted.of:
            who += f" of {one.wanted.of}"
        found.setdefault((who, one.state), []).append(one.wanted.name)
    return found


def _about(crm: Crm, error: SyncError) -> str:
    said = redact(words(error))
    return said if said.startswith(f"{crm.name}:") else f"{crm.name}: {said}"
