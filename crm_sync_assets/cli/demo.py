"""`crm-sync demo`: a first sync, a delta and a full read of everything in the sandbox, the CRMs
side by side, compared with its truth.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.cli.shell import from_here, write_exports
from crm_sync_assets.cli.tables import print_table
from crm_sync_assets.cli.world import World
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, is_named
from crm_sync_assets.errors import FatalError
from crm_sync_assets.settings import PREFIX, environment
from crm_sync_assets.warehouse.embedded import warehouse_url

if TYPE_CHECKING:
    from crm_sync_assets.cli.beside import Failed
    from crm_sync_assets.cli.story import Plot, Seen, Told

INDEX_LAG_SECONDS = 20
QUESTION = "SELECT lifecyclestage, count(*) FROM hubspot_contact GROUP BY 1"
LARGEST = "hubspot"
"""The CRM whose world is as large as one asks for; those of the others are small."""
SMALL_MOVES = 25
CONTACTS = 500


def parser() -> Parser:
    found = Parser(
        prog="crm-sync demo",
        description="A first sync, a delta and a full read of every entity against the sandbox, "
        "the CRMs side by side, in a state folder of its own, compared with the sandbox's truth.",
    )
    found.add_argument(
        "--contacts", type=positive, default=CONTACTS, metavar="N", help=f"[{CONTACTS}]"
    )
    found.add_argument(
        "--moves",
        type=positive,
        metavar="N",
        help="changes of the CRM with the contacts before the delta [a fifth of the contacts]",
    )
    found.add_argument(
        "--verbose", "--details", action="store_true", help="every sync and every table"
    )
    found.add_argument("--debug", action="store_true", help="what the syncs log, as it happens")
    found.add_argument("--no-progress", action="store_true", help="nothing moves meanwhile")
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    return demo(
        contacts=given.contacts,
        moves=given.moves,
        lines=not given.no_progress,
        verbose=given.verbose,
        debug=given.debug,
    )


def demo(
    *,
    contacts: int = CONTACTS,
    moves: int | None = None,
    lines: bool = True,
    verbose: bool = False,
    debug: bool = False,
) -> int:
    """Run it, tell it; 0 only if all went well and the warehouse is what the sources are.

    Its state folder stays: `crm-sync dev` goes on with it.
    """
    from crm_sync_assets.cli.beside import context, side_by_side
    from crm_sync_assets.cli.lines import Lines
    from crm_sync_assets.cli.signals import let_signals_interrupt
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox

    let_signals_interrupt()
    began, here = time.monotonic(), Path.cwd()
    folder = _own_folder()
    processes = context()
    options = ["--contacts", str(contacts)]
    genius = ["--genius-url", beside(warehouse_url(environment()))]
    knobs = ["--knob", "limits=true", "--knob", f"index_lag={INDEX_LAG_SECONDS}"]
    variables = {f"{PREFIX}HOME": str(folder), f"{PREFIX}FIRST_DAY": _first_day()}
    os.environ |= variables
    with sandbox(*options, *genius, *knobs) as running:
        os.environ |= running.env
        plots = _plots(contacts, moves, debug=debug)
        world = _world(options, plots, variables)
        print(_opening(len(plots), contacts), flush=True)
        _prepare()
        moving = lines and not debug and sys.stderr.isatty()
        with Lines([plot.crm for plot in plots]) if moving else nullcontext() as shown:
            stories = side_by_side(
                plots,
                running.url,
                os.environ,
                processes,
                show=shown.show if shown else _show_nothing,
            )
            found: dict[str, Told | Failed] = {}
            for plot, told in stories:
                found[plot.crm] = told
                if shown:
                    shown.end(plot.crm)
    problems = _report(found, verbose=verbose)
    if problems:
        print("\nNot as it should be:\n" + "\n".join(f"  {line}" for line in problems))
        return 1
    world.save(folder)
    write_exports(exports := folder / "env.sh", variables)
    print(_closing(time.monotonic() - began, from_here(exports, here)))
    return 0


def _show_nothing(_crm: str, _seen: Seen) -> None:
    """Where nobody looks."""


def _plots(contacts: int, moves: int | None, *, debug: bool) -> list[Plot]:
    """What becomes of each CRM of the environment; those with the most entities begin.

    So much changes as may in a world of that size: of most tables a fifth is never gone at once.
    """
    from crm_sync_assets.cli.story import Plot

    largest = moves or max(1, contacts // 5)
    others = moves // 4 or 1 if moves else SMALL_MOVES
    crms = [crm for crm in registry.crms().values() if is_named(crm)]
    crms.sort(key=lambda crm: -len(registry.selection(crm.name)))
    ahead = 5 * INDEX_LAG_SECONDS
    return [
        Plot(crm.name, largest if crm.name == LARGEST else others, ahead, debug) for crm in crms
    ]


def _world(options: Sequence[str], plots: Sequence[Plot], variables: Mapping[str, str]) -> World:
    """What they leave: each of them puts the clock of all forward."""
    moves = {plot.crm: plot.moves for plot in plots}
    return World(options, moves, sum(plot.ahead_seconds for plot in plots), variables)


def _first_day() -> str:
    """Of the partitions: each more is two events of each sync, and half of the time in the end."""
    this_month = datetime.now(UTC).date().replace(day=1)
    return (this_month - timedelta(days=45)).replace(day=1).isoformat()


def _prepare() -> None:
    """The warehouse and the instance, made once: their makers would get in each other's way."""
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.orchestration.instance import open_instance

    open_instance(environment(), to_run=True).dispose()
    open_warehouse()


def _opening(crms: int, contacts: int) -> str:
    return (
        f"Sandboxes of {crms} CRMs with their real rate limits, {contacts:,} contacts and "
        "everything around them;\nan empty PostgreSQL; Dagster. Each has a first sync, changes, a "
        "delta and a full read.\n"
    )


def _closing(seconds: float, exports: str) -> str:
    return (
        f"\nThe warehouse is what the sources are ({seconds:.0f} s). Look at it:\n"
        "  make dev        Dagster's UI and the dashboard, with this data; or in a shell:\n"
        f"  source {exports}\n"
        f'  crm-sync history\n  crm-sync sql "{QUESTION}"\n'
        "Your own account: HUBSPOT_TOKEN=… in .env, then `.venv/bin/crm-sync doctor hubspot`."
    )


def _report(found: Mapping[str, Told | Failed], *, verbose: bool) -> list[str]:
    """The table, a line for each system; what is wrong, in the end."""
    from crm_sync_assets.cli.beside import Failed

    rows: list[Sequence[object]] = []
    problems: list[str] = []
    forced: list[str] = []
    for name in sorted(found):
        told = found[name]
        if isinstance(told, Failed):
            rows.append((registry.crm(name).title, None, None, None, False, None))
            problems.append(f"{name}: {told.why}")
            continue
        if verbose:
            _print_details(told)
        rows.append(
            (
                told.title,
                told.entities,
                told.rows,
                told.changed,
                not told.problems,
                round(told.seconds, 1),
            )
        )
        problems += told.problems
        forced += told.forced
    print_table("", COLUMNS, rows, nothing="no CRM has a sandbox")
    if forced:
        print(
            "\nRefused first, for deleting so many rows at once, and forced, for their records are "
            f"gone:\n  {', '.join(forced)}"
        )
    return problems if rows else ["nothing was synced"]


COLUMNS = ("system", "entities", "rows", "changed", "equal to the truth", "seconds")


def _print_details(told: Told) -> None:
    from crm_sync_assets.cli.story import COUNTED

    for part, rows in told.tables.items():
        columns = ["entity", "status", *COUNTED, "seconds", "strategy"]
        print_table(f"{told.title}: {part}", columns, rows, nothing="nothing was synced")
        print()
    columns = ["entity", "live records", "compared"]
    print_table(f"{told.title}: in the end", columns, told.compared, nothing="nothing to compare")
    print()


def _own_folder() -> Path:
    """An empty state folder, and an environment in which nothing of the user's own is left."""
    folder = environment().made_home() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise FatalError(f"the demo's folder {folder} cannot be emptied: {error}") from error
    crms = registry.crms().values()
    for name in list(os.environ):
        if name.startswith((PREFIX, "DAGSTER_HOME")) or _is_read(name, crms):
            del os.environ[name]
    os.environ[f"{PREFIX}HOME"] = str(folder)
    # Away from a .env: the demo must not read, let alone write, anything real.
    os.chdir(folder)
    return folder


def _is_read(name: str, crms: Collection[Crm]) -> bool:
    return any(
        name.startswith(f"{crm.name.upper()}_")
        or any(name.removesuffix("_FILE") == variable.name for variable in crm.variables)
        for crm in crms
    )
