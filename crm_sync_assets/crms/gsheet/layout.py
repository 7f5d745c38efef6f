"""Which column of a tab is which: by the header, wherever it stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from crm_sync_assets.crms.gsheet.sources import Sheet
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.errors import Refused
from crm_sync_assets.nearest import nearest


class Unfit(Refused):
    """A sheet is not what its declaration says: nothing of it is read, and its rows stay."""


def folded(header: str) -> str:
    """A header as it is compared: without blanks around it, in any case."""
    return " ".join(header.replace("\ufeff", "").replace("\u200b", "").split()).casefold()


def letters(number: int) -> str:
    """What the column of that number, from 1, is called: A, Z, AA."""
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


@dataclass(frozen=True, slots=True)
class Layout:
    """Where our columns are, counted from 0, and what each column of the tab is called.

    `missing` are our columns that are nowhere and may be, `undeclared` headers that nobody
    declared.
    """

    places: Mapping[str, int]
    names: Sequence[str]
    missing: Sequence[str]
    undeclared: Sequence[str]

    @classmethod
    def of(
        cls,
        header: Sequence[str],
        source: Sheet,
        columns: Sequence[Column],
        optional: Collection[str] = (),
    ) -> Layout:
        """Raises Unfit for a declared header that is nowhere and is not `optional`, folded, and for
        one that is there twice: which of the columns is meant, nobody knows."""
        there: dict[str, list[int]] = {}
        for place, name in enumerate(map(folded, header)):
            there.setdefault(name, []).append(place)
        places: dict[str, int] = {}
        missing, refused = [], []
        for column in columns:
            names = {folded(name): None for name in source.names_of(column.name)}
            found = [place for name in names for place in there.get(name, ())]
            if len(found) > 1:
                raise Unfit(_ambiguity(header, column.name, sorted(found), source))
            if found:
                places[column.name] = found[0]
            elif column.name not in source.key and optional and {*names} & {*optional}:
                missing.append(column.name)
            else:
                refused.append(source.names_of(column.name)[0])
        if refused:
            raise Unfit(_refusal(header, refused, source))
        declared = {folded(header[place]) for place in places.values()}
        return cls(
            places,
            _names(header),
            missing,
            [name.strip() for name in header if name.strip() and folded(name) not in declared],
        )


def _refusal(header: Sequence[str], refused: Sequence[str], source: Sheet) -> str:
    there = [name.strip() for name in header if name.strip()]
    if not there:
        return f"row {source.header_row} of its tab '{source.tab}' has no headers"
    by_fold = {folded(name): name for name in there}
    meant = []
    for name in refused[:8]:
        close = nearest(folded(name), by_fold)
        meant.append(f"'{name}'" + (f" (is it '{by_fold[close]}' now?)" if close else ""))
    more = f" and {len(refused) - 8} more" if len(refused) > 8 else ""
    return (
        f"row {source.header_row} of its tab '{source.tab}' has no header {', '.join(meant)}{more}"
        ": name the column so again, or name the header in GSHEET_OPTIONAL_HEADERS if the sheet "
        "may be without"
    )


def _ambiguity(header: Sequence[str], column: str, found: Sequence[int], source: Sheet) -> str:
    over = " and ".join(f"'{header[place].strip()}' over {letters(place + 1)}" for place in found)
    return (
        f"row {source.header_row} of its tab '{source.tab}' has {over}, and either could be "
        f"{column}: give one of them another name"
    )


def _names(header: Sequence[str]) -> list[str]:
    """A name of its own for each column: one without, or a second one, has its letter in it."""
    names: list[str] = []
    seen: set[str] = set()
    for place, raw in enumerate(header, start=1):
        name = " ".join(raw.split())
        if not name or folded(name) in seen:
            name = f"{name or 'column'}_{letters(place)}"
        seen.add(folded(name))
        names.append(name)
    return names
