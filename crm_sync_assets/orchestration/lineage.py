"""Where an entity's rows come from and what they refer to: shown, never waited for.

A dependency between two assets of a run makes Dagster skip the second when the first fails. So an
entity hangs on the *tables* of others: assets that nobody runs, each of which hangs on the entity
that writes it. The graph shows the way through; no step of a run waits for another.

A table is also what is fresh or not. An entity is materialized by whatever stores something, a
backfill of an old month too; its table only by a sync that left nothing unread.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

import dagster as dg

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations.alert_rules import expected_every
from crm_sync_assets.orchestration.keys import asset_key, source_key, table_key

SHORTEST = timedelta(minutes=1)
"""Dagster takes no freshness policy of less."""


def group_of(crm: Crm, entity: Entity) -> str:
    """The part of the CRM that it is shown in: `hubspot_associations`; else the CRM itself."""
    shown = (entity.tombstones_of or entity.name).partition(".")[2]
    part = next((name for name, those in crm.groups.items() if shown in those), None)
    return f"{crm.name}_{part}" if part else crm.name


def references(crm: Crm, entity: Entity) -> dict[str, tuple[str, str]]:
    """Column → (name of an entity, its column) that it refers to; none refers to its own."""
    declared = {**crm.refers, **entity.refers}
    found = {}
    for column in entity.columns:
        if column.name not in declared:
            continue
        *names, its_column = declared[column.name].split(".")
        name = ".".join(names if len(names) > 1 else (crm.name, *names))
        if name != entity.name:
            found[column.name] = (name, its_column)
    return found


def upstream(crm: Crm, entity: Entity) -> list[str]:
    """The names of the entities whose tables it asks about, or refers to and that stand before it.

    Two entities may refer to each other, and the graph must not run in a circle: before it stand
    the reference tables, and those that a run of the CRM takes first.
    """
    known = [*crm.groups.get("reference", ()), *crm.order, entity.sync_type]
    before = {f"{crm.name}.{one}" for one in known[: known.index(entity.sync_type)]}
    referred_to = {name for name, _ in references(crm, entity).values()}
    return sorted({*entity.after, *(referred_to & before)})


def upstream_keys(crm: Crm, entity: Entity) -> list[dg.AssetKey]:
    """What the entity's asset hangs on: its source, and those tables."""
    return [source_key(crm, entity), *map(table_key, upstream(crm, entity))]


def surroundings(crm: Crm, entities: Iterable[Entity]) -> Iterator[dg.AssetSpec]:
    """The sources and the tables of these entities: shown beside them, never run."""
    for one in entities:
        yield dg.AssetSpec(
            source_key(crm, one),
            description=f"{one.source} at {crm.title}.",
            group_name=group_of(crm, one),
            kinds=set(crm.kinds),
        )
        if one.tombstones_of is None:
            yield dg.AssetSpec(
                table_key(one.name),
                deps=[asset_key(one)],
                description=f"The table {one.table}, complete as of its last materialization.",
                group_name=group_of(crm, one),
                kinds={"postgres"},
                freshness_policy=freshness(crm, one),
            )


def left_behind(entities: Mapping[str, Entity]) -> Iterator[dg.AssetSpec]:
    """The tables that these entities hang on, and that no entity which is switched on writes."""
    wanted = {name for one in entities.values() for name in upstream(registry.crm(one.crm), one)}
    for name in sorted(wanted - set(entities)):
        one = registry.entity(name)
        yield dg.AssetSpec(
            table_key(name),
            description=f"The table {one.table}, as it was when {one} was switched off.",
            group_name=group_of(registry.crm(one.crm), one),
            kinds={"postgres"},
        )


def completed(sync: Sync) -> Iterator[dg.AssetMaterialization]:
    """The news of its table, if the sync left nothing unread before its own start."""
    if sync.watermark is not None and sync.entity.tombstones_of is None:
        yield dg.AssetMaterialization(
            table_key(sync.entity.name),
            metadata={"sync_id": sync.sync_id, "complete_as_of": sync.watermark.isoformat()},
        )


def freshness(crm: Crm, entity: Entity) -> dg.FreshnessPolicy | None:
    """Stale after `fresh_hours` without a complete sync.

    None for what nobody expects at any time, and for settings that cannot be used: a sync refuses
    these, and says why.
    """
    try:
        expected = expected_every(entity, settings_for(crm, entity))
    except UsageError:
        return None
    if expected is None:
        return None
    return dg.FreshnessPolicy.time_window(fail_window=max(expected, SHORTEST))
