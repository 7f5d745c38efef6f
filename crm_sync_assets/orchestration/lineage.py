"""Where an entity's rows come from and what they refer to: shown, never waited for.

A dependency between two assets of a run makes Dagster skip the second when the first fails. So an
entity hangs on the *tables* of others: assets that nobody runs, each of which hangs on the entity
that writes it. The graph shows the way through; no step of a run waits for another.
"""

from collections.abc import Iterable
from datetime import timedelta

import dagster as dg

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import UsageError

SHORTEST = timedelta(minutes=1)
"""Dagster takes no freshness policy of less."""


def source_key(crm: Crm, entity: Entity) -> dg.AssetKey:
    """Where its records come from: `hubspot_api/contacts`; of a database `genius_mysql/jobs`."""
    kind: str = entity.source.kind
    if kind == "database" and crm.kinds:
        kind = crm.kinds[0]
    return dg.AssetKey([f"{crm.name}_{kind}", entity.sync_type])


def table_key(crm: str, sync_type: str) -> dg.AssetKey:
    """What an entity keeps, as others see it."""
    return dg.AssetKey([f"{crm}_tables", sync_type])


def references(crm: Crm, entity: Entity) -> dict[str, tuple[str, str]]:
    """Column → (entity of the same CRM, its column) that it refers to; none refers to its own."""
    declared = {**crm.refers, **entity.refers}
    found = {}
    for column in entity.columns:
        to, _, its_column = declared.get(column.name, "").partition(".")
        if to and to != entity.sync_type:
            found[column.name] = (to, its_column)
    return found


def upstream_keys(crm: Crm, entity: Entity) -> list[dg.AssetKey]:
    """What the entity's asset hangs on: its source, and the tables it asks about or refers to."""
    tables = {table_key(*name.split(".")) for name in entity.after}
    tables |= {table_key(crm.name, to) for to, _ in references(crm, entity).values()}
    return [source_key(crm, entity), *sorted(tables)]


def column_lineage(crm: Crm, entity: Entity) -> dg.TableColumnLineage | None:
    """Which columns of other entities its columns hold; None where there are none."""
    found = {
        column: [dg.TableColumnDep(dg.AssetKey([crm.name, to]), its_column)]
        for column, (to, its_column) in references(crm, entity).items()
    }
    return dg.TableColumnLineage(found) if found else None


def surroundings(crm: Crm, entities: Iterable[Entity]) -> list[dg.AssetSpec]:
    """The sources of these entities and the tables they hang on: shown beside them, never run."""
    entities = tuple(entities)
    by_key = {table_key(one.crm, one.sync_type): one for one in entities}
    wanted = {key for one in entities for key in upstream_keys(crm, one)}
    sources = [
        dg.AssetSpec(
            source_key(crm, one),
            description=f"{one.source} at {crm.title}.",
            group_name=crm.name,
            kinds=set(crm.kinds),
        )
        for one in entities
    ]
    tables = [
        dg.AssetSpec(
            key,
            deps=[dg.AssetKey([one.crm, one.sync_type])],
            description=f"{one.table}, as it stands when another entity asks about it.",
            group_name=crm.name,
            kinds={"postgres"},
        )
        for key, one in by_key.items()
        if key in wanted
    ]
    return [*sources, *tables]


def freshness(crm: Crm, entity: Entity) -> dg.FreshnessPolicy | None:
    """Stale after `fresh_hours` without a materialization.

    None for what no run of the whole CRM takes and nobody gave a time, and for settings that
    cannot be used: a sync refuses these, and says why.
    """
    try:
        settings = settings_for(crm, entity)
    except UsageError:
        return None
    if not (entity.in_all or "fresh_hours" in settings.model_fields_set):
        return None
    window = max(timedelta(hours=settings.fresh_hours), SHORTEST)
    return dg.FreshnessPolicy.time_window(fail_window=window)
