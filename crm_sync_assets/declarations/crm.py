"""A CRM: its name, how to reach it, what its settings default to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets.declarations.contract import Client


@dataclass(frozen=True)
class Crm:
    """One CRM: its name, how to reach it, what its settings default to.

    `client` builds the client from the environment; it raises UsageError naming the variable
    that is missing. `minute` is the minute of the hour its delta schedule fires. `order` names the
    entities a run of the whole CRM begins with; `groups` are names for several entities at once.
    One that `calculates` gets a job that refreshes calculated values; its client is Refreshable.
    """

    name: str
    title: str
    client: Callable[[Environment, SyncSettings], Client]
    settings: Mapping[str, Any] = field(default_factory=dict)
    minute: int = 0
    order: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    calculates: bool = False
