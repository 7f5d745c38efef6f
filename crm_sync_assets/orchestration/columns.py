"""An entity's columns as Dagster shows them: types, keys, and what each of them holds."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.orchestration.lineage import references
from crm_sync_assets.warehouse.comments import labelled
from crm_sync_assets.warehouse.querying import COLUMNS, SENSITIVE
from crm_sync_assets.warehouse.tables import system_columns

LINEAGE = "dagster/column_lineage"


def column_schema(entity: Entity, labels: Mapping[str, str] | None = None) -> dg.TableSchema:
    """The columns of the entity's table; `labels` are what the source calls them."""
    labels = labels or {}
    columns = [
        dg.TableColumn(
            column.name,
            column.sql,
            description=labelled(column.described(entity.source.root), labels.get(column.name, "")),
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable, unique=column.key and len(entity.key) == 1
            ),
            tags={SENSITIVE: column.kind} if column.sensitive else None,
        )
        for column in entity.columns
    ]
    columns += [
        dg.TableColumn(name, kind, description=about)
        for name, (kind, about) in system_columns(entity).items()
    ]
    return dg.TableSchema(columns)


def column_lineage(crm: Crm, entity: Entity) -> dg.TableColumnLineage | None:
    """Which columns of other entities its columns hold; None where there are none."""
    found = {
        column: [dg.TableColumnDep(dg.AssetKey(name.split(".")), its_column)]
        for column, (name, its_column) in references(crm, entity).items()
    }
    return dg.TableColumnLineage(found) if found else None


def described(sync: Sync) -> dict[str, Any]:
    """What a materialization says of the columns: the names that the source has for them, and what
    they refer to.
    """
    lineage = column_lineage(sync.plan.request.crm, sync.entity)
    return {
        **({COLUMNS: column_schema(sync.plan.stored, sync.labels)} if sync.labels else {}),
        **({LINEAGE: lineage} if lineage else {}),
    }
