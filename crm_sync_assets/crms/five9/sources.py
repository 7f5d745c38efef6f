"""The kind of source that Five9 serves. A plain value: the client knows how to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crm_sync_assets.declarations.entity import SourceKind, WindowedByModified

ID: Final = "contactID"
CHANGED: Final = "LastModifiedDateTime"
"""Where a record has the moment of its last change, whichever field the domain keeps it in."""
MOST_RECORDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Contacts(WindowedByModified):
    """The contacts of the domain. A record is flat: {field: text or None}, and CHANGED."""

    modified: str | None = CHANGED
    root: str = ""
    kind: SourceKind = "soap"
    max_page_size: int = MOST_RECORDS
