"""`crm-sync <crm> <entity>…` and `crm-sync all`: sync through Dagster, and say how it went."""

from __future__ import annotations

import argparse
import sys
import textwrap
import threading
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser, add_flags, flags
from crm_sync_assets.cli.signals import let_signals_interrupt
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm, flags_of, is_named
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags, is_called
from crm_sync_assets.declarations.overrides import client_for, refuse_unknown_crms
from crm_sync_assets.declarations.switches import lacking
from crm_sync_assets.engine.measures import collecting_nothing
from crm_sync_assets.errors import NotSet, SyncError, UsageError
from crm_sync_assets.orchestration.launch import Cancelled, Outcome, Task, launch, plan
from crm_sync_assets.settings import environment

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from crm_sync_assets.warehouse.connection import Warehouse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """The entities of one CRM that a command syncs, in one Dagster run; `job` is the UI's name."""

    crm: Crm
    tasks: Sequence[Task]
    job: str | None


def parser(crm: Crm) -> Parser:
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
    _add_options(parser, flags_of(crm))
    return parser


def _add_options(parser: Parser, kind: type[Flags]) -> None:
    add_flags(parser, kind)
    output = parser.add_argument_group("output")
    output.add_argument("--quiet", action="store_true", help="Say nothing but what went wrong.")
    output.add_argument("--no-progress", action="store_true", help="Plain lines, no progress bar.")


def run(crm: Crm, words: Sequence[str]) -> int:
    """Sync these entities of one CRM; 0 only if every one ended as `success`."""
    given = parser(crm).parse(words)
    entities = _asked_for(crm, given)
    whole = entities == [registry.ALL]
    wanted = [(crm, chosen(crm, entities))]
    named = {name.replace("-", "_") for name in entities}
    return _sync(wanted, given, flags_of(crm), whole=whole, named=named)


def _asked_for(crm: Crm, given: argparse.Namespace) -> list[str]:
    """The names of what is to be synced: as words or, of old, in a flag that selects."""
    words = [*given.entities]
    for flag in crm.flags:
        name = getattr(given, flag.name) if flag.selects else None
        if not name:
            continue
        found = [e.sync_type for e in registry.entities(crm.name) if is_called(e, name)]
        meant = found or [name]
        if words not in ([], [registry.ALL], meant):
            raise UsageError(
                f"--{flag.name} {name} and {', '.join(words)} do not name the same: leave out one"
            )
        words = meant
    return words


def parser_of_all() -> Parser:
    parser = Parser(
        prog="crm-sync all",
        description="Sync all entities of every CRM that has a variable in the environment, one "
        "CRM after the other.",
        epilog=exits.MEANINGS,
    )
    _add_options(parser, Flags)
    return parser


def run_all(words: Sequence[str]) -> int:
    """Sync everything of every CRM the environment names; one that fails stops no other."""
    given = parser_of_all().parse(words)
    named = [crm for crm in registry.crms().values() if is_named(crm)]
    if not named:
        raise UsageError(
            f"no variable of {', '.join(registry.names())} is set, so there is nothing to sync: "
            "see .env.example"
        )
    wanted = [(crm, registry.selection(crm.name)) for crm in named]
    ended = _sync(wanted, given, Flags, whole=True)
    unset = [name for name in registry.names() if registry.crm(name) not in named]
    if unset and not given.quiet:
        exits.say(f"left out, for no variable of theirs is set: {', '.join(unset)}")
    return ended


def _sync(
    wanted: Sequence[tuple[Crm, Sequence[Entity]]],
    given: argparse.Namespace,
    kind: type[Flags],
    *,
    whole: bool,
    named: Container[str] = (),
) -> int:
    """Sync what is wanted; the exit status. What the account has not is a failure only if its
    entity is `named`, or if it has nothing else."""
    refuse_unknown_crms()
    asked, warnings = flags(given, kind)
    for warning in warnings:
        exits.say(warning)
    works = _works(wanted, asked, whole=whole, quiet=given.quiet)
    env = environment()
    for crm, _ in wanted:
        # Alone, the client's constructor only reads the environment: a missing token
        # is known before anything is started.
        client_for(crm, env).close()
    _refuse_what_is_left_out(wanted)

    from crm_sync_assets.cli import display

    show_bars = sys.stderr.isatty() and not (given.quiet or given.no_progress)
    display.configure_log(debug=asked.debug, quiet=given.quiet, bars=show_bars, level=env.log_level)
    let_signals_interrupt()
    with collecting_nothing(), _waiting(works, show=show_bars):
        ready = _beside(lambda: _prepare(works))
        import dagster  # noqa: F401  takes as long as all the rest of the start

        import crm_sync_assets.orchestration.assets  # noqa: F401
        from crm_sync_assets.orchestration.instance import open_instance

        warehouse, closed = ready.result()
    for name, error in closed.items():
        if len(works) == 1:
            raise error
        exits.explain(error, debug=asked.debug, about=name)
    if len(works) == len(closed):
        return exits.FAILED
    if not given.quiet:
        _say_what_is_left_out(works)
    reached = [work for work in works if work.crm.name not in closed]
    with open_instance(env, to_run=True) as instance:
        bars = _bars(reached, asked, warehouse, show=show_bars)
        outcomes, cancelled = _launched(reached, bars, instance, warehouse)
    found = _without_what_is_not_there(outcomes, named, quiet=given.quiet)
    display.report(found, quiet=given.quiet, dry_run=asked.dry_run, cancelled=cancelled)
    if cancelled:
        return exits.CANCELLED
    return exits.FAILED if closed else status(found)


def _launched(
    works: Sequence[Work],
    bars: AbstractContextManager[object],
    instance: DagsterInstance,
    warehouse: Warehouse,
) -> tuple[list[Outcome], bool]:
    """How each entity ended, and whether somebody stopped it."""
    outcomes: list[Outcome] = []
    try:
        with bars:
            for work in works:
                outcomes += launch(
                    work.crm, work.tasks, job=work.job, instance=instance, warehouse=warehouse
                )
    except Cancelled as error:
        return [*outcomes, *error.outcomes], True
    return outcomes, False


def _without_what_is_not_there(
    outcomes: Sequence[Outcome], named: Container[str], *, quiet: bool
) -> list[Outcome]:
    """The outcomes less those that the account has not, which are told; failed ones of the named
    entities, and of an account that has nothing of all that was asked for."""
    answered = {_side(o) for o in outcomes if o.status != "unavailable" and _has_asked(o)}
    has_nothing = {_side(o) for o in outcomes} - answered
    found = []
    for one in outcomes:
        if one.status != "unavailable":
            found.append(one)
        elif one.entity.sync_type in named or _side(one) in has_nothing:
            found.append(replace(one, status="failed"))
        elif not quiet:
            why = (one.error or "").removeprefix(f"{one.entity}: ")
            exits.say(f"{one.entity} is skipped, it is not available: {why}")
    return found


def _side(outcome: Outcome) -> tuple[str, str]:
    """Whom the entity is read from: the CRM, or what keeps files for it."""
    return outcome.entity.crm, outcome.entity.source.kind


def _has_asked(outcome: Outcome) -> bool:
    """Whether it took an answer to end like this: what hangs on empty tables asks nobody."""
    return outcome.status == "failed" or bool(outcome.metrics.get("api_calls", 1))


def _waiting(works: Sequence[Work], *, show: bool) -> AbstractContextManager[None]:
    if not show:
        return nullcontext()
    from crm_sync_assets.cli.bars import waiting

    asked = ", ".join(work.crm.name for work in _asked_first(works))
    return waiting(f"asking {asked}" if asked else "starting")


def _bars(
    works: Sequence[Work], asked: Flags, warehouse: Warehouse, *, show: bool
) -> AbstractContextManager[object]:
    if not show:
        return nullcontext()
    from crm_sync_assets.cli.bars import Bars
    from crm_sync_assets.operations.expected import expected

    entities = [task.entity for work in works for task in work.tasks]
    with warehouse.connection() as connection:
        return Bars(entities, expected(connection, entities, asked))


def _works(
    wanted: Sequence[tuple[Crm, Sequence[Entity]]], asked: Flags, *, whole: bool, quiet: bool
) -> list[Work]:
    """What is to be done for each CRM; says where the dates do not apply."""
    works = [
        Work(crm, plan(crm, entities, asked), f"{crm.name}_all" if whole else None)
        for crm, entities in wanted
    ]
    dates = asked.start_date, asked.end_date
    undated = [
        task.entity.sync_type
        for work in works
        for task in work.tasks
        if (task.flags.start_date, task.flags.end_date) != dates
    ]
    if undated and not quiet:
        exits.say(f"{', '.join(undated)}: cannot say what changed, so the dates do not apply there")
    return works


def _refuse_what_is_left_out(wanted: Sequence[tuple[Crm, Sequence[Entity]]]) -> None:
    """Raises NotSet for an entity asked for by name whose own variables are not set."""
    for crm, entities in wanted:
        for entity in entities:
            for variable in lacking(crm, entity):
                raise NotSet(
                    f"{entity}: {variable.name} is not set: give {variable.about}, in the "
                    "environment or in .env"
                )


def _say_what_is_left_out(works: Sequence[Work]) -> None:
    for work in works:
        for entity, unset in registry.left_out(work.crm.name) if work.job else ():
            names = ", ".join(variable.name for variable in unset)
            exits.say(f"{entity} is left out: {names} is not set")


def chosen(crm: Crm, names: Sequence[str]) -> tuple[Entity, ...]:
    """The entities these names mean, each once. Raises UsageError with the nearest name."""
    if not names:
        known = ", ".join([*registry.selectable(crm.name), registry.ALL])
        raise UsageError(f"say which entity of {crm.name}: {known}")
    found: dict[str, Entity] = {}
    for name in names:
        found |= {entity.name: entity for entity in registry.selection(crm.name, name)}
    return tuple(found.values())


def status(outcomes: Sequence[Outcome]) -> int:
    endings = {outcome.status for outcome in outcomes}
    if outcomes and all(outcome.is_usage for outcome in outcomes):
        return exits.USAGE
    if "failed" in endings or not endings:
        return exits.FAILED
    return exits.PARTIAL if "partial" in endings else exits.SUCCESS


def _prepare(works: Sequence[Work]) -> tuple[Warehouse, dict[str, SyncError]]:
    """The warehouse, started and migrated, and which CRMs do not answer, by name, with the reason.

    All are asked at once, whether they answer and nothing else.
    """
    from crm_sync_assets.clients.ahead import in_order
    from crm_sync_assets.operations.opening import open_warehouse

    warehouse = open_warehouse()
    asked = [work.crm.name for work in _asked_first(works)]
    refusals = in_order(partial(_refusal_of, name) for name in asked)
    found = zip(asked, refusals, strict=True)
    return warehouse, {name: refusal for name, refusal in found if refusal is not None}


def _asked_first(works: Sequence[Work]) -> list[Work]:
    """A single sync finds out by its own first request; dozens would each fail on their own."""
    return [work for work in works if len(work.tasks) > 1]


def _refusal_of(crm_name: str) -> SyncError | None:
    """What this CRM has against being asked; None where it answers."""
    from crm_sync_assets.operations.opening import open_client

    client = open_client(crm_name)
    try:
        client.check()
    except SyncError as error:
        return error
    finally:
        client.close()
    return None


def _beside(work: Callable[[], T]) -> Future[T]:
    """Start it in a thread that does not keep a cancelled process alive."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised again where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="prepare", daemon=True).start()
    return future
