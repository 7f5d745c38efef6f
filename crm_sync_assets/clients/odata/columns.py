"""How columns find properties, whose names feeds have in lower case."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Record


def joined(name: str) -> str:
    """`email1_can_mail` as `email1canmail`: email1CanMail, email1canMail and others alike."""
    return name.replace("_", "")


@dataclass(frozen=True, slots=True)
class Either:
    """The first of several properties that says something; their names in lower case."""

    names: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return "_or_".join(self.names)

    def __call__(self, record: Record) -> Any:
        values = (record.get(name) for name in self.names)
        return next((value for value in values if value is not None), None)


def names_of(column: Column, root: str) -> Collection[str]:
    """The names under which a column looks for its property; none of one that is calculated."""
    if isinstance(column.at, Either):
        return column.at.names
    return () if callable(column.at) else (column.path(root),)
