"""What the demo does with one CRM: a first sync, changes there, a delta and a full read, and each
table compared with the truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crm_sync_assets.cli.compared import compared, purged
from crm_sync_assets.cli.world import move
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.engine import progress
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.orchestration.launch import Outcome, launch, plan
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.connection import Warehouse

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from crm_sync_assets.sandbox.process import Control

FIRST, DELTA, FULL = "first sync", "delta", "full read"
COUNTED = ("processed", "created", "updated", "unchanged", "deleted", "failed")


@dataclass(frozen=True, slots=True)
class Plot:
    """Which CRM, how many changes it sees, and how far its clock goes ahead after them."""

    crm: str
    moves: int
    ahead_seconds: float
    debug: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a story is: so many of its entities are synced in this part of it."""

    part: str
    done: int
    entities: int
    records: int


@dataclass(slots=True)
class Told:
    """How a story ended. `rows` are live records in the end, `changed` what the delta found.

    `forced` are entities of which so much was really gone that it took force; `tables` are the
    syncs of each part, a line for each entity.
    """

    title: str
    entities: int
    seconds: float = 0.0
    rows: int = 0
    changed: int = 0
    problems: list[str] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)
    tables: dict[str, list[Sequence[object]]] = field(default_factory=dict)
    compared: list[tuple[str, int, str]] = field(default_factory=list)


class Teller:
    """Tells the story of one CRM, into one warehouse, in runs of one Dagster instance."""

    def __init__(
        self,
        crm: Crm,
        control: Control,
        warehouse: Warehouse,
        instance: DagsterInstance,
        show: Callable[[Seen], None] = lambda _: None,
    ) -> None:
        self._crm, self._control = crm, control
        self._warehouse, self._instance = warehouse, instance
        self._show = show
        self._entities = registry.selection(crm.name)
        self._told = Told(crm.title, len(self._entities))

    def tell(self, plot: Plot) -> Told:
        told, began = self._told, time.monotonic()
        self._sync(FIRST, Flags())
        moved = move(self._control, self._crm.name, plot.moves)
        # Search shows changes late; the delta runs a while after them.
        self._control.ask("clock", {"advance": plot.ahead_seconds})
        found = self._sync(DELTA, Flags())
        told.changed = sum(one.created + one.updated for one in found)
        self._compare(DELTA, excused=purged(moved))
        self._sync(FULL, Flags(full=True))
        told.rows = self._compare(FULL)
        told.seconds = time.monotonic() - began
        return told

    def _sync(self, part: str, flags: Flags) -> list[Outcome]:
        """Every entity, in one run of the job the UI has for it; what fails is a problem.

        What is refused for the rows it would delete is told to force it, as its message says, if
        they are really gone.
        """
        told = self._told
        with _showing(part, self._entities, self._show):
            outcomes = self._launch(self._entities, flags, f"{self._crm.name}_all")
        forced = self._really_gone([one.entity for one in outcomes if one.reason == "data"])
        if forced:
            again = self._launch(forced, flags.model_copy(update={"force": True}), None)
            by_name = {one.entity.name: one for one in again}
            outcomes = [by_name.get(one.entity.name, one) for one in outcomes]
            told.forced += [f"{entity} ({part})" for entity in forced]
        told.tables[part] = [_line(one) for one in outcomes]
        told.problems += [
            f"{part}: {one.entity} ended as {one.status}: {one.error or 'see the quarantine'}"
            for one in outcomes
            if one.status != "success"
        ]
        return outcomes

    def _launch(self, entities: Sequence[Entity], flags: Flags, job: str | None) -> list[Outcome]:
        return launch(
            self._crm,
            plan(self._crm, entities, flags),
            job=job,
            instance=self._instance,
            warehouse=self._warehouse,
        )

    def _really_gone(self, refused: Sequence[Entity]) -> list[Entity]:
        """Of these the ones with rows whose records the source really has no more."""
        if not refused:
            return []
        gone = {
            one.entity.name: one.gone for one in compared(self._warehouse, self._control, self._crm)
        }
        return [entity for entity in refused if gone.get(entity.name)]

    def _compare(self, part: str, *, excused: frozenset[str] = frozenset()) -> int:
        """How many live records there are; what is wrong with their rows is a problem."""
        told = self._told
        found = [*compared(self._warehouse, self._control, self._crm, excused=excused)]
        told.problems += [
            f"after the {part}: {one.entity}: {one.wrong}" for one in found if one.wrong
        ]
        told.compared = [
            (one.entity.name, one.records, one.wrong or "the same in both") for one in found
        ]
        return sum(one.records for one in found)


def tell(plot: Plot, control: Control, show: Callable[[Seen], None]) -> Told:
    """The story of one CRM of the environment."""
    from crm_sync_assets.cli.display import configure_log
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.orchestration.instance import open_instance

    # What the sandbox lacks of a real account is no news here; each run's log has it.
    configure_log(debug=False, quiet=not plot.debug, bars=False)
    with open_instance(environment(), to_run=True) as instance:
        warehouse = open_warehouse()
        crm = registry.crm(plot.crm)
        return Teller(crm, control, warehouse, instance, show).tell(plot)


def _line(one: Outcome) -> Sequence[object]:
    counts: Mapping[str, int] = {name: getattr(one, name) for name in COUNTED}
    return (one.entity.name, one.status, *counts.values(), one.seconds, one.strategy)


@contextmanager
def _showing(part: str, entities: Sequence[Entity], show: Callable[[Seen], None]) -> Iterator[None]:
    """Show how far it is after each batch."""
    read: dict[str, int] = {}
    ended: set[str] = set()

    def look(sync: Sync) -> None:
        name = sync.entity.name
        read[name] = sync.counts.processed
        if sync.status != "running":
            ended.add(name)
        show(Seen(part, len(ended), len(entities), sum(read.values())))

    show(Seen(part, 0, len(entities), 0))
    with progress.listening(look):
        yield
