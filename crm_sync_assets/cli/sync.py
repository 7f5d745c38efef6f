"""`crm-sync <crm> <entity>…`: sync entities through Dagster, and say how it went."""

from __future__ import annotations

import gc
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from crm_sync_assets import registry
from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, add_flags, flags
from crm_sync_assets.entity import Crm, Entity
from crm_sync_assets.errors import UsageError
from crm_sync_assets.flags import Flags
from crm_sync_assets.launch import Cancelled, Outcome, launch, plan
from crm_sync_assets.settings import environment, settings_for

if TYPE_CHECKING:
    from crm_sync_assets.warehouse import Warehouse


def parser(crm: Crm, kind: type[Flags] = Flags) -> Parser:
    entities = registry.entities(crm.name)
    listed = ", ".join(entity.sync_type for entity in entities)
    groups = "".join(f"\n{name}: {', '.join(of)}" for name, of in crm.groups.items())
    parser = Parser(
        prog=f"crm-sync {crm.name}",
        description=f"Sync {crm.title} into the warehouse. Without dates and --full it is a delta: "
        "what changed since the last complete sync.",
        epilog="\n".join(
            textwrap.fill(line, 98, subsequent_indent="  ")
            for line in f"entities: {listed}{groups}\nall: everything but removals".splitlines()
        )
        + f"\n\n{exits.MEANINGS}",
    )
    parser.add_argument("entities", nargs="*", metavar="entity", help="entities, a group, or all")
    add_flags(parser, kind)
    output = parser.add_argument_group("output")
    output.add_argument("--quiet", action="store_true", help="Say nothing but what went wrong.")
    output.add_argument("--no-progress", action="store_true", help="Plain lines, no progress bar.")
    return parser


def run(crm: Crm, words: Sequence[str]) -> int:
    """Sync; 0 only if every entity ended as `success`."""
    given = parser(crm).parse(words)
    asked, warnings = flags(given, Flags)
    for warning in warnings:
        exits.say(warning)
    entities = chosen(crm, given.entities)
    tasks = plan(crm, entities, asked)
    undated = [task.entity.sync_type for task in tasks if task.flags != asked]
    if undated and not given.quiet:
        exits.say(f"{', '.join(undated)}: cannot say what changed, so the dates do not apply there")
    env = environment()
    # Without a warehouse the client's constructor only reads the environment: a missing token is
    # known before anything is started.
    crm.client(env.model_copy(update={"warehouse_url": None}), settings_for(crm)).close()

    from crm_sync_assets.cli import display

    show_bars = sys.stderr.isatty() and not (given.quiet or given.no_progress)
    display.configure_log(debug=asked.debug, quiet=given.quiet, bars=show_bars, level=env.log_level)
    signal.signal(signal.SIGTERM, _interrupt)
    whole = [*given.entities] == [registry.ALL]
    with _nothing_collected():
        ready = _beside(lambda: _prepare(crm, len(tasks) > 1))
        import dagster  # noqa: F401  takes as long as all the rest of the start

        import crm_sync_assets.assets  # noqa: F401
        from crm_sync_assets.instance import open_instance

        warehouse = ready.result()

    bars = display.Bars(len(tasks)) if show_bars else nullcontext()
    cancelled = False
    with open_instance(env, to_run=True) as instance:
        try:
            with bars:
                outcomes: Sequence[Outcome] = launch(
                    crm,
                    tasks,
                    job=f"{crm.name}_all" if whole else None,
                    instance=instance,
                    warehouse=warehouse,
                )
        except Cancelled as error:
            outcomes, cancelled = error.outcomes, True
    display.report(outcomes, quiet=given.quiet, dry_run=asked.dry_run)
    return exits.CANCELLED if cancelled else status(outcomes)


def chosen(crm: Crm, names: Sequence[str]) -> tuple[Entity, ...]:
    """The entities these names mean, each once. Raises UsageError with the nearest name."""
    if not names:
        known = [*(e.sync_type for e in registry.entities(crm.name)), *crm.groups, registry.ALL]
        raise UsageError(f"say which entity of {crm.name} to sync: {', '.join(known)}")
    found: dict[str, Entity] = {}
    for name in names:
        found |= {entity.name: entity for entity in registry.selection(crm.name, name)}
    return tuple(found.values())


def status(outcomes: Sequence[Outcome]) -> int:
    endings = {outcome.status for outcome in outcomes}
    if "failed" in endings or not endings:
        return exits.FAILED
    return exits.PARTIAL if "partial" in endings else exits.SUCCESS


def _prepare(crm: Crm, ask_first: bool) -> Warehouse:
    """The warehouse, started and migrated. For several entities also whether the CRM answers.

    A single sync finds out by its own first request; dozens would each fail on their own.
    """
    from crm_sync_assets.resources import open_client, open_warehouse

    warehouse = open_warehouse()
    if ask_first:
        client = open_client(crm.name)
        try:
            client.check()
        finally:
            client.close()
    return warehouse


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep the garbage collector from going through what is imported, over and over."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _beside(work: Callable[[], Warehouse]) -> Future[Warehouse]:
    """Start it in a thread that does not keep a cancelled process alive."""
    future: Future[Warehouse] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised again where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="prepare", daemon=True).start()
    return future


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
