"""Which properties are new to the warehouse: made, made readable, or given a column of their own.

A sync remembers, as three bytes each, the properties it asked for and the kind of column each went
to. What it does not remember is new. None is, when there is nothing to remember yet. Those that it
remembers and that are not shown any more are remembered apart: rows may hold values of them.
A sync that is resumed while others are shown than before begins anew: the rows it had read lack
what is shown since, and have what is not shown any more.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from crm_sync_assets.declarations.contract import Read

PER_SEARCH = 5
"""Groups of filters that a search takes."""

MOST_AT_ONCE = 15
"""Properties filled by one sync; the next ones fill the rest."""

_DIGITS = 4
"""Three bytes in base64."""


_UNKNOWN = "????"
"""The mark of some property, nobody knows which."""


def gained(read: Read, names: Sequence[str]) -> list[str]:
    """New properties, in their order."""
    marks = _remembered(read, "properties")
    if not marks:
        return []
    return [name for name, mark in _marks(read, names).items() if mark not in marks]


def returned(read: Read, names: Sequence[str]) -> list[str]:
    """Those of the gained ones that were shown once: rows may hold values that are none by now."""
    lost = _remembered(read, "lost")
    marks = _marks(read, names)
    return [name for name in gained(read, names) if marks[name] in lost or _UNKNOWN in lost]


def lost(read: Read, names: Sequence[str]) -> set[str]:
    """Marks of the properties that were shown once, and are not among these."""
    # What was given a column of its own is not lost.
    shown = {*_marks(read, names).values(), *(_mark(f"{name} ") for name in names)}
    return (_remembered(read, "properties") | _remembered(read, "lost")) - shown


def memory(
    read: Read, names: Sequence[str], *, without: Collection[str], unsure: bool = False
) -> dict[str, Any]:
    """What to remember of a sync that asked for these names, `without` those it could not fill.

    `unsure` says that it asked for others before.
    """
    filled = [name for name in names if name not in without]
    marks = _marks(read, filled)
    gone = lost(read, filled) | ({_UNKNOWN} if unsure else set())
    found = {"properties": "".join(sorted(marks.values()))}
    return found | ({"lost": "".join(sorted(gone))} if gone else {})


def shape_of(names: Sequence[str]) -> str:
    """A few characters for a cursor, that are others where other properties are read."""
    return hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:12]


def _remembered(read: Read, what: str) -> set[str]:
    said = str(read.memory.get(what) or "")
    return {said[i : i + _DIGITS] for i in range(0, len(said), _DIGITS)}


def _marks(read: Read, names: Sequence[str]) -> dict[str, str]:
    root = read.entity.source.root
    kinds = {
        column.path(root).removeprefix(root): f"{column.name} {column.kind}"
        for column in read.entity.columns
    }
    return {name: _mark(f"{name} {kinds.get(name, '')}") for name in names}


def _mark(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:3]).decode()
