"""Rows of a database as records: values under their names, in the form that parsing knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm_sync_assets.clients.sql.database import SourceColumn
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.entity import Entity, Record

_BINARY = frozenset(["binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bytea"])


class Records:
    """Makes records of one entity's rows, whose values are those of `columns`, in their order.

    `columns` has them by their name in a record, `zone` is that of columns without one.
    """

    def __init__(self, entity: Entity, columns: Mapping[str, SourceColumn], zone: Zone) -> None:
        self._entity = entity
        self._zone = zone
        self._names = list(columns)
        self._key_places = [self._names.index(column.path("")) for column in entity.key]
        self._reads = [
            (place, read)
            for place, (name, column) in enumerate(columns.items())
            if (read := self._reader(name, column)) is not None
        ]

    def key_of(self, row: Sequence[Any]) -> list[Any]:
        return [row[place] for place in self._key_places]

    def of(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Rows as records, times of a wall clock turned into moments."""
        names, reads = self._names, self._reads
        if not reads:
            return [dict(zip(names, row, strict=True)) for row in rows]
        records = []
        for row in rows:
            record = dict(zip(names, row, strict=True))
            for place, read in reads:
                value = row[place]
                if value is not None:
                    record[names[place]] = read(value)
            records.append(record)
        return records

    def _reader(self, name: str, column: SourceColumn) -> Callable[[Any], Any] | None:
        is_bits = column.type in ("bit", "bit varying")
        if self._is_truth(name) and column.type not in _BINARY:
            return _truth_of_bits if is_bits else _truth
        if column.is_wall_clock:
            return self._wall_to_utc
        if column.is_moment:
            return _moment_to_utc
        if is_bits:
            return _bits
        return _text if column.type in _BINARY else None

    def _is_truth(self, name: str) -> bool:
        kinds = {
            column.sql
            for column in self._entity.columns
            if not callable(column.at) and column.path("") == name
        }
        return kinds == {"boolean"}

    def _wall_to_utc(self, value: Any) -> Any:
        return self._zone.to_utc(value) if isinstance(value, datetime) else value


def _moment_to_utc(value: Any) -> Any:
    """A moment of a session in UTC; a driver hands some over without their zone."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(value: Any) -> Any:
    """Bytes as text; what is no UTF-8 stays recognisable, and parsing replaces and notes it."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _truth(value: Any) -> Any:
    """A number in a column of truths as the database judges it: whatever is not 0 is true."""
    return value != 0 if isinstance(value, int | float | Decimal) else value


def _truth_of_bits(value: Any) -> Any:
    return _truth(_bits(value))


def _bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value, 2)
