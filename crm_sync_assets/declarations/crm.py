"""A CRM: its name, how to reach it, what its settings default to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flag, Flags, with_own
from crm_sync_assets.declarations.subscriptions import Desk
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.settings import variables


@dataclass(frozen=True, slots=True)
class Shared:
    """What the clients of several processes share: rate budgets and OAuth tokens.

    They are kept in the database of `database_url`; None keeps them in this process.
    """

    database_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Crm:
    """One CRM: its name, how to reach it, what its settings default to, which flags it adds.

    `client` builds the client from the environment; it raises UsageError naming the variable that
    is missing. `minute` is the minute of the hour its delta schedule fires. `order` names the
    entities a run of the whole CRM begins with; `groups` are names for several entities at once: to
    sync them, to switch them off, and as the parts that the catalogue shows.
    `named` makes entities of what the environment names, the same ones until that changes; it must
    ask nobody.
    `variables` are all that it reads from the environment. One that `calculates` gets a job that
    refreshes calculated values; its client is Refreshable. `refers` says what a column of that name
    refers to, in whichever entity: column → `entity.column`, of another CRM `crm.entity.column`.
    `webhooks` says how it tells of changes, where it does, and `desk` opens the API by which it is
    told to, as `client` opens the other.
    """

    name: str
    title: str
    client: Callable[[Environment, SyncSettings, Shared], Client]
    settings: Mapping[str, Any] = field(default_factory=dict)
    minute: int = 0
    order: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    calculates: bool = False
    flags: tuple[Flag, ...] = ()
    variables: tuple[Variable, ...] = ()
    refers: Mapping[str, str] = field(default_factory=dict)
    named: Callable[[], tuple[Entity, ...]] = tuple
    webhooks: Webhooks | None = None
    desk: Callable[[Environment, SyncSettings, Shared], Desk] | None = None

    def __post_init__(self) -> None:
        names = [flag.name for flag in self.flags]
        for flag in self.flags:
            problem = flag.problem() or (
                "it is declared twice" if names.count(flag.name) > 1 else None
            )
            if problem:
                raise ValueError(f"{self.name}: the flag {flag.name}: {problem}")
        if self.webhooks is None:
            if self.desk is not None:
                raise ValueError(f"{self.name}: it has an API for webhooks, and none of those")
            return
        needs = (variable for group in self.webhooks.setup.needs for variable in group)
        for variable in (*self.webhooks.variables, *needs):
            if variable not in self.variables:
                raise ValueError(f"{self.name}: its webhooks' {variable.name} is not declared")


def flags_of(crm: Crm) -> type[Flags]:
    """The flags its entities take: the universal ones, and those that only this CRM has."""
    return _flags_of(crm.name, crm.flags)


@cache
def _flags_of(name: str, own: tuple[Flag, ...]) -> type[Flags]:
    return with_own(Flags, f"{name.capitalize()}Flags", own)


def is_named(crm: Crm) -> bool:
    """Whether the environment has a variable of this CRM's, so that somebody means to use it.

    Any that begins with its name counts: one that is set by half is to be refused, not left out.
    """
    head = f"{crm.name.upper()}_"
    return any(variable.required and variable.is_set for variable in crm.variables) or any(
        value and name.startswith(head) for name, value in variables().items()
    )
