"""Which entities of a CRM are synced here: those that the environment does not switch off.

CRM_SYNC_<CRM>__ENTITIES names all that are wanted, CRM_SYNC_<CRM>__EXCLUDE those that are not, with
commas; a group stands for its members.
"""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import UsageError
from crm_sync_assets.nearest import meant
from crm_sync_assets.settings import PREFIX, variables

ONLY, WITHOUT = "entities", "exclude"
SWITCHES = (ONLY, WITHOUT)
"""What stands in the place of a setting's name in the variable of a CRM."""


def switched_on(crm: Crm, known: Sequence[Entity]) -> tuple[Entity, ...]:
    """Those of a CRM's entities that are wanted, in their order.

    Raises UsageError for a name that is none of them, and when nothing would be left.
    """
    only, without = (_named(crm, known, switch) for switch in SWITCHES)
    found = tuple(
        entity
        for entity in known
        if (not only or entity.sync_type in only) and entity.sync_type not in without
    )
    if known and not found:
        raise UsageError(
            f"{_variable(crm, ONLY)} and {_variable(crm, WITHOUT)} leave no entity of {crm.name}"
        )
    return found


def switch_of(crm: Crm, known: Sequence[Entity], entity: Entity) -> str:
    """The variable that switches this entity off."""
    is_excluded = entity.sync_type in _named(crm, known, WITHOUT)
    return _variable(crm, WITHOUT if is_excluded else ONLY)


def lacking(crm: Crm, entity: Entity) -> list[Variable]:
    """The variables of its own that this entity cannot be read without, and that are not set."""
    return [v for v in crm.variables if entity.sync_type in v.needed_by and not v.is_set]


def is_in_all(crm: Crm, entity: Entity) -> bool:
    """Whether a run of the whole CRM takes it: not without what it needs of its own."""
    return entity.in_all and not lacking(crm, entity)


def _named(crm: Crm, known: Sequence[Entity], switch: str) -> set[str]:
    variable = _variable(crm, switch)
    given = variables().get(variable, "").lower().replace("-", "_")
    names = {entity.sync_type for entity in known}
    found: set[str] = set()
    for name in filter(None, map(str.strip, given.split(","))):
        if name not in names and name not in crm.groups:
            said = meant(name, [*names, *crm.groups])
            raise UsageError(f"{variable}: {crm.name} has no entity '{name}'{said}")
        found |= set(crm.groups.get(name, (name,)))
    return found


def _variable(crm: Crm, switch: str) -> str:
    return f"{PREFIX}{crm.name.upper()}__{switch.upper()}"
