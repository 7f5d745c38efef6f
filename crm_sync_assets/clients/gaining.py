"""Which properties are new to the warehouse: made, made readable, or given a column of their own.

A sync remembers, as three bytes each, the properties it asked for and the kind of column each went
to. What it does not remember is new. None is, when there is nothing to remember yet.
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


def gained(read: Read, names: Sequence[str]) -> list[str]:
    """New properties, in their order."""
    known = str(read.memory.get("properties") or "")
    marks = {known[i : i + _DIGITS] for i in range(0, len(known), _DIGITS)}
    if not marks:
        return []
    return [name for name, mark in _marks(read, names).items() if mark not in marks]


def memory(read: Read, names: Sequence[str], *, without: Collection[str]) -> dict[str, Any]:
    """What to remember of a sync that asked for these names, `without` those it could not fill."""
    marks = _marks(read, [name for name in names if name not in without])
    return {"properties": "".join(sorted(marks.values()))}


def _marks(read: Read, names: Sequence[str]) -> dict[str, str]:
    root = read.entity.source.root
    kinds = {
        column.path(root).removeprefix(root): f"{column.name} {column.kind}"
        for column in read.entity.columns
    }
    return {name: _mark(f"{name} {kinds.get(name, '')}") for name in names}


def _mark(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:3]).decode()
