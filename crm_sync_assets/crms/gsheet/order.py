"""Whether a column of dates is written in another order than its file's locale says.

A column may have a format of its own: 13/4/2024 in a file of en_US. Then 4/12/2024 there is no
twelfth of April, and nobody can tell by the cell alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from crm_sync_assets.crms.gsheet.cells import Manner, day_and_month
from crm_sync_assets.crms.gsheet.layout import Layout
from crm_sync_assets.declarations.columns import Column

_DATES: Final = ("date", "timestamptz")
_MONTHS: Final = 12


def doubted(
    manner: Manner, columns: Sequence[Column], layout: Layout, rows: Iterable[Sequence[str]]
) -> frozenset[str]:
    """Columns with days that fit the other order only, and none that fits the locale's only."""
    places = {
        column.name: layout.places[column.name]
        for column in columns
        if column.sql in _DATES and column.name in layout.places
    }
    own, other = set[str](), set[str]()
    for cells in rows:
        for name, place in places.items():
            found = day_and_month(cells[place], manner) if place < len(cells) else None
            if found is not None:
                day, month = found
                if month > _MONTHS >= day:
                    other.add(name)
                elif day > _MONTHS >= month:
                    own.add(name)
    return frozenset(other - own)


def is_twofold(shown: str, manner: Manner) -> bool:
    """Whether it would be another day in another order."""
    found = day_and_month(shown, manner)
    return found is not None and found[0] != found[1] and max(found) <= _MONTHS
