"""Every CRM and every entity, found by walking `crms/`.

Only what is asked for is imported: one CRM's folder, not all of them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.readers import client_kind
from crm_sync_assets.declarations.switches import is_in_all, lacking, switch_of, switched_on
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import UsageError
from crm_sync_assets.nearest import meant

ALL = "all"
FOLDER = "crm_sync_assets.crms"
"""Where the CRMs are: found by name, so that nothing here depends on one of them."""


def names() -> tuple[str, ...]:
    """The names of the CRMs, without importing any of them."""
    found = find_spec(FOLDER)
    places = found.submodule_search_locations if found else None
    return tuple(sorted(module.name for module in pkgutil.iter_modules(places)))


def crms() -> dict[str, Crm]:
    """Every CRM by name."""
    return {name: crm(name) for name in names()}


@cache
def crm(name: str) -> Crm:
    """The CRM of that name. Raises UsageError with the nearest name there is."""
    if name not in names():
        raise UsageError(f"no CRM is called '{name}'{_whose(name) or meant(name, names())}")
    module = import_module(f"{FOLDER}.{name}")
    found = getattr(module, "CRM", None)
    if not isinstance(found, Crm) or found.name != name:
        raise ValueError(f"{module.__file__}: CRM must be a Crm named '{name}'")
    return found


def _whose(name: str) -> str | None:
    """Of which CRMs this is an entity or a group, as the end of a message; None of none."""
    wanted = name.replace("-", "_")
    found = [crm_name for crm_name in names() if wanted in selectable(crm_name)]
    return f": it is an entity of {' and of '.join(found)}" if found else None


def selectable(name: str) -> list[str]:
    """What of a CRM a sync may be asked for, beside all: its entities and groups."""
    return [*(entity.sync_type for entity in entities(name)), *crm(name).groups]


class _Named(tuple[Entity, ...]):
    """Entities that the environment names, equal to the same ones alone."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(tuple(map(id, self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Named) and [*map(id, self)] == [*map(id, other)]


def entities(name: str) -> tuple[Entity, ...]:
    """The entities of one CRM, in the order a run of the whole CRM takes them.

    That is the order `Crm.order` gives, then by name; an entity always comes after the ones its
    `after` lists. Raises ValueError naming the file of a declaration that cannot work, UsageError
    for what the environment names and cannot be used.
    """
    return _entities(name, _Named(crm(name).named()))


@cache
def _entities(name: str, named: _Named) -> tuple[Entity, ...]:
    found: dict[str, Entity] = {}
    for module in _modules(crm(name)):
        for entity in vars(module).values():
            if isinstance(entity, Entity):
                _check(entity, crm(name), module)
                if found.setdefault(entity.name, entity) is not entity:
                    raise ValueError(f"{module.__file__}: {entity.name} is declared twice")
    for entity in named:
        if problem := _problem(entity, crm(name)):
            raise UsageError(f"{entity}, which the environment names: {problem}")
        found[entity.name] = entity
    first = [f"{name}.{sync_type}" for sync_type in crm(name).order]
    _check_names(first, found, f"the order of {name}")
    for flag in crm(name).flags:
        _check_names([f"{name}.{e}" for e in flag.entities], found, f"flag '{flag.name}' of {name}")
    for variable in crm(name).variables:
        needed_by = [f"{name}.{e}" for e in variable.needed_by]
        _check_names(needed_by, found, f"variable {variable.name} of {name}")
    for group, members in crm(name).groups.items():
        _check_names([f"{name}.{m}" for m in members], found, f"group '{group}' of {name}")
    return tuple(_ordered([*first, *sorted(set(found) - set(first))], found))


def all_entities() -> dict[str, Entity]:
    """Every entity of every CRM by its full name."""
    return {entity.name: entity for name in names() for entity in entities(name)}


def active(name: str) -> tuple[Entity, ...]:
    """The entities of one CRM that the environment does not switch off, in their order."""
    return switched_on(crm(name), entities(name))


def all_active() -> dict[str, Entity]:
    """The entities of every CRM that are not switched off, by their full name."""
    return {entity.name: entity for name in names() for entity in active(name)}


def left_out(name: str) -> list[tuple[Entity, list[Variable]]]:
    """What a run of the whole CRM would take if these variables of its own were set."""
    found = [(entity, lacking(crm(name), entity)) for entity in active(name) if entity.in_all]
    return [(entity, unset) for entity, unset in found if unset]


def entity(name: str) -> Entity:
    """The entity of that full name (`hubspot.contacts`); UsageError names the nearest one."""
    source, dot, sync_type = name.partition(".")
    if not dot:
        raise UsageError(f"'{name}' is no entity: write it as crm.entity, like hubspot.contacts")
    return _one(crm(source).name, sync_type)


def selection(crm_name: str, name: str = ALL) -> tuple[Entity, ...]:
    """What a run takes for an entity's name, a group's, or `all`, in run order.

    An old command name (`sync_hubspot_contacts`) counts as the entity it meant. Raises UsageError
    for what is not there, or is switched off.
    """
    source = crm(crm_name)
    known = active(source.name)
    name = (name or ALL).replace("-", "_").removeprefix(f"sync_{crm_name}_")
    if name == ALL:
        return tuple(entity for entity in known if is_in_all(source, entity))
    members = source.groups.get(name, (name,))
    found = tuple(entity for entity in known if entity.sync_type in members)
    if not found:
        every = entities(crm_name)
        off = next((e for e in every if e.sync_type in members), None) or _one(crm_name, name)
        raise UsageError(
            f"{crm_name}.{name} is switched off by {switch_of(source, every, off)}: change that "
            "to sync it"
        )
    return found


def command(name: str) -> tuple[Crm, str]:
    """The CRM and the selection an old command name means: `sync_hubspot_all` → (hubspot, all).

    Raises UsageError for a name that is no such command.
    """
    for source in names():
        head = f"sync_{source}_"
        if name.startswith(head):
            rest = name.removeprefix(head)
            selection(source, rest)
            return crm(source), rest
    known = [f"sync_{e.crm}_{e.sync_type}" for e in all_entities().values()]
    raise UsageError(f"'{name}' is no command{meant(name, known)}")


def _modules(crm: Crm) -> Iterator[ModuleType]:
    package = import_module(f"{FOLDER}.{crm.name}.entities")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        name = f"{package.__name__}.{module.name}"
        try:
            yield import_module(name)
        except ValueError as error:
            # A part of a declaration that refuses to be built does not know where it stands.
            file = getattr(find_spec(name), "origin", None) or name
            raise ValueError(f"{file}: {error}") from error


def _one(crm_name: str, sync_type: str) -> Entity:
    known = {entity.sync_type: entity for entity in entities(crm_name)}
    if sync_type not in known:
        said = meant(sync_type, selectable(crm_name))
        raise UsageError(f"{crm_name} has no entity '{sync_type}'{said}")
    return known[sync_type]


def _ordered(order: Sequence[str], found: dict[str, Entity]) -> Iterator[Entity]:
    done: set[str] = set()

    def take(name: str, waiting: tuple[str, ...]) -> Iterator[Entity]:
        if name in waiting:
            raise ValueError(f"entities wait for each other: {' → '.join((*waiting, name))}")
        if name in done:
            return
        for earlier in found[name].after:
            if earlier in found:
                yield from take(earlier, (*waiting, name))
        done.add(name)
        yield found[name]

    for name in order:
        yield from take(name, ())


def _check(entity: Entity, crm: Crm, module: ModuleType) -> None:
    """Raises ValueError naming the file when the declaration cannot work."""
    problem = _problem(entity, crm)
    if problem:
        raise ValueError(f"{module.__file__}: {entity.name}: {problem}")


def _problem(entity: Entity, crm: Crm) -> str | None:
    columns = [column.name for column in entity.columns]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    missing = [name for name in entity.indexes if name not in columns]
    if entity.crm != crm.name or not entity.sync_type.isidentifier():
        return f"the name must be '{crm.name}.' and an identifier"
    if twice:
        return f"two columns are called {', '.join(twice)}"
    if not entity.key:
        return "no column is a key"
    taken = {f.name for f in crm.flags if not f.entities or entity.sync_type in f.entities}
    unknown = sorted(set(getattr(entity.source, "filters", ())) - taken)
    if unknown:
        return f"its source filters by {', '.join(unknown)}, which is no flag of it"
    if missing:
        return f"no column for the index on {', '.join(missing)}"
    if entity.merged_ids is not None and entity.merged_ids not in columns:
        return f"no column for the merged ids, {entity.merged_ids}"
    cadences = [resweep.cadence for resweep in entity.resweeps]
    if len(cadences) != len(set(cadences)):
        return "two re-sweeps have the same cadence"
    if entity.at_once and (entity.parts or entity.tombstones_of or entity.tracks_changes):
        return "what is stored at once is read whole, and no row of it is of several records"
    for back in (resweep.back for resweep in entity.resweeps):
        if back is not None and not entity.tracks_changes:
            return "it has no windows, so a re-sweep reads everything: leave out how far back"
        if back is not None and (back.days < 1 or back != timedelta(days=back.days)):
            return f"a re-sweep goes back whole days, not {back}"
    try:
        client_kind(entity.source.kind)
        modified = entity.modified
    except (UsageError, ValueError) as error:
        return str(error)
    if modified is not None and modified.sql != "timestamptz":
        return f"{modified.name} says when a record changed, so it must be a timestamp"
    return _problem_of_parts(entity) if entity.parts else None


def _problem_of_parts(entity: Entity) -> str | None:
    columns = {column.name: column for column in entity.columns}
    named = [name for part in entity.parts for name in (*part.version, *part.columns)]
    unfit = sorted(name for name in named if name not in columns or named.count(name) > 1)
    if unfit:
        return f"{unfit[0]} is no column, or is in two parts"
    if [part.columns for part in entity.parts].count(()) != 1:
        return "one of its parts, and only one, has what no other has"
    if len(entity.key) != 1 or any(columns[name].key for name in named):
        return "a row of several parts has a key of one column, which is in none of them"
    kinds = [tuple(columns[name].sql for name in part.version) for part in entity.parts]
    if any(kind[:1] != ("timestamptz",) or {*kind[1:]} - {"text"} for kind in kinds):
        return "the version of a part is a moment, and texts"
    if any(columns[name].sensitive for part in entity.parts for name in part.version):
        return "the version of a part is compared, so it cannot be encrypted"
    if entity.merges or entity.tombstones_of or entity.tombstones == "found":
        return "a row of several parts is neither merged nor compared"
    return None


def _check_names(wanted: Iterable[str], found: dict[str, Entity], where: str) -> None:
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ValueError(f"{where} names what nobody declared: {', '.join(unknown)}")
