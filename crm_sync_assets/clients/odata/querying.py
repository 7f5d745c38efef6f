"""What is written in $filter: literals of their types, and a window of changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from crm_sync_assets.clients.rest.delta import Slice, Window
from crm_sync_assets.clients.zones import Zone

FILTER: Final = "$filter"
UTC: Final = Zone("UTC")


def literal(value: str, kind: str) -> str:
    """A value in a condition, by its type in the schema (`Edm.Guid`)."""
    match kind:
        case "Edm.Guid":
            return f"guid'{_escaped(value)}'"
        case "Edm.DateTime":
            return f"datetime'{_escaped(value)}'"
        case "Edm.Int16" | "Edm.Int32" | "Edm.Byte":
            return str(int(value))
        case _:
            return f"'{_escaped(value)}'"


def _escaped(value: str) -> str:
    return value.replace("'", "''")


@dataclass(frozen=True, slots=True)
class Changed:
    """What has a moment of this property within the window, as the clocks of `zone` show it.

    Where a clock is put back, the window is as much wider as to leave nothing out.
    """

    property: str
    zone: Zone = UTC
    windowed: bool = field(default=True, init=False)

    def slices(self, window: Window) -> Iterator[Slice]:
        found = []
        if window.since is not None:
            since = self.zone.earliest_wall(window.since)
            found.append(f"{self.property} ge {literal(since.isoformat(), 'Edm.DateTime')}")
        if window.until is not None:
            until = self.zone.latest_wall(window.until - timedelta(microseconds=1))
            found.append(f"{self.property} lt {literal(until.isoformat(), 'Edm.DateTime')}")
        params = {FILTER: " and ".join(found)} if found else {}
        yield Slice("window" if params else "all", params)
