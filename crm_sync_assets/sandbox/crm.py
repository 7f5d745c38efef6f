"""What a CRM of the sandbox is, what it is given to play with, and where the sandbox finds it."""

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from starlette.routing import BaseRoute

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.faults import Manner
from crm_sync_assets.sandbox.knobs import Common
from crm_sync_assets.sandbox.ledger import Ledger

FOLDER = "crm_sync_assets.sandbox.crms"
"""Where the CRMs are: found by name, so that nothing here depends on one of them."""


class Crm(Protocol):
    """One CRM while it is played.

    `world` is what tests and Python callers operate on: `sandbox.<name>`. In a random life of the
    whole sandbox every `pace`-th change is one of this CRM's.
    """

    name: str
    world: Any
    manner: Manner = Manner()
    pace: int = 1

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """Endpoints by mount point: `/<name>`, and others that begin with it."""

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        """What the control API can do to its world, by name."""

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The final state of one kind of thing. LookupError when there is none."""

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of its world, described one line each.

        What is gone and nothing tells of is `purge <kind> <id>`: no delta can know of it.
        """

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:
        """Environment variables that point a client here; `oauth`: those of one that refreshes
        its token, where there is a choice."""

    def webhooks_env(self) -> dict[str, str]:
        """Variables with which its webhooks are subscribed to and proven, where that can be done
        by its API."""
        return {}

    def reset(self) -> None:
        """Back to the beginning."""

    def close(self) -> None:
        """Give back what it holds outside of this process."""

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Carry out an operation. LookupError, ValueError or TypeError when it cannot."""
        known = self.operations()
        if operation not in known:
            raise LookupError(f"no operation {operation!r}, want {sorted(known)}")
        return known[operation](**arguments)


@dataclass(frozen=True, slots=True)
class Stage:
    """What the sandbox gives every CRM: its time, the common knobs, the ledger, the seed, and the
    CRMs by name, as far as they are played."""

    clock: Clock
    knobs: Common
    ledger: Ledger
    seed: int
    crms: dict[str, Crm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Option:
    """A keyword of `Sandbox` that belongs to one CRM; with `help`, an option of the program too."""

    name: str
    default: Any = None
    help: str = ""
    kind: Callable[[str], Any] = str
    metavar: str | None = None


@dataclass(frozen=True, slots=True)
class NoKnobs:
    """For a CRM that has none of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a CRM's package is known by: `CRM` in its `__init__`.

    `play(stage, knobs, **options)` begins; None when the options do not ask for it. `knobs` is the
    dataclass of its own knobs, whose defaults are a healthy, fast, unlimited API.
    """

    name: str
    play: Callable[..., Crm | None]
    knobs: Callable[[], Any] = NoKnobs
    options: tuple[Option, ...] = ()


def entries(folders: Sequence[str] = (FOLDER,)) -> tuple[Entry, ...]:
    """The CRMs in these packages, by name. ValueError naming one that is none."""
    found = []
    for folder in folders:
        for module in pkgutil.iter_modules(import_module(folder).__path__):
            entry = getattr(import_module(f"{folder}.{module.name}"), "CRM", None)
            if not isinstance(entry, Entry) or entry.name != module.name:
                raise ValueError(f"{folder}.{module.name}: CRM must be an Entry of that name")
            found.append(entry)
    return tuple(sorted(found, key=lambda entry: entry.name))
