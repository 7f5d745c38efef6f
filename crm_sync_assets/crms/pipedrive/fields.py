"""Custom fields under the names people know, options by their labels.

Pipedrive sends `{40 hexadecimal digits: value}`, options as ids; what they stand for is in the
definitions of the fields, which change without any record being touched.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from crm_sync_assets.clients.rest.values import whole
from crm_sync_assets.declarations.entity import Record

DEFINED: Final[Mapping[str, str]] = {
    "deals": "deal",
    "leads": "deal",
    "persons": "person",
    "organizations": "organization",
    "activities": "activity",
    "products": "product",
}
"""Entities with custom fields → whose definitions are theirs; a lead has those of the deals."""
LABELED: Final = "custom_fields_labeled"
CODE_LENGTH: Final = 40
_HEXADECIMAL: Final = frozenset("0123456789abcdef")

Unknown = Callable[[str, Any], None]
"""Is told the code of a field and the option that no definition has."""


def is_code(name: str) -> bool:
    """Whether this is a custom field, or a part of one: `<code>_currency`."""
    code, rest = name[:CODE_LENGTH], name[CODE_LENGTH:]
    return len(code) == CODE_LENGTH and _HEXADECIMAL.issuperset(code) and rest[:1] in ("", "_")


def custom_fields(record: Record) -> dict[str, Any] | None:
    """As sent: v2 has them in one object, v1 beside the record's own fields."""
    given = record.get("custom_fields")
    beside = {name: value for name, value in record.items() if is_code(name)}
    found = {**(given if isinstance(given, dict) else {}), **beside}
    return found or None


class Definitions:
    """What the custom fields of one kind of record are called, and their options."""

    def __init__(self, fields: Sequence[Record]) -> None:
        self._fields = {str(f["field_code"]): f for f in fields if is_code(str(f["field_code"]))}
        names = Counter(str(field.get("field_name")) for field in self._fields.values())
        self._names = {
            code: str(field.get("field_name"))
            if names[str(field.get("field_name"))] == 1
            else f"{field.get('field_name')} ({code})"
            for code, field in self._fields.items()
        }
        self._labels = {
            code: {str(option["id"]): option["label"] for option in field.get("options") or ()}
            for code, field in self._fields.items()
            if field.get("field_type") in ("enum", "set")
        }

    def labeled(self, record: Record, unknown: Unknown) -> dict[str, Any] | None:
        """The record's custom fields by name, options by label; an unknown option stays its id."""
        found = {}
        for name, value in (custom_fields(record) or {}).items():
            code, rest = name[:CODE_LENGTH], name[CODE_LENGTH:]
            if value is not None:
                found[self._names.get(code, code) + rest] = self._value(code, value, unknown)
        return found or None

    def _value(self, code: str, value: Any, unknown: Unknown) -> Any:
        labels = self._labels.get(code)
        if labels is None:
            return value

        def label(option: Any) -> Any:
            known = labels.get(str(option))
            if known is None:
                unknown(code, option)
            return option if known is None else known

        if self._fields[code]["field_type"] == "enum":
            return label(value)
        # v1 writes a set as 123,456.
        options = value.split(",") if isinstance(value, str) else value
        return [label(option) for option in options] if isinstance(options, list) else value

    def remembered(self) -> dict[str, list[Any]]:
        """What tells at the next reading whether a name or a label has changed since."""
        return {code: self._mark(code, None) for code in sorted(self._fields)}

    def digest(self) -> str:
        """Of all names and labels."""
        return hashlib.sha256(json.dumps(self.remembered()).encode()).hexdigest()[:16]

    def differ_from(self, before: Mapping[str, Sequence[Any]]) -> bool:
        """Whether a field came, went, or is called otherwise than before; a new option is not.

        A field that is not remembered may be shown or restored just now: no record is touched.
        """
        return self._fields.keys() != before.keys() or any(
            self._mark(code, known[0]) != list(known) for code, known in before.items()
        )

    def _mark(self, code: str, newest: int | None) -> list[Any]:
        """The newest option, by its number, and a digest of the name and all up to that one."""
        options = sorted(
            (number, label)
            for option, label in self._labels.get(code, {}).items()
            if (number := whole(option)) is not None and (newest is None or number <= newest)
        )
        last = newest if newest is not None else options[-1][0] if options else 0
        said = json.dumps([self._names[code], options]).encode()
        return [last, hashlib.sha256(said).hexdigest()[:12]]
