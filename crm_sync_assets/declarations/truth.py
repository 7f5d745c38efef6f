"""What a CRM truly holds, where it is played by the sandbox: each CRM says for itself what of it
an entity's table must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity, Key

Ask = Callable[[str], Iterable[dict[str, Any]]]
"""Everything of one kind, by the name the CRM's sandbox has for it, as that finally is."""


@dataclass(frozen=True, slots=True)
class Live:
    """The keys of an entity's live records, with the moment each changed.

    Where they are not `dated`, the source has no such moment, or does not tell it in UTC.
    """

    records: set[tuple[Key, datetime | None]]
    dated: bool


def live(entity: Entity, ask: Ask) -> Live | None:
    """What the entity's table must hold; None for an entity that its CRM compares with nothing.

    `crms/<name>/truth.py` says it.
    """
    module = import_module(f"{registry.FOLDER}.{entity.crm}.truth")
    found: Live | None = module.live(entity, ask)
    return found
