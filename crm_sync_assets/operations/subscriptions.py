"""Subscriptions of webhooks: which there should be and are, and putting them right.

What is said in the end is what the CRM says once it was changed, not what it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, Shared, is_named
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.declarations.subscriptions import Desk, Standing, Wanted, standing
from crm_sync_assets.declarations.unread import refuse_misspelt
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.errors import SyncError, UsageError
from crm_sync_assets.operations import addresses
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.settings import environment


@dataclass(frozen=True, slots=True)
class Place:
    """Where subscriptions should lead: the public address, and those that there were before."""

    base: str
    moved_from: tuple[str, ...] = ()

    @property
    def bases(self) -> tuple[str, ...]:
        return (self.base, *self.moved_from)

    def of(self, crm: Crm) -> str:
        return addresses.of(self.base, crm.name)

    def is_ours(self, address: str) -> bool:
        return addresses.is_below(address, self.bases)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done about a CRM's subscriptions, and how they stand afterwards.

    `done` are as they stood before; `refused` those that its API did not let be put right.
    """

    standings: Sequence[Standing]
    done: Sequence[Standing] = ()
    refused: Sequence[tuple[Standing, SyncError]] = ()
    part: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """CRMs whose webhooks are to be looked after, and why others are not."""

    crms: Sequence[Crm]
    left: Sequence[str] = field(default=())


def told_by(crm: Crm) -> Webhooks:
    """What it says of its webhooks. Raises UsageError where it tells of nothing."""
    if crm.webhooks is None:
        names = ", ".join(one.name for one in registry.crms().values() if one.webhooks)
        raise UsageError(f"{crm.name} sends no webhooks; these do: {names}")
    return crm.webhooks


def chosen(name: str | None) -> Chosen:
    """The CRM of this name, or all whose deliveries can be proven.

    Raises UsageError where there is none, naming what has to be set.
    """
    if name is not None:
        crm = registry.crm(name)
        webhooks = told_by(crm)
        if lacking := webhooks.unset():
            raise UsageError(_unset(crm, lacking))
        webhooks.given(environment())
        return Chosen([crm])
    senders = [crm for crm in registry.crms().values() if crm.webhooks is not None]
    ready, left = [], []
    for crm in senders:
        webhooks = told_by(crm)
        lacking = webhooks.unset()
        if not lacking:
            webhooks.given(environment())
            ready.append(crm)
        elif webhooks.is_expected or is_named(crm):
            left.append(_unset(crm, lacking))
    if not ready:
        raise UsageError(
            "; ".join(left)
            or "no CRM of those that send webhooks is set up here: put what its deliveries are "
            "proven by into the environment or into .env (.env.example lists it)"
        )
    return Chosen(ready, left)


def by_hand(crm: Crm, place: Place) -> str | None:
    """Where people set its webhooks up, where no API does.

    Raises UsageError for an API that was given by half.
    """
    webhooks = told_by(crm)
    setup = webhooks.setup
    if crm.desk is not None and setup.is_begun:
        if lacking := setup.lacking():
            raise UsageError(_unset(crm, lacking))
        return None
    below = f"/<event> (events: {', '.join(sorted(webhooks.topics))})" if webhooks.topics else ""
    return f"set up by hand in {setup.where}; the address: {place.of(crm)}{below}"


def look(crm: Crm, place: Place) -> Outcome:
    """How its subscriptions stand. Raises what a client raises."""
    with _opened(crm) as desk:
        return Outcome(_standings(desk, crm, place), part=desk.part)


def register(
    crm: Crm,
    place: Place,
    *,
    dry_run: bool = False,
    progress: Callable[[Standing], None] = lambda _: None,
) -> Outcome:
    """Make what is missing, mend what is not as it should be, and look again.

    Raises what a client raises; a refusal of a single one is in the outcome.
    """
    with _opened(crm) as desk:
        before = _standings(desk, crm, place)
        mendable = [one for one in before if one.is_mendable]
        if dry_run or not mendable:
            return Outcome(before, mendable, part=desk.part)
        done, refused = list[Standing](), list[tuple[Standing, SyncError]]()
        for one, error in desk.put_right(mendable):
            if error is None:
                done.append(one)
                progress(one)
            else:
                refused.append((one, error))
        return Outcome(_standings(desk, crm, place), done, refused, desk.part)


def entities_told(crm: Crm, wanted: Sequence[Wanted]) -> list[str]:
    """The entities that hear by these, in the order of the CRM's own."""
    named = {name for one in wanted for name in one.entities}
    return [one.sync_type for one in registry.entities(crm.name) if one.sync_type in named]


@contextmanager
def _opened(crm: Crm) -> Iterator[Desk]:
    if crm.desk is None:
        raise UsageError(f"{crm.name} has no API for its webhooks")
    refuse_misspelt(crm)
    shared = Shared(open_warehouse().url)
    with closing(crm.desk(environment(), settings_for(crm), shared)) as desk:
        yield desk


def _standings(desk: Desk, crm: Crm, place: Place) -> list[Standing]:
    wanted = desk.wanted(registry.active(crm.name), place.of(crm))
    found = desk.found()
    return standing(wanted, found, target=desk.target(), tells=desk.tells, is_ours=place.is_ours)


def _unset(crm: Crm, lacking: Sequence[str]) -> str:
    are = "is" if len(lacking) == 1 else "are"
    return (
        f"{crm.name}: {' and '.join(lacking)} {are} not set: give what its webhooks need, in the "
        "environment or in .env"
    )
