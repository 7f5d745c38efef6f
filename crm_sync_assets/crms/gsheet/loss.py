"""A sheet that has lost rows at once is not believed without force, however few of all they are."""

from __future__ import annotations

from typing import Final

from crm_sync_assets.crms.gsheet.layout import Unfit
from crm_sync_assets.crms.gsheet.rows import Rows
from crm_sync_assets.crms.gsheet.sources import ROW_KEY
from crm_sync_assets.crms.gsheet.stored import stored_keys
from crm_sync_assets.crms.gsheet.tabs import Taken
from crm_sync_assets.declarations.contract import Read

FEW: Final = 10
"""So many rows may go from a sheet, whatever share of it: a year begins with a handful."""


def refuse_loss(read: Read, label: str, rows: Rows, taken: Taken) -> None:
    """Raises Unfit for a sheet that lacks too many of its stored rows, or has none any more."""
    stored = stored_keys(read, label)
    if not stored:
        return
    there = {record[ROW_KEY] for record in rows.records(taken.rows())}
    gone = sum(key not in there for (key,) in stored)
    share = read.entity.vanish_limit
    if there and gone <= max(FEW, len(stored) * share):
        return
    lost = (
        f"lacks {gone} of {len(stored)} rows that are stored, more than {share:.0%} at once"
        if there
        else f"has no rows below its headers, and {len(stored)} are stored"
    )
    raise Unfit(
        f"its tab '{rows.source.tab}' {lost}. If they are really gone, run it again with force"
    )
