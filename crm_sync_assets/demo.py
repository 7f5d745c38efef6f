"""A first sync, a delta and a full read of everything in the sandbox, compared with its truth."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from crm_sync_assets import registry
from crm_sync_assets.dev import Running, sandbox
from crm_sync_assets.entity import Entity
from crm_sync_assets.errors import FatalError
from crm_sync_assets.flags import Flags
from crm_sync_assets.launch import Outcome, launch, plan
from crm_sync_assets.settings import PREFIX, environment
from crm_sync_assets.warehouse import Warehouse

if TYPE_CHECKING:
    from rich.table import Table

CRM = "hubspot"
INDEX_LAG_SECONDS = 20


def demo(*, contacts: int = 2_000, moves: int = 400, bars: bool = True) -> int:
    """Run it, print what SyncHistory says; 0 only if all went well and the warehouse is right."""
    began = time.monotonic()
    _own_folder()
    print(
        f"A sandbox of HubSpot with {contacts:,} contacts and everything around them, with its "
        "real rate limits\n(190 requests per 10 s, 5 searches per second), an empty PostgreSQL, "
        "and Dagster."
    )
    options = ("--contacts", str(contacts), "--knob", "limits=true")
    with sandbox(*options, "--knob", f"index_lag={INDEX_LAG_SECONDS}") as running:
        os.environ |= running.env
        with_dagster = _Syncs(bars)
        print("\n1. The first sync of every entity")
        first = with_dagster.all()
        print(f"\n2. {moves} records are created, edited, cleared, archived, merged, deleted …")
        moved = json.loads(running.ask(f"{CRM}/move", {"n": moves, "seed": 1}))["result"]
        # Search shows changes late; the delta runs a while after them.
        running.ask("clock", {"advance": 5 * INDEX_LAG_SECONDS})
        print("\n3. A delta of every entity")
        delta = with_dagster.all()
        unseen = _compare(with_dagster.warehouse, running, excused=_untold(moved))
        print(
            "   Compared with the sandbox's truth, nothing is amiss but what HubSpot tells nobody: "
            "records\n   deleted for good."
            if not unseen
            else "   The delta missed something; see below."
        )
        print("\n4. A full read, which finds those too")
        full = with_dagster.all(full=True)
        _print_tables({"the first sync": first, "the delta": delta, "the full read after it": full})
        print("\n5. The warehouse against the sandbox's truth: ids, and when each record changed")
        problems = unseen + _compare(with_dagster.warehouse, running)
        with_dagster.close()
    problems += [
        f"{outcome.entity} ended as {outcome.status}: {outcome.error or 'see the quarantine'}"
        for outcome in [*first, *delta, *full]
        if outcome.status != "success"
    ]
    if problems:
        print("\nNot as it should be:\n" + "\n".join(f"  {line}" for line in problems))
        return 1
    print(
        f"\nEverything synced, and the warehouse is what the source is "
        f"({time.monotonic() - began:.0f} s).\n\n"
        "Next: `make dev` shows it in Dagster's UI. For your own account put HUBSPOT_TOKEN=… into "
        ".env, then\n`.venv/bin/crm-sync doctor` and `.venv/bin/crm-sync hubspot contacts "
        "--max-records=50 --dry-run`."
    )
    return 0


def _own_folder() -> None:
    """An empty state folder, and an environment in which nothing of the user's own is left."""
    folder = environment().home_folder / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise FatalError(f"the demo's folder {folder} cannot be emptied: {error}") from error
    for name in list(os.environ):
        if name.startswith((PREFIX, "HUBSPOT_", "ZIPCODES_", "GITHUB_", "DAGSTER_HOME")):
            del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(folder)
    # Away from a .env: the demo must not read, let alone write, anything real.
    os.chdir(folder)


class _Syncs:
    """Runs in this process, in one Dagster instance, into one warehouse."""

    def __init__(self, bars: bool) -> None:
        from crm_sync_assets.cli.display import configure_log
        from crm_sync_assets.instance import open_instance
        from crm_sync_assets.resources import open_warehouse

        self._bars = bars and sys.stderr.isatty()
        configure_log(debug=False, quiet=False, bars=True)
        self._environment = environment()
        self._instance = open_instance(self._environment)
        self.warehouse = open_warehouse()

    def all(self, *, full: bool = False) -> list[Outcome]:
        """Every entity, in one run of the job the UI has for it."""
        from crm_sync_assets.cli.display import Bars, describe

        crm, entities = registry.crm(CRM), registry.selection(CRM)
        with Bars(len(entities)) if self._bars else nullcontext():
            outcomes = launch(
                crm,
                plan(crm, entities, Flags(full=full)),
                job=f"{CRM}_all",
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
            one.entity.sync_type,
            one.strategy or "",
            f"[{colours[one.status]}]{one.status}[/]",
            *(f"{getattr(one, name):,}" for name in _COUNTED),
            f"{one.seconds:.2f}",
            f"{one.per_second:,.0f}",
        )
    return table


_COUNTED = ("processed", "created", "updated", "unchanged", "deleted", "failed")


def _untold(moved: Sequence[str]) -> frozenset[str]:
    """Ids in the sandbox's account of what it did that no delta can know about."""
    words = [line.split() for line in moved]
    return frozenset(w[2] for w in words if len(w) > 2 and w[0] == "purge")


def _compare(
    warehouse: Warehouse, running: Running, *, excused: frozenset[str] | None = None
) -> list[str]:
    """Differences between live rows and live records, one line each.

    With `excused`, differences about those ids are passed over and nothing is printed.
    """
    from crm_sync_assets.crms.hubspot.sources import Associations, Objects

    problems = []
    for entity in registry.selection(CRM):
        source = entity.source
        ids = 1
        if isinstance(source, Objects):
            true = {
                (record["id"], _moment(record["properties"], source.modified))
                for record in _truth(running, source.type)
                if record["state"] == "live"
            }
        elif isinstance(source, Associations):
            pairs = _truth(running, f"associations/{source.of}/{source.to}")
            true, ids = {(pair["from"], pair["to"]) for pair in pairs}, 2
        else:
            continue
        stored = _stored(warehouse, entity)
        missing, extra = (
            [one for one in found if not (excused or frozenset()).intersection(one[:ids])]
            for found in (true - stored, stored - true)
        )
        if missing or extra:
            problems.append(
                f"{entity}: {len(missing)} live records are missing or old in {entity.table}, "
                f"{len(extra)} rows there are not what HubSpot has"
            )
        elif excused is None:
            print(f"   {entity.sync_type:<32} {len(true):>7,} live, the same in both")
    return problems


def _truth(running: Running, what: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.ask(f"truth/{CRM}/{what}").splitlines()]


def _moment(properties: Mapping[str, str | None], name: str | None) -> datetime | None:
    text = properties.get(name or "")
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _stored(warehouse: Warehouse, entity: Entity) -> set[tuple[Any, ...]]:
    """Live rows as (id, modified), or as their key where nothing says when they changed."""
    columns = [column.name for column in entity.key]
    if entity.modified is not None:
        columns.append(entity.modified.name)
    query = sql.SQL("SELECT {} FROM {} WHERE deleted_at IS NULL").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(entity.table)
    )
    with warehouse.connection() as connection:
        return {
            tuple(str(value) if not isinstance(value, datetime) else value for value in row)
            for row in connection.execute(query)
        }
