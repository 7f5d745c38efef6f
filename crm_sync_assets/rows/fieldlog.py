"""What the log says about the fields of an entity's records: so many lines of each, then a count.

A value is shown shortened, in one line, and masked where its column is sensitive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.log import logger
from crm_sync_assets.redaction import mask, one_line
from crm_sync_assets.rows.shape import unexpected

LOGGED_PER_FIELD = 20
"""Lines one field may write to the log; what comes after them is counted."""

SHOWN = 100
"""Characters of a value that a log line shows."""

LONGEST_URL = 2_000
"""Characters of a record's address that a log line shows; a longer one leads nowhere."""

log = logger(__name__)


class FieldLog:
    """The lines about one entity's fields; `found` counts problems per field, logged or not.

    `record_url` tells where a person can look at a record.
    """

    def __init__(self, entity: Entity, record_url: Callable[[Key], str | None] | None) -> None:
        self._entity = entity
        self._record_url = record_url
        self.found: Counter[str] = Counter()

    def url(self, key: Key) -> str | None:
        """Where a person can look at a record, if anywhere."""
        if self._record_url is None:
            return None
        try:
            return self._record_url(key)
        except Exception as error:  # noqa: BLE001  a row is worth more than its link
            self._say("record", "%s: no URL for a record: %s", self._entity, unexpected(error))
            return None

    def set_aside(self, record_id: str | None, reason: str) -> None:
        """A record as a whole was refused."""
        who = None if record_id is None else one_line(_shortened(record_id))
        self._say("record", "%s: set aside record %s: %s", self._entity, who, reason)

    def unreadable(self, column: Column, raw: Any, word: str, key: Key) -> None:
        """A value would not parse as what `word` names."""
        self._say(
            column.name,
            "Failed to parse %s value: '%s' in field '%s' for %s %s",
            word,
            shown(raw, column),
            column.name,
            self._entity.crm,
            one_line(_shortened("/".join(key))),
        )

    def warn(self, field: str, column: Column | None, value: Any, problem: str, key: Key) -> None:
        """A value was changed, or failed its check, or a business rule found something."""
        if self.found[field] >= LOGGED_PER_FIELD:
            self._say(field, "")
            return
        names = [column.name for column in self._entity.key]
        parts = map(_shortened, key)
        record = ", ".join(f"{name}={part}" for name, part in zip(names, parts, strict=True))
        url = self.url(key)
        self._say(
            field,
            "Validation warning for field '%s' with value '%s' (Record: %s): %s%s",
            field,
            shown(value, column),
            one_line(record),
            problem,
            f" {one_line(url)}" if url and len(url) <= LONGEST_URL else "",
        )

    def _say(self, field: str, message: str, *arguments: object) -> None:
        self.found[field] += 1
        count = self.found[field]
        if count <= LOGGED_PER_FIELD:
            log.warning(message, *arguments)
        elif count == LOGGED_PER_FIELD + 1:
            log.warning(
                "%s: further warnings for field %s are counted, not logged", self._entity, field
            )


def shown(value: Any, column: Column | None) -> str:
    """The value as a log line or an issue may show it."""
    try:
        text = value if isinstance(value, str) else parsing.text(value) or ""
    except (ValueError, RecursionError):
        text = f"({type(value).__name__})"
    if column is not None and column.sensitive:
        return mask(text[:1000], column.kind)
    return one_line(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
