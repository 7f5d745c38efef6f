"""The flags as Dagster's run config: once for all entities of a CRM, and what differs for one.

A run's launchpad has the block `resources: <crm>_flags: config:`, with every flag and its default,
and for each entity `ops: <crm>__<entity>: config:`, empty; a flag given there goes before the
block's. The names that flags had before are taken in both places, and shown in none.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import dagster as dg

from crm_sync_assets.declarations.crm import Crm, flags_of
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags, with_own
from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import logger

log = logger(__name__)

Fields = dict[str, dg.Field]
Kind = TypeVar("Kind", bound=Flags)


class SyncConfig(Flags, dg.Config):
    """The flags as Dagster sees their kinds."""


def block_name(crm: Crm) -> str:
    """The resource whose config is the block of all the CRM's entities."""
    return f"{crm.name}_flags"


def block(crm: Crm) -> dg.ResourceDefinition:
    """What every entity of the CRM is synced with, where its own config says nothing else."""
    return dg.ResourceDefinition(
        resource_fn=lambda init: dict(init.resource_config),
        config_schema={**_fields(crm.name, crm.flags), **_without_defaults(crm, only_old=True)},
        description=f"The flags of every {crm.title} entity of a run.",
    )


def own_config(crm: Crm) -> Fields:
    """The config of one entity: the same flags, of which it has none unless it is given."""
    return _without_defaults(crm)


def flags_given(
    crm: Crm, entity: Entity, for_all: Mapping[str, Any], for_one: Mapping[str, Any]
) -> Flags:
    """The flags of one entity, by the block for all and its own config.

    What an entity does not take, dates or a flag of others, is left out of what is meant for all.
    Raises UsageError when an old name and its new one disagree.
    """
    kind = flags_of(crm)
    shared = {**kind().given(), **_by_present_names(for_all, kind)}
    if not entity.tracks_changes:
        shared |= {"start_date": None, "end_date": None}
    for flag in crm.flags:
        if flag.entities and entity.sync_type not in flag.entities:
            shared[flag.name] = flag.unset
    return kind(**shared | _by_present_names(for_one, kind))


def _by_present_names(given: Mapping[str, Any], kind: type[Flags]) -> dict[str, Any]:
    values = {name: value for name, value in given.items() if name not in OLD_NAMES}
    for old, new in OLD_NAMES.items():
        value = given.get(old)
        if not value:
            continue
        log.warning("%s is now called %s; please use that name", old, new)
        if values.get(new, kind.model_fields[new].default) not in (None, False, value):
            raise UsageError(
                f"{old} is {value} and {new} is {values[new]}: {old} is the old name of "
                f"{new}, so give only {new}"
            )
        values[new] = value
    return values


def _without_defaults(crm: Crm, *, only_old: bool = False) -> Fields:
    fields = _fields(crm.name, crm.flags)
    old = {name: (fields[new], f"Old name of {new}.") for name, new in OLD_NAMES.items()}
    present = (
        {} if only_old else {name: (field, field.description) for name, field in fields.items()}
    )
    return {
        name: dg.Field(field.config_type, is_required=False, description=about)
        for name, (field, about) in (present | old).items()
    }


@cache
def _fields(name: str, own: tuple[Flag, ...]) -> Fields:
    kind = with_own(SyncConfig, f"{name.capitalize()}Config", own)
    return dict(kind.to_fields_dict())
