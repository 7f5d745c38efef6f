"""All contacts that questions ask for, though no answer has more than a thousand of them.

An answer says neither how many there are nor that it was cut: one with as many as it may have is
taken for cut, and its question for several (`axes`). What a cut answer had must be among what its
parts bring: where it is not, the part is asked again, and the contact by its id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crm_sync_assets.crms.five9.axes import Axes, Question
from crm_sync_assets.crms.five9.domain import Asking
from crm_sync_assets.crms.five9.fields import Row
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.errors import FatalError, Refused, TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

MOST_MISSED = 100
"""Contacts that no part has brought, and that are asked for one by one."""


class NotAsked(Refused):
    """An answer has contacts that were not asked for."""


class Sweep:
    """Asks `left`, the last one first. `only` are criteria that every question has."""

    def __init__(
        self,
        asking: Asking,
        axes: Axes,
        left: list[Question],
        *,
        most: int,
        only: Sequence[dict[str, str]] = (),
    ) -> None:
        self.left = left
        self._ready: dict[Question, list[Row]] = {}
        self._asking, self._axes, self._most = asking, axes, most
        self._only = list(only)
        self._owed: dict[str, Row] = {}

    def answers(self) -> Iterator[list[Row]]:
        """The contacts of one answer after the other; of one that is cut, none.

        `left` is by then what is left after it. Raises FatalError for what cannot be asked for
        completely.
        """
        while self.left:
            question = self.left.pop()
            rows = self._ready.pop(question, None)
            if rows is None:
                rows = self.asked(question)
            if len(rows) < self._most:
                yield self._whole(question, rows)
                continue
            parts = self._axes.parts_of(question, rows)
            if not parts:
                raise FatalError(
                    f"{self._asking.subject}: an answer with {len(rows)} contacts is cut, and what "
                    f"was asked cannot be cut any further: {self._told(question)}. Nothing was "
                    "deleted; a report (FIVE9_REPORT_NAME) reads what changed all the same."
                )
            self._owed |= {str(row[ID]): row for row in rows}
            self.left += reversed(parts)
            yield []
        if self._owed:
            yield from self._missed()

    def tried(self, question: Question) -> list[Row]:
        """The answer to one that is left; it is not asked a second time."""
        self._ready[question] = self.asked(question)
        return self._ready[question]

    def asked(self, question: Question) -> list[Row]:
        """The answer to a question. Raises NotAsked for contacts that it does not ask for."""
        rows = self._asking.rows([*self._axes.criteria(question), *self._only])
        odd = next((row for row in rows if not self._axes.fits(question, row)), None)
        if odd is not None:
            raise NotAsked(
                f"{self._asking.subject}: asked for contacts with {self._told(question)}, Five9 "
                f"sent contact {odd[ID]}, which is none of them: it reads a criterion in another "
                "way than it did, and nobody knows what is missing"
            )
        return rows

    def _whole(self, question: Question, rows: list[Row]) -> list[Row]:
        """The contacts of an answer that has all that were seen before."""
        tries = 0
        while (missing := self._missing(question, rows)) is not None:
            tries += 1
            if tries >= self._asking.domain.settings.max_attempts:
                raise TransientError(
                    f"{self._asking.subject}: contact {missing} is there, and the answer to "
                    f"{self._told(question)} leaves it out, {tries} times in a row. The next sync "
                    "asks again."
                )
            why = f"an answer leaves out contact {missing}, which is there"
            self._asking.calls.session.wait_to_ask_again(tries, why)
            rows = self.asked(question)
            if len(rows) >= self._most:
                # It is cut, and was not before.
                self.left.append(question)
                self._ready[question] = rows
                return []
        for row in rows:
            self._owed.pop(str(row[ID]), None)
        return rows

    def _missing(self, question: Question, rows: list[Row]) -> str | None:
        """A contact that was in a cut answer, and should be in this one, and is there still."""
        had = {row[ID] for row in rows}
        for key, row in list(self._owed.items()):
            if key in had or not self._axes.fits(question, row):
                continue
            now = self.one(key)
            if now is not None and self._axes.fits(question, now):
                return key
            if now is None:
                del self._owed[key]
            else:
                self._owed[key] = now
        return None

    def one(self, key: str) -> Row | None:
        """A contact by its id; None where there is none."""
        rows = self._asking.rows([{"field": ID, "value": key}, *self._only])
        return next((row for row in rows if row[ID] == key), None)

    def _missed(self) -> Iterator[list[Row]]:
        """Contacts that were seen, and that none of the parts has brought."""
        if len(self._owed) > MOST_MISSED:
            raise FatalError(
                f"{self._asking.subject}: {len(self._owed)} contacts were seen that no question "
                "for a part of them brings, such as "
                f"{', '.join(list(self._owed)[:5])}: what was read is not all"
            )
        found = [row for key in list(self._owed) if (row := self.one(key)) is not None]
        self._owed.clear()
        if found:
            log.warning(
                "%s: %d contacts were in none of the answers that they should be in; they were "
                "asked for by their ids",
                self._asking.subject,
                len(found),
            )
            yield found

    def _told(self, question: Question) -> str:
        """A question in words; of a number a few digits, for it is a person's."""
        return " and ".join(
            f"{self._axes.fields[part.on]} "
            + (f"{part.value[:4]}…" if part.on == "number" and part.value else part.written)
            for part in question
        )
