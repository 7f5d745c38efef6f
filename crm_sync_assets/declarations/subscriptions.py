"""How a CRM is told where to send its webhooks, as data: by an API of its own, or by hand.

A subscription is one thing that a CRM tells one address. Which there should be follows from the
entities that are synced; which there are is asked; what is to be done is worked out by `standing`,
and done by the CRM's `Desk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import SyncError

T = TypeVar("T")

Trouble = Literal["off", "failing", "secret", "old"]
"""What may be wrong with one that leads here: it is switched off, what it sends is refused or
nobody answers it, it sends what cannot be proven, or in a form that is no more in use."""

State = Literal["ok", "missing", "elsewhere", "off", "failing", "secret", "old", "taken", "foreign"]
"""`elsewhere` is one of ours with an address that is wrong; one that is `foreign` is somebody
else's; what is `taken` cannot be made, for the one address that there is belongs to others."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One subscription that there should be.

    `name` is what the CRM calls what it tells of, `entities` hear by it. Where each part of an
    account has its own, `of` is that part's id.
    """

    name: str
    entities: tuple[str, ...]
    address: str = field(repr=False)
    of: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One that there is. `why` says more of its `trouble`, `since` when it was made.

    One with a trouble that is `by_hand` cannot be mended through the API.
    """

    name: str
    address: str = field(repr=False)
    id: str = ""
    of: str = ""
    trouble: Trouble | None = None
    why: str = ""
    since: datetime | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands: one that is `wanted`, or one of others that was `found`."""

    state: State
    wanted: Wanted | None = None
    found: Found | None = None
    why: str = ""

    @property
    def is_mendable(self) -> bool:
        """Whether the API can put it right."""
        by_hand = self.found is not None and self.found.by_hand
        return self.wanted is not None and self.state not in ("ok", "taken") and not by_hand

    @property
    def is_wrong(self) -> bool:
        return self.state not in ("ok", "foreign")


class Desk(Protocol):
    """Where the subscriptions of one account are looked at and put right.

    All methods raise what a client raises. `part` is what `Wanted.of` names, for people.
    """

    part: str

    def wanted(self, entities: Sequence[Entity], address: str) -> Sequence[Wanted]:
        """Those that there should be for these entities, to be sent to `address` and below it."""
        ...

    def found(self) -> Sequence[Found]:
        """All that there are, those of others too."""
        ...

    def target(self) -> str | None:
        """The one address that all of them lead to, "" where it is not set; None where each has
        its own. After `found`."""
        ...

    def tells(self, found: Found, wanted: Wanted) -> bool:
        """Whether the one tells all that the other should."""
        ...

    def put_right(self, wrong: Sequence[Standing]) -> Iterator[tuple[Standing, SyncError | None]]:
        """Make, mend and switch on; each as soon as that is done, or with why it was refused.

        A refusal of one keeps none of the others from being done.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Setup:
    """How subscriptions are made.

    `where` says where people make them, after "set up in". A CRM that has an API for it `needs`
    these beside its client's variables: one of each group. While none of them is set, subscriptions
    are made by hand there, too.
    """

    where: str
    needs: tuple[tuple[Variable, ...], ...] = ()

    @property
    def is_begun(self) -> bool:
        """Whether somebody has set anything of what the API needs."""
        return not self.needs or any(one.is_set for group in self.needs for one in group)

    def lacking(self) -> list[str]:
        """What is missing of it, by the variables' names."""
        groups = (group for group in self.needs if not any(one.is_set for one in group))
        return [" or ".join(variable.name for variable in group) for group in groups]


def standing(
    wanted: Sequence[Wanted],
    found: Sequence[Found],
    *,
    target: str | None,
    tells: Callable[[Found, Wanted], bool],
    is_ours: Callable[[str], bool],
) -> list[Standing]:
    """How each that there should be stands, and then those of others.

    `is_ours` says of an address whether it is, or was meant to be, one of this installation.
    """
    if target and not is_ours(target):
        why = "the one address that there is leads elsewhere"
        return [Standing("taken", one, None, why) for one in wanted] + [
            Standing("foreign", None, Found("everything", target))
        ]
    ours = [one for one in found if is_ours(one.address) or not one.address]
    results = [_stands(one, [each for each in ours if tells(each, one)]) for one in wanted]
    return results + [Standing("foreign", None, one) for one in found if one not in ours]


def tried(
    wrong: Iterable[T], put_right: Callable[[T], None]
) -> Iterator[tuple[T, SyncError | None]]:
    """Put each right, as soon as it is asked for, or say why it was refused."""
    for one in wrong:
        try:
            put_right(one)
        except SyncError as error:
            yield one, error
        else:
            yield one, None


def made_at(said: Any) -> datetime | None:
    """The moment that an API says, in UTC; None where it says none that can be read."""
    try:
        return timestamp(said)
    except (ValueError, TypeError, OverflowError):
        return None


_ORDER: Sequence[Trouble | None] = (None, "old", "secret", "failing", "off")


def _stands(wanted: Wanted, candidates: Sequence[Found]) -> Standing:
    """The best of what there is decides: two that tell the same do no harm."""
    here = [one for one in candidates if one.address == wanted.address]
    if here:
        best = min(here, key=lambda one: _ORDER.index(one.trouble))
        return Standing(best.trouble or "ok", wanted, best, best.why)
    if candidates:
        return Standing("elsewhere", wanted, candidates[0])
    return Standing("missing", wanted)
