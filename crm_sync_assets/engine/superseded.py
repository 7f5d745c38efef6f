"""Records in quarantine that no longer matter, where several records make a row.

What is set aside of a row is one record of it. Another one of the same row that is stored does not
bring what was lost, unless it has the same parts, as new or newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.rows.processor import Processor, Row
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.folding import version_in
from crm_sync_assets.warehouse.loading import Table
from crm_sync_assets.warehouse.vault import Vault


def forget_superseded(
    connection: Connection, entity: Entity, table: Table, vault: Vault | None
) -> list[str]:
    """Drop the entries of which the staged rows have everything, as new or newer; the keys of
    those rows that have no other entry."""
    versions = _versions_of(entity)
    processor, names = Processor(versions, validate=False), [c.name for c in versions.columns]
    places = [[names.index(name) for name in part.version] for part in entity.parts]
    key = next(at for at, column in enumerate(versions.columns) if column.key)
    obsolete, mended, wanting = list[int](), set[str](), set[str]()
    for entry, stored in quarantine.beside_staged(connection, entity, table.stage, names, vault):
        rows = processor.process([entry.record]).rows
        lost = [place for row in rows for place in places if version_in(row, place) is not None]
        if lost and all(_is_as_new(stored, rows[0], place) for place in lost):
            obsolete.append(entry.id)
            mended.add(stored[key])
        else:
            wanting.add(stored[key])
    if obsolete:
        quarantine.remove(connection, obsolete)
    return sorted(mended - wanting)


def _is_as_new(stored: Sequence[Any], lost: Row, place: Sequence[int]) -> bool:
    then, now = version_in(lost, place), version_in(stored, place)
    return then is not None and now is not None and now >= then


def _versions_of(entity: Entity) -> Entity:
    """The same entity with nothing but its key and the versions of its parts."""
    names = {name for part in entity.parts for name in part.version}
    columns = tuple(column for column in entity.columns if column.key or column.name in names)
    return replace(entity, columns=columns, indexes=(), rules=(), parts=())
