"""The contact fields of a domain, and what a contact's values become."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.crms.five9.sources import CHANGED, ID
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.contract import Cursor, Page, Tombstone
from crm_sync_assets.declarations.entity import Entity, Key, Record
from crm_sync_assets.errors import Refused

MODIFIED, CREATED, LIST = "LastModifiedDateTime", "CreatedDateTime", "LastList"
"""What a field may be mapped to."""
Row = dict[str, str | None]
"""A contact as Five9 has it: {field: text}."""

_ZONELESS: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?")
_SPELLED: Final = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d",
    "d": "%d", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "SSS": "%f",
    "a": "%p",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fields:
    """What the domain says of its fields: how a date is printed, and what a field is mapped to.

    Which fields there are each answer says for itself.
    """

    names: frozenset[str]
    mapped: Mapping[str, str] = field(default_factory=dict)
    printed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Any) -> Fields:
        """Of getContactFields' answer. Raises Refused for one without fields."""
        if not answer:
            raise Refused("five9: the domain is said to have no contact field at all")
        mapped: dict[str, str] = {}
        printed: dict[str, str] = {}
        for one in answer:
            name = str(one["name"])
            if one["mapTo"] and one["mapTo"] != "None":
                mapped.setdefault(one["mapTo"], name)
            formats = {r["type"]: r["value"] for r in one["restrictions"] or ()}
            if formats.get("DateFormat"):
                printed[name] = formats["DateFormat"]
        return cls(frozenset(str(one["name"]) for one in answer), mapped, printed)


def zipped(fields: Sequence[str], values: Sequence[str | None], subject: str) -> Row:
    """A contact's values by their fields: they are told apart by their places alone.

    Raises Refused where the places do not fit, or nothing says who it is.
    """
    if len(fields) != len(values):
        raise Refused(
            f"{subject}: a contact came with {len(values)} values for {len(fields)} fields, so "
            "nobody knows which is which; nothing of it is believed"
        )
    row = dict(zip(fields, values, strict=True))
    if len(row) != len(fields):
        raise Refused(f"{subject}: an answer names a field twice; nothing of it is believed")
    if not row.get(ID):
        raise Refused(f"{subject}: a contact came without its {ID}, by which it is known")
    return row


class Reader:
    """Makes records of contacts: moments in UTC, and dates as they are written everywhere."""

    def __init__(self, entity: Entity, fields: Fields, zone: Zone) -> None:
        self._zone = zone
        self._modified = fields.mapped.get(MODIFIED)
        self._changed = self._moment_of(_strptime(fields.printed.get(self._modified or "", "")))
        self._optional = {
            column.name: column.path(entity.source.root)
            for column in entity.columns
            if column.nullable and column.kind != "rest"
        }
        self._mend: dict[str, Callable[[str], str]] = {}
        for column in entity.columns:
            if column.sql in ("timestamptz", "date") and isinstance(column.at, str | None):
                name = column.path(entity.source.root)
                shape = _strptime(fields.printed.get(name, ""))
                is_moment = column.sql == "timestamptz"
                self._mend[name] = self._moment_of(shape) if is_moment else _date_of(shape)

    def page(self, rows: Sequence[Row], cursor: Cursor, gone: Sequence[Key] = ()) -> Page:
        """The records of contacts. A field that they have not, or no longer, keeps what is stored
        of it.
        """
        records = [self.record(row) for row in rows]
        tombstones = [Tombstone(key) for key in gone]
        if not rows:
            return Page(records, cursor, tombstones)
        known = {*rows[0], *([CHANGED] if self._modified in rows[0] else [])}
        hidden = [name for name, path in self._optional.items() if path not in known]
        return Page(records, cursor, tombstones, hidden_columns=hidden, asked=sorted(known))

    def record(self, row: Row) -> Record:
        """The record of a contact."""
        found: Record = dict(row)
        for name, mend in self._mend.items():
            if value := row.get(name):
                found[name] = mend(value)
        found[CHANGED] = self._told(row)
        return found

    def changed(self, row: Row) -> datetime | None:
        """When a contact changed last; None where it does not say so readably."""
        try:
            return parsing.timestamp(self._told(row))
        except ValueError:
            return None

    def _told(self, row: Row) -> str | None:
        value = row.get(self._modified) if self._modified else None
        return self._changed(value) if value else None

    def _moment_of(self, shape: str | None) -> Callable[[str], str]:
        def mend(value: str) -> str:
            try:
                if shape:
                    wall = datetime.strptime(value, shape)
                elif _ZONELESS.fullmatch(value):
                    wall = datetime.fromisoformat(value)
                else:
                    return value
            except ValueError:
                # It is noted with the column, and kept in `extra`.
                return value
            return self._zone.to_utc(wall).astimezone(UTC).isoformat()

        return mend


def _date_of(shape: str | None) -> Callable[[str], str]:
    def mend(value: str) -> str:
        try:
            return datetime.strptime(value, shape).date().isoformat() if shape else value
        except ValueError:
            return value

    return mend


def _strptime(given: str) -> str | None:
    """Java's pattern as Python's; None for one that has something else in it, or is ISO's."""
    if not given or given.startswith("yyyy-MM-dd"):
        return None
    parts = re.findall(r"([A-Za-z])(\1*)|([^A-Za-z])", given)
    shape = ""
    for letter, more, other in parts:
        known = other.replace("%", "%%") or _SPELLED.get(letter + more)
        if known is None:
            return None
        shape += known
    return shape
