"""The contact fields of a domain, and what a contact's values become."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.crms.five9.sources import CHANGED, ID
from crm_sync_assets.declarations.contract import Cursor, Page, Tombstone
from crm_sync_assets.declarations.entity import UNREAD, Entity, Key, Record
from crm_sync_assets.errors import Refused

MODIFIED, CREATED, LIST = "LastModifiedDateTime", "CreatedDateTime", "LastList"
"""What a field may be mapped to."""
NO_KNOWN_WAY: Final = "(written in no known way)"
"""With this behind it no parser reads a date or a moment, which it would take for one in UTC."""
Row = dict[str, str | None]
"""A contact as Five9 has it: {field: text}."""

_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_ISO_DAY: Final = "yyyy-MM-dd"
_SPELLED: Final = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d",
    "d": "%d", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "SSS": "%f",
    "a": "%p",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fields:
    """What the domain says of its fields: the ways in which dates and moments are printed, as
    Java's patterns, and what a field is mapped to.

    Which fields there are each answer says for itself.
    """

    names: frozenset[str]
    mapped: Mapping[str, str] = field(default_factory=dict)
    printed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Any) -> Fields:
        """Of getContactFields' answer. Raises Refused for one without fields."""
        if not answer:
            raise Refused("five9: the domain is said to have no contact field at all")
        mapped: dict[str, str] = {}
        printed: dict[str, Sequence[str]] = {}
        for one in answer:
            name = str(one["name"])
            if one["mapTo"] and one["mapTo"] != "None":
                mapped.setdefault(one["mapTo"], name)
            formats = {r["type"]: r["value"] for r in one["restrictions"] or ()}
            day, time = formats.get("DateFormat"), formats.get("TimeFormat")
            if day or time:
                # A moment's DateFormat may have the time too, or be of its day alone.
                alone = day or _ISO_DAY
                printed[name] = [f"{alone} {time}", alone] if time else [alone]
        return cls(frozenset(str(one["name"]) for one in answer), mapped, printed)


def zipped(
    fields: Sequence[str], values: Sequence[str | None], subject: str, *, named: bool = True
) -> Row:
    """A contact's values by their fields: they are told apart by their places alone.

    Raises Refused where the places do not fit, or nothing says who it is and it must be `named`.
    """
    if len(fields) != len(values):
        raise Refused(
            f"{subject}: a contact came with {len(values)} values for {len(fields)} fields, so "
            "nobody knows which is which; nothing of it is believed"
        )
    row = dict(zip(fields, values, strict=True))
    if len(row) != len(fields):
        raise Refused(f"{subject}: an answer names a field twice; nothing of it is believed")
    if named and not row.get(ID):
        raise Refused(f"{subject}: a contact came without its {ID}, by which it is known")
    return row


class Undated(Refused):
    """A contact says when it changed, and nobody can read it."""


class Reader:
    """Makes records of contacts: moments in UTC, and dates as they are written everywhere."""

    def __init__(self, entity: Entity, fields: Fields, zone: Zone) -> None:
        self._zone = zone
        self._modified = fields.mapped.get(MODIFIED)
        self._shapes = {name: _shapes(printed) for name, printed in fields.printed.items()}
        self._optional = {
            column.name: column.path(entity.source.root)
            for column in entity.columns
            if column.nullable and column.kind != "rest"
        }
        self._times = {
            column.path(entity.source.root): column.sql
            for column in entity.columns
            if column.sql in ("timestamptz", "date") and isinstance(column.at, str | None)
        }

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
        """The record of a contact; what cannot be read is noted with its column. One whose last
        change cannot be is to be set aside: nobody knows what it is newer than.
        """
        found: Record = dict(row)
        for name, sql in self._times.items():
            if value := (row.get(name) or "").strip():
                wall = self._wall(name, value)
                if wall is None:
                    found[name] = f"{value} {NO_KNOWN_WAY}"
                else:
                    found[name] = (wall.date() if sql == "date" else self._utc(wall)).isoformat()
        try:
            changed = self.changed(row)
        except Undated as error:
            return {**found, UNREAD: str(error)}
        found[CHANGED] = changed.isoformat() if changed else None
        return found

    def changed(self, row: Row) -> datetime | None:
        """When a contact changed last; None where it does not say.

        Raises Undated for a moment that nobody can read: it decides what is new.
        """
        value = (row.get(self._modified) or "").strip() if self._modified else ""
        if not self._modified or not value:
            return None
        wall = self._wall(self._modified, value)
        if wall is None:
            raise Undated(
                f"five9: '{self._modified}', which the domain maps to {MODIFIED}, is written in "
                f"contact {row[ID]} neither as the field's DateFormat and TimeFormat say nor like "
                "2024-04-12 13:12:44.767. Nobody knows what changed; correct the format in Five9"
            )
        return self._utc(wall)

    def _wall(self, name: str, value: str) -> datetime | None:
        """A moment as it is written, naive unless it says its zone; None for what is none."""
        for shape in self._shapes.get(name, ()):
            try:
                return datetime.strptime(value, shape)
            except ValueError:
                continue
        try:
            return datetime.fromisoformat(value) if _ISO.fullmatch(value) else None
        except ValueError:
            return None

    def _utc(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else self._zone.to_utc(moment)).astimezone(UTC)


def _shapes(printed: Sequence[str]) -> list[str]:
    return [shape for one in printed if (shape := _strptime(one)) is not None]


def _strptime(given: str) -> str | None:
    """Java's pattern as Python's; None for one that has something else in it."""
    parts = re.findall(r"([A-Za-z])(\1*)|([^A-Za-z])", given)
    shape = ""
    for letter, more, other in parts:
        known = other.replace("%", "%%") or _SPELLED.get(letter + more)
        if known is None:
            return None
        shape += known
    return shape
