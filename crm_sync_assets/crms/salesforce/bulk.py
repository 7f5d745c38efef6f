"""Bulk API 2.0: a query as a job, whose result is a CSV file in pages.

The id of a job is in the cursor before anybody waits for it: a reading that is resumed takes up the
job that runs. Its results can be read again for seven days. No order can be asked for, so nothing
is concluded before the last page, whose sum must be what the job says it found.
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/query_jobs.htm
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.csvs import Broken
from crm_sync_assets.clients.http import MOST_BYTES
from crm_sync_assets.clients.waiting import Polls, until_ended
from crm_sync_assets.crms.salesforce import soql
from crm_sync_assets.crms.salesforce.csvs import count_of, records_in
from crm_sync_assets.crms.salesforce.described import Shown
from crm_sync_assets.crms.salesforce.dialect import NoSuchField
from crm_sync_assets.crms.salesforce.org import Asking
from crm_sync_assets.crms.salesforce.places import Job, Window
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.declarations.parsing import timestamp
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    Deferred,
    FatalError,
    Gone,
    Refused,
    TooLarge,
    TransientError,
)
from crm_sync_assets.log import logger

log = logger(__name__)

PAGE_ROWS: Final = 10_000
"""Of one page of results, in memory at once: some 10 MB."""
FEWEST_ROWS: Final = 100
POLLS: Final = Polls(first=1.0, longest=300.0, most=4 * 3_600.0)
MOST_WINDOWS: Final = 64
SHORTEST: Final = timedelta(hours=1)
READY, FAILED = "JobComplete", ("Failed", "Aborted")


class Unsupported(Exception):
    """The object, this user or this query is not for bulk jobs, or they fail however small."""


class _Lost(Exception):
    """A job that is not known any more."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a job ended; `found` are its rows, `why` is what it says of its failure."""

    found: int
    why: str | None = None


class Bulk:
    """Bulk jobs of one reading."""

    def __init__(
        self, asking: Asking, of: str, names: list[str], modified: str | None, subject: str
    ) -> None:
        self._asking, self._of, self._names = asking, of, tuple(names)
        self._modified, self._subject = modified, subject
        self._rows = PAGE_ROWS

    def read(
        self, job: Job, shown: Shown, at_once: int
    ) -> Iterator[tuple[list[Record], Job | None]]:
        """Records, each with where the next ones are; None after the last.

        Raises Unsupported where queries may do better, TransientError for a job that takes too
        long, Refused for one that has other records than it says.
        """
        while True:
            if job.id is None:
                job = replace(job, id=self._ordered(job.windows[0]))
                yield [], job
            try:
                ended = self._waited(job)
                if ended.why is not None:
                    job = Job(self._split(job.windows, ended.why))
                    continue
                last: list[Record] = []
                for records, job in self._results(job, shown, at_once):  # noqa: B020  where it is
                    if job.locator == END:
                        last = records
                        break
                    yield records, job
            except _Lost as error:
                log.warning("%s: %s: ordering it again", self._subject, error)
                job = Job(job.windows)
                continue
            if job.read != ended.found:
                raise Refused(
                    f"{self._subject}: bulk job {job.id} says that it found {ended.found} records, "
                    f"and its results have {job.read}. The next sync orders another one."
                )
            job = Job(job.windows[1:])
            yield last, job if job.windows else None
            if not job.windows:
                return

    def _ordered(self, window: Window) -> str:
        low, high = window
        field = self._modified or "Id"
        where = ([f"{field} >= {low}"] if low else []) + ([f"{field} < {high}"] if high else [])
        query = Query(self._names, self._of, tuple(where))
        order = {
            "operation": "queryAll",
            "query": str(query),
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        try:
            body = self._asking.post("/jobs/query", order).json
        except (NoSuchField, Deferred):
            raise
        except (BadRequest, Closed) as error:
            # Some objects are not for it, some users may not, and a day has 10,000 jobs.
            raise Unsupported(str(error)) from None
        if not isinstance(body, dict) or not body.get("id"):
            raise FatalError(f"{self._subject}: a bulk job was ordered, and has no id")
        log.info("%s: bulk job %s ordered", self._subject, body["id"])
        return str(body["id"])

    def _waited(self, job: Job) -> _Ended:
        """Wait until a job has ended."""

        def look() -> tuple[_Ended | None, str]:
            body = self._job(job)
            state = str(body["state"])
            if state == READY:
                return _Ended(int(body.get("numberRecordsProcessed") or 0)), state
            if state in FAILED:
                return _Ended(0, str(body.get("errorMessage") or state)), state
            return None, state

        return until_ended(self._asking.session, f"bulk job {job.id}", look, POLLS)

    def _job(self, job: Job) -> dict[str, Any]:
        def problem(body: Any) -> str | None:
            told = isinstance(body, dict) and isinstance(body.get("state"), str)
            return None if told else "the answer has no state of the job"

        try:
            body: dict[str, Any] = self._asking.get(f"/jobs/query/{job.id}", check=problem).json
        except (Closed, Gone) as error:
            raise _Lost(f"bulk job {job.id} is not known any more ({error})") from None
        return body

    def _results(self, job: Job, shown: Shown, at_once: int) -> Iterator[tuple[list[Record], Job]]:
        """Records with the places after them; after the last ones there is no locator but `END`."""
        while job.locator != END:
            answer = self._page(job)
            following = answer.header("sforce-locator") or ""
            following = END if following in ("", "null") else following
            count = int(answer.header("sforce-numberofrecords") or 0)
            if job.row > count:
                # It was a larger page when so many of its rows were read.
                job = replace(job, locator=following, row=job.row - count)
                continue
            chunks = records_in(answer.body, shown, skip=job.row, at_once=at_once)
            records = next(chunks, [])
            for more in chunks:
                job = replace(job, row=job.row + len(records), read=job.read + len(records))
                yield records, job
                records = more
            job = replace(job, locator=following, row=0, read=job.read + len(records))
            yield records, job

    def _page(self, job: Job) -> Answer:
        """A whole page of results, which has as many lines as its header says."""
        tries = 0
        while True:
            asked = {"maxRecords": str(self._rows)}
            asked |= {"locator": job.locator} if job.locator else {}
            try:
                answer = self._asking.get(
                    f"/jobs/query/{job.id}/results",
                    asked,
                    headers={"Accept": "text/csv"},
                    expect="bytes",
                    most_bytes=MOST_BYTES,
                )
                why = self._wrong_with(answer)
            except (Closed, Gone) as error:
                raise _Lost(f"bulk job {job.id} has no results any more ({error})") from None
            except TooLarge:
                if self._rows <= FEWEST_ROWS:
                    raise
                self._rows //= 2
                continue
            if why is None:
                return answer
            tries += 1
            if tries >= self._asking.org.settings.max_attempts:
                raise TransientError(
                    f"{self._subject}: results of bulk job {job.id}: {why}, {tries} times in a "
                    "row. The next sync asks for them again."
                )
            self._asking.session.wait_to_ask_again(tries, f"results of the bulk job: {why}")

    @staticmethod
    def _wrong_with(answer: Answer) -> str | None:
        told = answer.header("sforce-numberofrecords") or ""
        if not told.isdecimal():
            return "the answer does not say how many records it has"
        try:
            count = count_of(answer.body)
        except Broken as error:
            return str(error)
        return None if count == int(told) else f"{told} records were announced, {count} came"

    def _split(self, windows: list[Window], why: str) -> list[Window]:
        """The window of a job that failed as two, the older one first.

        Each ends before the next begins, and a row only moves on: none is missed.
        """
        low, high = windows[0]
        if self._modified is None or len(windows) >= MOST_WINDOWS:
            raise Unsupported(f"a bulk job failed: {why}")
        since = timestamp(low) if low else self._oldest(high)
        until = timestamp(high) if high else datetime.now(UTC)
        if since is None or until is None or until - since < SHORTEST:
            raise Unsupported(f"a bulk job of {low} to {high} failed: {why}")
        half = soql.moment(since + (until - since) / 2)
        log.warning("%s: a bulk job failed (%s): two instead, cut at %s", self._subject, why, half)
        return [[low, half], [half, high], *windows[1:]]

    def _oldest(self, high: str | None) -> datetime | None:
        field = self._modified or "Id"
        where = (f"{field} < {high}",) if high else ()
        query = Query((field,), self._of, where, (field,), 1)
        rows = self._asking.rows(query, "queryAll")
        return timestamp(rows.records[0].get(field)) if rows.records else None


END: Final = "null"
"""What stands in the place of a locator after the last page."""
