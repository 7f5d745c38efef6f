"""What changed, by a report that the tenant has made: run, waited for, and fetched as CSV.

A report has no cap of a thousand, and perhaps another one that it does not tell: a round number of
lines is taken for cut, and its window for two. The id of what runs is in the cursor before anybody
waits for it, so that a reading that is resumed takes it up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from crm_sync_assets.clients.csvs import Broken, lines_of
from crm_sync_assets.clients.waiting import Polls, until_ended
from crm_sync_assets.crms.five9.dialect import NotReady, UnknownReport
from crm_sync_assets.crms.five9.domain import Asking
from crm_sync_assets.crms.five9.fields import Fields, Row, zipped
from crm_sync_assets.crms.five9.places import Place
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, Refused, TransientError
from crm_sync_assets.log import logger

log = logger(__name__)

POLLS: Final = Polls(first=5.0, longest=15.0, most=600.0)
ANSWERS_WITHIN: Final = 5
"""Seconds for which Five9 waits by itself, before it says that a report is still running."""
ROUND: Final = 1_000
SHORTEST: Final = timedelta(minutes=1)


class NotReported(Refused):
    """A report lacks a contact that changed in its window: it goes by something else."""


class Report:
    """The report that the environment names."""

    def __init__(self, asking: Asking, entity: Entity, fields: Fields) -> None:
        assert asking.domain.report is not None
        self._asking, self._entity, self._fields = asking, entity, fields
        self._folder, self._name = asking.domain.report

    def answers(self, place: Place, at_once: int) -> Iterator[list[Row]]:
        """Contacts, so many at a time; `place` is by then behind them.

        Raises TransientError for a report that takes too long or is always unknown, FatalError
        for one that lacks contact fields, Refused for one that seems to be cut however short its
        window is, NotReported for one without the contact on which it is tried.
        """
        tries = 0
        while place.windows:
            if place.job is None:
                place.job, place.row = self._run(place.windows[0]), 0
                yield []
            try:
                rows = self._fetched(place.job)
            except UnknownReport as error:
                tries += 1
                self._wait_to_run_again(tries, error)
                place.job = None
                continue
            tries = 0
            if place.tried is not None and any(row[ID] == place.tried for row in rows):
                place.windows[:-1], place.job, place.tried = [], None, None
                yield []
                continue
            if rows and len(rows) % ROUND == 0:
                place.windows[:1] = self._halves(place.windows[0], len(rows))
                place.job = None
                yield []
                continue
            if place.tried is not None:
                del place.windows[0]
                place.job = None
                if len(place.windows) == 1:
                    raise NotReported(
                        f"the report lacks contact {place.tried}, which it should have"
                    )
                yield []
                continue
            left = rows[place.row :]
            for start in range(0, len(left), at_once):
                chunk = left[start : start + at_once]
                place.row += len(chunk)
                if start + at_once >= len(left):
                    break
                yield chunk
            else:
                chunk = []
            del place.windows[0]
            place.job, place.row = None, 0
            yield chunk

    def _wait_to_run_again(self, tries: int, error: UnknownReport) -> None:
        if tries >= self._asking.domain.settings.max_attempts:
            raise TransientError(
                f"{self._asking.subject}: a report that was run is not known, {tries} times in a "
                f"row: {error}. The next sync runs it again."
            )
        self._asking.calls.session.wait_to_ask_again(tries, f"{error}: running it again")

    def _run(self, window: Sequence[str]) -> str:
        start, end = map(datetime.fromisoformat, window)
        run = self._asking.ask(
            "runReport",
            folderName=self._folder,
            reportName=self._name,
            criteria={"time": {"start": start, "end": end}},
        )
        if not run:
            raise FatalError(f"{self._asking.subject}: a report was run, and has no identifier")
        log.info("%s: report %s runs, from %s to %s", self._asking.subject, run, *window)
        return str(run)

    def _fetched(self, job: str) -> list[Row]:
        def look() -> tuple[str | None, str]:
            if self._asking.ask("isReportRunning", identifier=job, timeout=ANSWERS_WITHIN):
                return None, "running"
            try:
                return str(self._asking.ask("getReportResultCsv", identifier=job) or ""), "ready"
            except NotReady:
                return None, "not ready"

        text = until_ended(self._asking.calls.session, f"report {job}", look, POLLS)
        try:
            return self._rows(text)
        except Broken as error:
            raise TransientError(
                f"{self._asking.subject}: the result of report {job}: {error}. The next sync asks "
                "for it again."
            ) from None

    def _rows(self, text: str) -> list[Row]:
        lines = lines_of(text.encode("utf-8", "surrogatepass"))
        header = next(lines, None)
        if header is None:
            raise Broken("it has no header")
        names = self._named(header)
        return [
            zipped(names, [value or None for value in line], self._asking.subject)
            for line in lines
            if line
        ]

    def _named(self, header: Sequence[str]) -> list[str]:
        """The fields of the columns, which a report may spell in its own way."""
        known = {_folded(name): name for name in (ID, *sorted(self._fields.names))}
        names = [
            name if name in self._fields.names else known.get(_folded(name), name)
            for name in header
        ]
        missing = sorted({ID, *self._fields.names} - set(names))
        if missing:
            raise FatalError(
                f"{self._asking.subject}: the report '{self._name}' in '{self._folder}' has no "
                f"column for {', '.join(missing[:10])}"
                + (f" and {len(missing) - 10} more" if missing[10:] else "")
                + ": what it lacks would be taken for cleared. Add all contact fields to it, or "
                "leave FIVE9_REPORT_NAME out"
            )
        return names

    def _halves(self, window: Sequence[str], count: int) -> list[list[str]]:
        start, end = map(datetime.fromisoformat, window)
        if end - start <= SHORTEST:
            raise Refused(
                f"{self._asking.subject}: the report has {count} lines for {start} to {end}, a "
                "round number, and may be cut; its window is too short for two"
            )
        middle = start + (end - start) / 2
        log.info("%s: %d lines of a report may be cut: two windows", self._asking.subject, count)
        return [[window[0], middle.isoformat()], [middle.isoformat(), window[1]]]


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
