"""The key of a table: in which order the database is asked for it, and how keys are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from crm_sync_assets.declarations.entity import Key


class Keys:
    """The key's columns; `is_text` says of each whether it is text, else it is a whole number."""

    def __init__(
        self,
        columns: Sequence[sa.ColumnElement[Any]],
        is_text: Sequence[bool],
        *,
        is_mysql: bool,
    ) -> None:
        self.columns = columns
        self.is_text = is_text
        self._is_mysql = is_mysql

    def typed(self, key: Key) -> list[Any]:
        """A stored key as the database has it."""
        return [
            part if is_text else int(part) for part, is_text in zip(key, self.is_text, strict=True)
        ]

    @property
    def ordered(self) -> list[sa.ColumnElement[Any]]:
        """The columns so that the database sorts them as Python and the warehouse do."""
        return [
            self._bytewise(column) if is_text else column
            for column, is_text in zip(self.columns, self.is_text, strict=True)
        ]

    def after(self, key: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Rows whose key is greater: (a, b) > (x, y) is a > x or, a = x and b > y."""
        values = [self._bound(value) for value in key]
        columns = self.ordered
        greater = [
            sa.and_(*(c == v for c, v in zip(columns[:n], values[:n], strict=True)), column > value)
            for n, (column, value) in enumerate(zip(columns, values, strict=True))
        ]
        # Said on its own too, so that an index on the first column is used.
        return sa.and_(columns[0] >= values[0], sa.or_(*greater)) if greater[1:] else greater[0]

    def is_one_of(self, keys: Sequence[Sequence[Any]]) -> sa.ColumnElement[bool]:
        """Rows with one of these keys."""
        if len(self.columns) == 1:
            if self.is_text[0]:
                return self.ordered[0].in_([self._bound(key[0]) for key in keys])
            return self.columns[0].in_([key[0] for key in keys])
        firsts = sorted({key[0] for key in keys})
        each = [
            sa.and_(*(column == value for column, value in zip(self.columns, key, strict=True)))
            for key in keys
        ]
        return sa.and_(self.columns[0].in_(firsts), sa.or_(*each))

    def _bytewise(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        if self._is_mysql:
            as_utf8 = sa.func.convert(column.op("USING")(sa.literal_column("utf8mb4")))
            return sa.cast(as_utf8, sa.BINARY)
        return sa.collate(column, "C")

    def _bound(self, value: Any) -> Any:
        is_bytewise = isinstance(value, str) and self._is_mysql
        return sa.literal(value.encode(), sa.BINARY) if is_bytewise else value
