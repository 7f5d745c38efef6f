"""Values in a decoded body, found by dotted paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(body: Any, path: str | None) -> Any:
    """What is at this path, the body itself for none; None where there is nothing."""
    for name in (path or "").split(".") if path else ():
        if not isinstance(body, Mapping):
            return None
        body = body.get(name)
    return body


def whole(value: Any) -> int | None:
    """The whole number that this is, also as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isdecimal() else None
