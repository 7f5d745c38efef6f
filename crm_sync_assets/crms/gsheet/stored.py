"""Which rows of a sheet the warehouse holds."""

from __future__ import annotations

from crm_sync_assets.crms.gsheet.sources import ROW_KEY
from crm_sync_assets.declarations.contract import Read
from crm_sync_assets.declarations.entity import Key

AT_ONCE = 10_000


def stored_keys(read: Read, label: str) -> list[Key]:
    """The keys of the live rows of one sheet, of all where there is but one."""
    head = f"{label}-" if label else ""
    found: list[Key] = []
    after = head or None
    while keys := read.known.keys(read.entity.table, column=ROW_KEY, after=after, limit=AT_ONCE):
        of_it = [(key,) for key in keys if key.startswith(head)]
        found += of_it
        if len(of_it) < len(keys):
            break
        after = keys[-1]
    return found
