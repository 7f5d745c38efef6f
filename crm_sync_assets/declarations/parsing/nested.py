"""JSON, and lists of ids."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Mapping
from typing import Any

from crm_sync_assets.declarations.parsing.texts import (
    TooDeep,
    sanitise_nested,
    sanitise_text,
    text,
)

# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def json(value: Any) -> Any:
    """What jsonb can hold: an object, a list or a scalar.

    Text that is itself a JSON object or list is read as one; any other text stays text.
    Raises TooDeep.
    """
    return json_noting(value, set())


def json_noting(value: Any, changes: set[str]) -> Any:
    """As `json`; adds what had to be changed to `changes`."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        value = text(value)
        if value is None:
            return None
    if isinstance(value, str):
        value = sanitise_text(value, changes)
        inner = value.strip()
        if not inner:
            return None
        if not (inner[0] in "{[" and inner[-1] in "]}"):
            return value
        try:
            value = jsonlib.loads(inner)
        except RecursionError:
            raise TooDeep from None
        except ValueError:
            return value
    return sanitise_nested(value, changes, 1)


def id_list(value: Any) -> list[str] | None:
    """A `;`-separated list, or a list, as a list of texts without gaps; None if it is empty."""
    if value is None:
        return None
    if isinstance(value, str):
        value = sanitise_text(value, set()).strip()
        if value.startswith("["):
            try:
                value = jsonlib.loads(value)
            except (ValueError, RecursionError):
                raise ValueError("is not a list") from None
        else:
            return [item.strip() for item in value.split(";") if item.strip()] or None
    if isinstance(value, Mapping):
        raise ValueError("is an object, not a list")
    if not isinstance(value, list | tuple | set | frozenset):
        value = (value,)
    items = [item.strip() for item in map(text, value) if item is not None]
    return items or None
