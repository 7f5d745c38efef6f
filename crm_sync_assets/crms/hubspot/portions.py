"""Records that are too large for one answer: asked for again, fewer at a time.

A record that is too large by itself is asked for without its properties, so that it is known which
one it is, and is set aside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.http import MOST_BYTES
from crm_sync_assets.declarations.entity import UNREAD, Record
from crm_sync_assets.errors import TooLarge
from crm_sync_assets.log import logger

log = logger(__name__)

T = TypeVar("T")

TOO_LARGE = (
    f"the record by itself is larger than {MOST_BYTES >> 20} MB, the most that an answer may hold; "
    "only its id was read, and what is stored of it stays: shorten its longest values in HubSpot, "
    "and the next sync stores it"
)


class Portions:
    """How many records to ask for at a time, `most` where they fit into one answer.

    After an answer that was too large they are halved until one fits. Of the records that answer
    would have held, the rest is asked for by halves too; after them it is `most` again. So one
    record that is too large costs about log₂(most) answers thrown away.
    """

    def __init__(self, subject: str, most: int) -> None:
        self._subject = subject
        self._most = most
        self._suspects = 0

    def ask(self, fetch: Callable[[int, bool], T], left: int | None = None) -> T:
        """What `fetch(size, whole)` gives for the next records, of which at most `left` are left.

        `whole` is False for one record that has to be read without its properties. Raises
        TooLarge when even that is too much.
        """
        size = max(self._suspects // 2, 1) if self._suspects else self._most
        size = size if left is None else min(size, left)
        while (found := _unless_too_large(fetch, size)) is None:
            if size == 1:
                self._suspects = 0
                return fetch(1, False)
            log.info("%s: %d records are too large for one answer", self._subject, size)
            self._suspects, size = size, size // 2
        self._suspects = max(self._suspects - size, 0)
        return found


def _unless_too_large(fetch: Callable[[int, bool], T], size: int) -> T | None:
    """By itself, so that nothing keeps the answer that was too large in memory."""
    try:
        return fetch(size, True)
    except TooLarge:
        return None


def unread(record: Any) -> Any:
    """A record that was read without its properties, marked as one to be set aside."""
    if not isinstance(record, dict):
        return record
    marked: Record = {name: value for name, value in record.items() if name != "properties"}
    return {**marked, UNREAD: TOO_LARGE}


def marked(answer: Answer, whole: bool) -> Answer:
    """The answer, its records marked as unread if they came without their properties."""
    if not whole:
        answer.json["results"] = [unread(record) for record in answer.json["results"]]
    return answer
