"""What a slice has of the one before it, where slices overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crm_sync_assets.clients.rest.places import Step
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.declarations.entity import Record


class Repeats:
    """Leaves out what the slice before had too, and as it is now; keeps a number per record."""

    def __init__(self, id_path: str) -> None:
        self._id = id_path
        self._last: Step | None = None
        self._before: dict[str, int] = {}
        self._here: dict[str, int] = {}

    def begin(self, step: Step) -> None:
        """A list is read now."""
        last, self._last = self._last, step
        follows = last is not None and (last.sweep, last.member) == (step.sweep, step.member)
        self._before = self._here if follows and step.slice.overlaps else {}
        self._here = {}

    def without(self, records: Sequence[Record]) -> Iterator[Record]:
        """Those that the slice before did not have."""
        for record in records:
            if self._last is None or not self._last.slice.overlaps:
                yield record
                continue
            name, mark = str(at(record, self._id)), hash(repr(record))
            self._here[name] = mark
            if self._before.get(name) != mark:
                yield record
