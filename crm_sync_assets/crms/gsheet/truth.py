"""What the tables must hold, by what the sandbox's spreadsheets have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from crm_sync_assets.crms.gsheet.cells import Manner
from crm_sync_assets.crms.gsheet.layout import Layout
from crm_sync_assets.crms.gsheet.rows import Rows
from crm_sync_assets.crms.gsheet.sources import ROW_KEY, Sheet, cells_of
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.declarations.truth import Ask, Live


def live(entity: Entity, ask: Ask) -> Live | None:
    """See `declarations.truth`. Nothing in a sheet says when its rows changed."""
    keys = {key for key, _ in keyed(entity, ask(entity.sync_type))}
    return Live({(key, None) for key in keys}, dated=False)


def keyed(entity: Entity, rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Each row with the key that its cells make it known by; the rows of a sheet come together."""
    source = entity.source
    assert isinstance(source, Sheet)
    columns = cells_of(entity)
    for year, grouped in groupby(rows, lambda row: row["year"]):
        of_a_sheet = list(grouped)
        first = of_a_sheet[0]
        layout = Layout.of(first["header"], source, columns)
        manner = Manner.of(first["locale"], first["zone"])
        maker = Rows(str(year or ""), source, columns, layout, manner, None)
        for row, record in zip(
            of_a_sheet, maker.records(row["cells"] for row in of_a_sheet), strict=True
        ):
            yield (record[ROW_KEY],), row
