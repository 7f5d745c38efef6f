"""A CSV file as an entity: all of it each time."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sync_assets.declarations.entity import SourceKind


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file whose place is in `variable`; in a folder it is the newest with `word` in its name.

    Columns are found by their headers, in any case. `key` is the header that tells lines apart,
    `modified` the one that orders versions of a line, if there is one; `also` are headers that only
    functions of columns look at.
    """

    variable: str
    word: str
    key: str
    modified: str | None = None
    also: tuple[str, ...] = ()
    root: str = ""
    kind: SourceKind = "csv"
    max_page_size: int = 10_000

    @property
    def windowed_by(self) -> str | None:
        """None: a file cannot be asked what of it has changed."""
        return None
