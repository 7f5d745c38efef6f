"""`crm-sync demo`: a first sync, a delta and a full read of everything in the sandbox, compared
with its truth.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.shell import from_here, write_exports
from crm_sync_assets.cli.tables import print_table
from crm_sync_assets.cli.world import World
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, is_named
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.truth import Live, live
from crm_sync_assets.errors import FatalError
from crm_sync_assets.orchestration.launch import Outcome, launch, plan
from crm_sync_assets.settings import PREFIX, environment
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.embedded import warehouse_url

if TYPE_CHECKING:
    from crm_sync_assets.sandbox.process import Running

INDEX_LAG_SECONDS = 20
QUESTION = "SELECT lifecyclestage, count(*) FROM hubspot_contact GROUP BY 1"


def parser() -> Parser:
    found = Parser(
        prog="crm-sync demo",
        description="A first sync, a delta and a full read of every entity against the sandbox, in "
        "a state folder of its own, compared with the sandbox's truth at the end.",
    )
    found.add_argument("--contacts", type=positive, default=2_000, metavar="N", help="[2000]")
    found.add_argument(
        "--moves", type=positive, default=400, metavar="N", help="changes before the delta [400]"
    )
    found.add_argument("--details", action="store_true", help="every sync and every table")
    found.add_argument("--no-progress", action="store_true", help="Plain lines, no bars.")
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    return demo(
        contacts=given.contacts,
        moves=given.moves,
        bars=not given.no_progress,
        details=given.details,
    )


def demo(
    *, contacts: int = 2_000, moves: int = 400, bars: bool = True, details: bool = False
) -> int:
    """Run it, tell it; 0 only if all went well and the warehouse is what the sources are.

    Its state folder stays: `crm-sync dev` goes on with it.
    """
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox

    began, here = time.monotonic(), Path.cwd()
    folder = _own_folder()
    sizes = ["--contacts", str(contacts), "--pipedrive-deals", str(max(60, contacts // 4))]
    genius = ["--genius-url", beside(warehouse_url(environment()))]
    knobs = ["--knob", "limits=true", "--knob", f"index_lag={INDEX_LAG_SECONDS}"]
    with sandbox(*sizes, *genius, *knobs) as running:
        os.environ |= running.env
        crms = [crm for crm in registry.crms().values() if is_named(crm)]
        shares = {crm.name: moves if crm.name == LARGEST else moves // 4 for crm in crms}
        # Search shows changes late; the delta runs a while after them.
        world = World(sizes, shares, 5 * INDEX_LAG_SECONDS)
        print(_opening(len(crms), contacts))
        problems = _problems(running, _Syncs(crms, bars), world, details)
    if problems:
        print("\nNot as it should be:\n" + "\n".join(f"  {line}" for line in problems))
        return 1
    world.save(folder)
    write_exports(exports := folder / "env.sh", {f"{PREFIX}HOME": str(folder)})
    print(_closing(time.monotonic() - began, from_here(exports, here)))
    return 0


LARGEST = "hubspot"
"""The CRM that gets most of the changes."""


def _opening(crms: int, contacts: int) -> str:
    return (
        f"Sandboxes of {crms} CRMs with their real rate limits, "
        f"{contacts:,} contacts and\neverything around them; an empty PostgreSQL; Dagster.\n"
    )


def _closing(seconds: float, exports: str) -> str:
    return (
        f"\nThe warehouse is what the sources are ({seconds:.0f} s). Look at it:\n"
        "  make dev        Dagster's UI and the dashboard, with this data; or in a shell:\n"
        f"  source {exports}\n"
        f'  crm-sync history\n  crm-sync sql "{QUESTION}"\n'
        "Your own account: HUBSPOT_TOKEN=… in .env, then `.venv/bin/crm-sync doctor hubspot`."
    )


def _problems(running: Running, syncs: _Syncs, world: World, details: bool) -> list[str]:
    """Three syncs of everything, told as they go, and what is wrong in the end."""
    tables = _print_table if details else _print_no_table
    first = syncs.all("1. first sync")
    tables("the first sync", first)
    moved = world.move(running)
    world.go_ahead(running)
    print(f"   {len(moved)} records are created, edited, cleared, archived, merged, deleted")
    delta = syncs.all("2. delta")
    tables("the delta", delta)
    excused = _purged(moved)
    compared = _differences(syncs.warehouse, running, syncs.crms, excused=excused)
    problems = [f"{entity}: {wrong}" for entity, _, wrong in compared if wrong]
    print(
        "   the delta missed something, see below"
        if problems
        else "   nothing is amiss but what the sources tell nobody: records deleted for good"
    )
    full = syncs.all("3. full read", full=True)
    tables("the full read", full)
    known = live = 0
    for entity, count, wrong in _differences(syncs.warehouse, running, syncs.crms):
        known, live = known + 1, live + count
        if details:
            print(f"   {entity.name:<44} {count:>7,} live, {wrong or 'the same in both'}")
        problems += [f"{entity}: {wrong}"] if wrong else []
    if not problems:
        print(
            f"4. compared      {known} tables, {live:,} live records: keys and times of change are "
            "the same"
        )
    syncs.close()
    return problems + [
        f"{outcome.entity} ended as {outcome.status}: {outcome.error or 'see the quarantine'}"
        for outcome in [*first, *delta, *full]
        if outcome.status != "success"
    ]


def _own_folder() -> Path:
    """An empty state folder, and an environment in which nothing of the user's own is left."""
    folder = environment().made_home() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise FatalError(f"the demo's folder {folder} cannot be emptied: {error}") from error
    crms = registry.crms().values()
    read = {variable.name for crm in crms for variable in crm.variables}
    heads = (PREFIX, "DAGSTER_HOME", *(f"{crm.name.upper()}_" for crm in crms))
    for name in list(os.environ):
        if name.startswith(heads) or name.removesuffix("_FILE") in read:
            del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(folder)
    # Away from a .env: the demo must not read, let alone write, anything real.
    os.chdir(folder)
    return folder


class _Syncs:
    """Runs in this process, in one Dagster instance, into one warehouse."""

    def __init__(self, crms: Sequence[Crm], bars: bool) -> None:
        from crm_sync_assets.cli.display import configure_log
        from crm_sync_assets.operations.opening import open_warehouse
        from crm_sync_assets.orchestration.instance import open_instance

        self.crms = crms
        self._bars = bars and sys.stderr.isatty()
        # What the sandbox lacks of a real account is no news here; each run's log has it.
        configure_log(debug=False, quiet=True, bars=True)
        self._environment = environment()
        self._instance = open_instance(self._environment, to_run=True)
        self.warehouse = open_warehouse()

    def all(self, title: str, *, full: bool = False) -> list[Outcome]:
        """Every entity, in one run per CRM of the job the UI has for it; told in one line."""
        began = time.monotonic()
        outcomes = [o for crm in self.crms for o in self._crm(crm, Flags(full=full))]
        total = {name: sum(getattr(one, name) for one in outcomes) for name in _COUNTED}
        print(
            f"{title:<16} {len(outcomes)} entities: {total['processed']:,} records, "
            f"{total['created']:,} created, {total['updated']:,} updated, "
            f"{total['deleted']:,} deleted ({time.monotonic() - began:.0f} s)",
            flush=True,
        )
        return outcomes

    def _crm(self, crm: Crm, flags: Flags) -> list[Outcome]:
        from crm_sync_assets.cli.bars import Bars

        entities = registry.selection(crm.name)
        with Bars(entities, {}) if self._bars else nullcontext():
            return launch(
                crm,
                plan(crm, entities, flags),
                job=f"{crm.name}_all",
                instance=self._instance,
                warehouse=self.warehouse,
            )

    def close(self) -> None:
        self._instance.dispose()
        self.warehouse.close()


def _print_table(title: str, outcomes: Sequence[Outcome]) -> None:
    print_table(
        f"SyncHistory: {title}",
        ["entity", "status", *_COUNTED, "seconds", "strategy", "records/s"],
        [
            (one.entity.name, one.status, *(getattr(one, name) for name in _COUNTED), one.seconds,
             one.strategy, one.per_second)
            for one in outcomes
        ],
        nothing="nothing was synced",
    )  # fmt: skip


def _print_no_table(_title: str, _outcomes: Sequence[Outcome]) -> None:
    """What `--details` shows is left out."""


_COUNTED = ("processed", "created", "updated", "unchanged", "deleted", "failed")


def _purged(moved: Sequence[str]) -> frozenset[str]:
    """Ids in the sandbox's account of what it did that no delta can know about."""
    words = [line.split() for line in moved]
    return frozenset(w[2] for w in words if len(w) > 2 and w[0] == "purge")


def _differences(
    warehouse: Warehouse,
    running: Running,
    crms: Sequence[Crm],
    *,
    excused: frozenset[str] = frozenset(),
) -> Iterator[tuple[Entity, int, str | None]]:
    """Each entity with its number of live records, and what is wrong with its rows, if anything.

    Does its table hold what the sandbox finally holds? Differences about `excused` ids are passed
    over.
    """
    for crm in crms:

        def ask(what: str, name: str = crm.name) -> list[dict[str, Any]]:
            return [json.loads(line) for line in running.ask(f"truth/{name}/{what}").splitlines()]

        for entity in registry.selection(crm.name):
            true = live(entity, ask)
            if true is None:
                continue
            stored = _stored(warehouse, entity, dated=true.dated)
            missing, extra = (
                [key for key, _ in found if not excused.intersection(key)]
                for found in (true.records - stored.records, stored.records - true.records)
            )
            problem = (
                f"{len(missing)} live records are missing or old in {entity.table}, "
                f"{len(extra)} rows there are not what {crm.title} has"
            )
            yield entity, len(true.records), problem if missing or extra else None


def _stored(warehouse: Warehouse, entity: Entity, *, dated: bool) -> Live:
    """The live rows of an entity's table."""
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in entity.key)
    moment = sql.Identifier(entity.modified.name) if dated and entity.modified else sql.SQL("NULL")
    query = sql.SQL("SELECT {}, {} FROM {} WHERE deleted_at IS NULL").format(
        moment, key, sql.Identifier(entity.table)
    )
    with warehouse.connection() as connection:
        rows = connection.execute(query).fetchall()
    return Live({(tuple(map(str, key)), at) for at, *key in rows}, dated)
