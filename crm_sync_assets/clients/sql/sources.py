"""Where Genius's entities come from: a table, and what is joined to it."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sync_assets.declarations.entity import SourceKind, WindowedByModified


@dataclass(frozen=True, slots=True)
class Join:
    """A table joined to the left: at most one row of it for each row read.

    `on` is its own column and the one it must equal, as `table.column`. `columns` are those taken
    from it: name in the record, name there. `modified` says when its row changed, if it can.
    """

    table: str
    on: tuple[str, str]
    columns: tuple[tuple[str, str], ...]
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Table(WindowedByModified):
    """Rows of one table, by primary key; a record is a row, with the names the columns' `at` has.

    Without `modified` the table is read whole every time.
    """

    name: str
    modified: str | None = "updated_at"
    joins: tuple[Join, ...] = ()
    root: str = ""
    kind: SourceKind = "database"
    max_page_size: int = 10_000

    def __str__(self) -> str:
        return f"table {self.name}"
