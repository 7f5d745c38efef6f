"""Kinds of column: SQL type, parse and check in one place.

A column reads *kind, name, where it comes from*. `at` is a dotted path from the record's root or
a function of the record; left out, the CRM uses our name below the source's root.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from crm_sync_assets.declarations import parsing as parse
from crm_sync_assets.declarations import validators as valid

SqlType = Literal[
    "text", "timestamptz", "date", "time", "interval", "numeric", "bigint", "boolean", "jsonb"
]

Parser = Callable[[Any], Any]
"""A value as sent → a value of the column's SQL type; raises ValueError saying why not."""

Validator = Callable[[Any], str | None]
"""A parsed value → what is wrong with it, None if nothing is."""

At = str | Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row, and how a record fills it.

    `kind` names the parser in messages and docs. A `sensitive` value never appears in a log.
    `default` is stored where the source sends nothing (only for NOT NULL columns). One that
    `follows` is stored with what else changes of its row, and is no change by itself.
    """

    name: str
    kind: str
    sql: SqlType
    parse: Parser
    validate: Validator | None = None
    at: At | None = None
    key: bool = False
    sensitive: bool = False
    default: Any = None
    about: str = ""
    follows: bool = False

    def path(self, root: str) -> str:
        """The dotted path in the record; a function's name where there is no path."""
        if self.at is None:
            return root + self.name
        return self.at if isinstance(self.at, str) else f"{self.at.__name__}()"

    @property
    def nullable(self) -> bool:
        return not self.key and self.default is None

    def described(self, root: str) -> str:
        """What the value is and where it comes from, for people."""
        return f"{self.kind} from {self.path(root)}" + (f"; {self.about}" if self.about else "")

    @property
    def signature(self) -> str:
        return f"{self.name} {self.kind} {self.sql} {self.path('')} {self.key} {self.default!r}"


def _column(
    kind: str, sql: SqlType, parser: Parser, validator: Validator | None = None, **always: Any
) -> Callable[..., Column]:
    def declare(
        name: str,
        at: At | None = None,
        *,
        key: bool = False,
        sensitive: bool = bool(always.get("sensitive")),
        default: Any = None,
        about: str = str(always.get("about", "")),
    ) -> Column:
        return Column(name, kind, sql, parser, validator, at, key, sensitive, default, about)

    return declare


text = _column("text", "text", parse.text)
email = _column("email", "text", parse.email, valid.email, sensitive=True)
phone = _column("phone", "text", parse.text, valid.phone, sensitive=True)
url = _column("url", "text", parse.text, valid.url)
zip_code = _column("zip_code", "text", parse.text, valid.zip_code)
state = _column("state", "text", parse.text, valid.state)
guid = _column("guid", "text", parse.guid, valid.guid, about="none where it is all zeros")
object_id = _column("object_id", "text", parse.text, valid.object_id)
timestamp = _column("datetime", "timestamptz", parse.timestamp)
date = _column("date", "date", parse.date)
time = _column("time", "time", parse.time)
interval = _column("interval", "interval", parse.interval)
decimal = _column("decimal", "numeric", parse.decimal)
integer = _column("integer", "bigint", parse.integer)
reference = _column("reference", "bigint", parse.reference, about="0 at the source means none")
boolean = _column("boolean", "boolean", parse.boolean)
json = _column("json", "jsonb", parse.json)
id_list = _column("id_list", "jsonb", parse.id_list, about="a `;`-separated list, as an array")


def rest(name: str = "properties", *, sensitive: bool = False) -> Column:
    """Everything below the source's root that no other column takes, as one jsonb object.

    Values that a lenient sync could not parse are kept here too, under their source name.
    """
    return Column(name, "rest", "jsonb", parse.json, sensitive=sensitive)


def camel(name: str) -> str:
    """`first_name` as `firstName`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def each(
    kind: Callable[..., Column],
    names: str,
    *,
    spelled: Callable[[str], At] | None = None,
    **options: Any,
) -> tuple[Column, ...]:
    """One column of the same kind per name in `names`, which are separated by white space.

    `spelled` makes of our name where the record has it, as a path from its root or a function.
    """
    return tuple(
        kind(name, **({"at": spelled(name)} if spelled else {}), **options)
        for name in names.split()
    )
