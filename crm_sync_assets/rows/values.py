"""How one column's value is parsed: what is sent → what the warehouse can hold."""

from __future__ import annotations

from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column, Parser


class NotClean(Exception):
    """A value is not of the form that needs no second look."""


def parse_noting(column: Column, raw: Any, changes: set[str]) -> Any:
    """The parsed value, storable; adds what had to be changed for that to `changes`."""
    if column.parse is parsing.json:
        return parsing.json_noting(raw, changes)
    value = column.parse(parsing.sanitise(raw, changes))
    return parsing.sanitise(value, changes)


def noting_nothing(column: Column) -> Parser:
    """The column's parser for the fast path, which raises where something had to be changed."""

    def parse(raw: Any) -> Any:
        changes: set[str] = set()
        value = parse_noting(column, raw, changes)
        if changes:
            raise NotClean
        return value

    return parse


def key_parser(column: Column) -> Parser:
    """A key is text or a whole number as sent; anything else would not lead back to its record."""
    as_sent = column.sql in ("text", "bigint")
    parse = column.parse

    def key(raw: Any) -> Any:
        if raw is None:
            raise NotClean("is missing")
        if as_sent and (isinstance(raw, bool) or not isinstance(raw, str | int)):
            raise NotClean(f"is of type {type(raw).__name__}")
        if isinstance(raw, str) and not parsing.is_clean(raw):
            raise NotClean("holds a NUL or half a character")
        value = parse(raw)
        if value is None:
            raise NotClean("is missing")
        return value

    return key
