"""`crm-sync demo`: a first sync, a delta and a full read of everything in the sandbox, compared
with its truth.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from psycopg import sql

from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.truth import Live, live
from crm_sync_assets.errors import FatalError
from crm_sync_assets.orchestration.launch import Outcome, launch, plan
from crm_sync_assets.settings import PREFIX, environment
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.embedded import warehouse_url

if TYPE_CHECKING:
    from rich.table import Table

    from crm_sync_assets.sandbox.process import Running

CRMS = ("hubspot", "genius", "callrail", "pipedrive")
INDEX_LAG_SECONDS = 20


def run(words: Sequence[str]) -> int:
    parser = Parser(
        prog="crm-sync demo",
        description="A first sync and a delta of every entity against the sandbox, in a "
        "state folder of its own, compared with the sandbox's truth at the end.",
    )
    parser.add_argument("--contacts", type=positive, default=2_000, metavar="N", help="[2000]")
    parser.add_argument(
        "--moves", type=positive, default=400, metavar="N", help="changes before the delta [400]"
    )
    parser.add_argument("--no-progress", action="store_true", help="Plain lines, no bars.")
    given = parser.parse(words)
    return demo(contacts=given.contacts, moves=given.moves, bars=not given.no_progress)


def demo(*, contacts: int = 2_000, moves: int = 400, bars: bool = True) -> int:
    """Run it, print what SyncHistory says; 0 only if all went well and the warehouse is right."""
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox

    began = time.monotonic()
    _own_folder()
    print(
        f"A sandbox of HubSpot with {contacts:,} contacts and everything around them, with its "
        "real rate limits\n(190 requests per 10 s, 5 searches per second), sandboxes of "
        "Genius's 30 tables, of CallRail\nand of Pipedrive, an empty PostgreSQL, and Dagster."
    )
    options = ["--contacts", str(contacts), "--knob", "limits=true"]
    options += ["--knob", f"index_lag={INDEX_LAG_SECONDS}"]
    options += ["--pipedrive-deals", str(max(60, contacts // 4))]
    options += ["--genius-url", beside(warehouse_url(environment()))]
    with sandbox(*options) as running:
        os.environ |= running.env
        problems = _problems(running, _Syncs(bars), moves)
    if problems:
        print("\nNot as it should be:\n" + "\n".join(f"  {line}" for line in problems))
        return 1
    print(
        f"\nEverything synced, and the warehouse is what the sources are "
        f"({time.monotonic() - began:.0f} s).\n\n"
        "Next: `make dev` shows it in Dagster's UI. For your own account put HUBSPOT_TOKEN=… into "
        ".env, then\n`.venv/bin/crm-sync doctor` and `.venv/bin/crm-sync hubspot contacts "
        "--max-records=50 --dry-run`."
    )
    return 0


def _problems(running: Running, syncs: _Syncs, moves: int) -> list[str]:
    """Three syncs of everything, told as they go, and what is wrong in the end."""
    print("\n1. The first sync of every entity")
    first = syncs.all()
    print(f"\n2. {moves} records are created, edited, cleared, archived, merged, deleted …")
    moved = [
        line
        for crm in CRMS
        for share in (moves if crm == "hubspot" else moves // 4,)
        for line in json.loads(running.ask(f"{crm}/move", {"n": share, "seed": 1}))["result"]
    ]
    # Search shows changes late; the delta runs a while after them.
    running.ask("clock", {"advance": 5 * INDEX_LAG_SECONDS})
    print("\n3. A delta of every entity")
    delta = syncs.all()
    compared = _differences(syncs.warehouse, running, excused=_purged(moved))
    problems = [f"{entity}: {wrong}" for entity, _, wrong in compared if wrong]
    print(
        "   The delta missed something; see below."
        if problems
        else "   Compared with the sandbox's truth, nothing is amiss but what the sources "
        "tell nobody:\n   records deleted for good."
    )
    print("\n4. A full read, which finds those too")
    full = syncs.all(full=True)
    _print_tables({"the first sync": first, "the delta": delta, "the full read after it": full})
    print("\n5. The warehouse against the sandbox's truth: keys, and when each record changed")
    for entity, count, wrong in _differences(syncs.warehouse, running):
        print(f"   {entity.name:<44} {count:>7,} live, {wrong or 'the same in both'}")
        problems += [f"{entity}: {wrong}"] if wrong else []
    syncs.close()
    return problems + [
        f"{outcome.entity} ended as {outcome.status}: {outcome.error or 'see the quarantine'}"
        for outcome in [*first, *delta, *full]
        if outcome.status != "success"
    ]


def _own_folder() -> None:
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


class _Syncs:
    """Runs in this process, in one Dagster instance, into one warehouse."""

    def __init__(self, bars: bool) -> None:
        from crm_sync_assets.cli.display import configure_log
        from crm_sync_assets.operations.opening import open_warehouse
        from crm_sync_assets.orchestration.instance import open_instance

        self._bars = bars and sys.stderr.isatty()
        configure_log(debug=False, quiet=False, bars=True)
        self._environment = environment()
        self._instance = open_instance(self._environment, to_run=True)
        self.warehouse = open_warehouse()

    def all(self, *, full: bool = False) -> list[Outcome]:
        """Every entity, in one run per CRM of the job the UI has for it."""
        return [outcome for crm in CRMS for outcome in self._crm(crm, Flags(full=full))]

    def _crm(self, name: str, flags: Flags) -> list[Outcome]:
        from crm_sync_assets.cli.bars import Bars
        from crm_sync_assets.cli.display import describe

        crm, entities = registry.crm(name), registry.selection(name)
        with Bars(entities, {}) if self._bars else nullcontext():
            outcomes = launch(
                crm,
                plan(crm, entities, flags),
                job=f"{name}_all",
                instance=self._instance,
                warehouse=self.warehouse,
            )
        if not self._bars:
            width = max(len(outcome.entity.name) for outcome in outcomes)
            for outcome in outcomes:
                print(f"   {outcome.entity.name:<{width}}  {describe(outcome)}")
        return outcomes

    def close(self) -> None:
        self._instance.dispose()
        self.warehouse.close()


def _print_tables(syncs: Mapping[str, Sequence[Outcome]]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print()
    for title, outcomes in syncs.items():
        console.print(_table(f"SyncHistory: {title}", outcomes))


def _table(title: str, outcomes: Sequence[Outcome]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_footer=True)
    total = {name: sum(getattr(one, name) for one in outcomes) for name in _COUNTED}
    table.add_column("entity", footer="all", no_wrap=True)
    table.add_column("strategy", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for name in _COUNTED:
        table.add_column(name, justify="right", footer=f"{total[name]:,}")
    table.add_column(
        "seconds", justify="right", footer=f"{sum(one.seconds for one in outcomes):.1f}"
    )
    table.add_column("records/s", justify="right")
    colours = {"success": "green", "partial": "yellow", "failed": "red"}
    for one in outcomes:
        table.add_row(
            one.entity.name,
            one.strategy or "",
            f"[{colours[one.status]}]{one.status}[/]",
            *(f"{getattr(one, name):,}" for name in _COUNTED),
            f"{one.seconds:.2f}",
            f"{one.per_second:,.0f}",
        )
    return table


_COUNTED = ("processed", "created", "updated", "unchanged", "deleted", "failed")


def _purged(moved: Sequence[str]) -> frozenset[str]:
    """Ids in the sandbox's account of what it did that no delta can know about."""
    words = [line.split() for line in moved]
    return frozenset(w[2] for w in words if len(w) > 2 and w[0] == "purge")


def _differences(
    warehouse: Warehouse, running: Running, *, excused: frozenset[str] = frozenset()
) -> Iterator[tuple[Entity, int, str | None]]:
    """Each entity with its number of live records, and what is wrong with its rows, if anything.

    Does its table hold what the sandbox finally holds? Differences about `excused` ids are passed
    over.
    """
    for crm in map(registry.crm, CRMS):

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
