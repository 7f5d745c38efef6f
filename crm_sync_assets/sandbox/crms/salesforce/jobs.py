"""Bulk API 2.0: query jobs, their states, and the pages of their results.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call
from crm_sync_assets.sandbox.crms.salesforce.desk import SalesforceDesk
from crm_sync_assets.sandbox.crms.salesforce.fields import Row, csv_cell
from crm_sync_assets.sandbox.crms.salesforce.ids import Ids
from crm_sync_assets.sandbox.crms.salesforce.matching import Refused
from crm_sync_assets.sandbox.crms.salesforce.selection import Selection
from crm_sync_assets.sandbox.crms.salesforce.soql import Malformed, parse
from crm_sync_assets.sandbox.crms.salesforce.values import ADMIN, wire
from crm_sync_assets.sandbox.life import DAY_MS

DELIMITERS = {
    "COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`",
}  # fmt: skip
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
RUNNING, ENDED = ("UploadComplete", "InProgress"), ("JobComplete", "Failed", "Aborted")
KEPT_DAYS = 7
LINKS = 5
LISTED = 1_000
_IDS = Ids("750")


@dataclass(slots=True)
class Job:
    """A query job: `numbers` and `versions` are the records as they were when it was made."""

    id: str
    number: int
    version: str
    operation: str
    selection: Selection
    numbers: Any
    versions: Mapping[int, Any]
    made: int
    delimiter: str
    ending: str
    state: str = "UploadComplete"
    changed: int = 0
    polls: int = 0
    error: str = ""


class Jobs(SalesforceDesk):
    """The jobs of one org."""

    def forget(self) -> None:
        super().forget()
        self._jobs: dict[str, Job] = {}
        self._made = 0

    def jobs_today(self) -> int:
        now = self.clock.now_ms()
        return sum(now - job.made < DAY_MS for job in self._jobs.values())

    # -- making one ------------------------------------------------------------------------------

    def create(self, call: Call) -> Answer:
        """A job for a query, which is looked at at once and carried out later."""
        version, body = self.version(call), call.body
        if not isinstance(body, dict):
            raise BadRequest("a job is an object")
        operation, text = body.get("operation"), body.get("query")
        if operation not in ("query", "queryAll"):
            raise self.no(400, "INVALIDJOB", f"Invalid operation {operation!r}")
        if not isinstance(text, str) or not text:
            raise self.no(400, "INVALIDJOB", "The 'query' property is required")
        _one_of(self, body, "contentType", {"CSV": "text/csv"}, "CSV")
        delimiter = _one_of(self, body, "columnDelimiter", DELIMITERS, "COMMA")
        ending = _one_of(self, body, "lineEnding", ENDINGS, "LF")
        if self.common.limits and self.jobs_today() >= self._knobs.salesforce_daily_jobs:
            raise self.no(
                400, "LIMIT_EXCEEDED", "ApiBatchItems Limit exceeded: too many query jobs today"
            )
        selection = self._selection(text, all=operation == "queryAll")
        with self._world.lock:
            numbers, versions = selection.found(call.now)
            if is_chunked(selection):
                # The chunks of a table come as they are done, the last ones first for instance.
                third = len(numbers) // 3
                numbers = numbers[2 * third :] + numbers[: 2 * third]
            self._made += 1
            job = Job(_IDS.write(self._made), self._made, version, operation, selection, numbers,
                      versions, call.now, delimiter, ending, changed=call.now)  # fmt: skip
            job.error = self._knobs.salesforce_jobs_fail
            self._jobs[job.id] = job
        return Answer(self._told(job))

    def _selection(self, text: str, *, all: bool) -> Selection:
        """What a job is asked for. Refusal of what no job does."""
        try:
            query = parse(text)
            if query.counts or query.every or query.offset is not None:
                raise Refused(
                    "API_ERROR", "Aggregate functions, FIELDS and OFFSET are not supported in bulk"
                )
            selection = Selection(self._world, query, all=all)
        except (Malformed, Refused) as why:
            raise self.refused(why) from None
        name = selection.table.kind.name
        if not selection.table.spec.bulk:
            raise self.no(
                400, "INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API."
            )
        if compounds := selection.compounds():
            raise self.no(400, "API_ERROR", "Selecting compound data not supported in Bulk Query: "
                          f"{compounds[0]}")  # fmt: skip
        return selection

    # -- one of them -----------------------------------------------------------------------------

    def _job(self, call: Call) -> Job:
        """The job of a path. Refusal where there is none (any more), or of another version."""
        version, job = self.version(call), self._jobs.get(call.path("id"))
        if job is None or call.now - job.made > KEPT_DAYS * DAY_MS:
            raise self.refusal(404, "The requested resource does not exist")
        if job.version != version:
            raise self.no(409, "API_VERSION_MISMATCH", f"The job was created with API version "
                          f"{job.version[1:]}, not {version[1:]}")  # fmt: skip
        return job

    def poll(self, call: Call) -> Answer:
        """How it is going: with every look at it a job is a step further."""
        job = self._job(call)
        if job.state in RUNNING:
            job.polls += 1
            job.state = "InProgress"
            if job.polls > self._knobs.salesforce_job_polls:
                job.state = "Failed" if job.error else "JobComplete"
            job.changed = call.now
        return Answer(self._told(job))

    def abort(self, call: Call) -> Answer:
        """Ask it to end."""
        job = self._job(call)
        if not isinstance(call.body, dict) or call.body.get("state") != "Aborted":
            raise self.no(400, "INVALIDJOBSTATE", "state can only be Aborted")
        if job.state not in RUNNING:
            raise self.no(400, "INVALIDJOBSTATE", f"a job that is {job.state} cannot be aborted")
        job.state, job.changed = "Aborted", call.now
        return Answer(self._told(job))

    def delete(self, call: Call) -> Answer:
        """Forget one that has ended."""
        job = self._job(call)
        if job.state in RUNNING:
            raise self.no(400, "API_ERROR", "Cannot delete a job that is not in a terminal state")
        del self._jobs[job.id]
        return Answer(None, 204)

    def listing(self, call: Call) -> Answer:
        """All of them, the oldest first, in pages."""
        version, kind = self.version(call), call.query("jobType")
        start = _place(self, call.query("queryLocator"))
        jobs = [job for job in self._jobs.values() if call.now - job.made <= KEPT_DAYS * DAY_MS]
        jobs = jobs if kind in (None, "V2Query") else []
        page, rest = jobs[start : start + LISTED], jobs[start + LISTED :]
        following = f"/services/data/{version}/jobs/query?queryLocator={_locator(start + LISTED)}"
        return Answer({
            "done": not rest, "nextRecordsUrl": following if rest else None,
            "records": [self._told(job, whole=False) for job in page],
        })  # fmt: skip

    def _told(self, job: Job, *, whole: bool = True) -> Row:
        found: Row = {
            "id": job.id, "operation": job.operation, "object": job.selection.table.kind.name,
            "createdById": ADMIN, "createdDate": wire(job.made),
            "systemModstamp": wire(job.changed), "state": job.state,
            "concurrencyMode": "Parallel", "contentType": "CSV",
            "apiVersion": float(job.version[1:]), "jobType": "V2Query",
            "lineEnding": "CRLF" if job.ending == "\r\n" else "LF",
            "columnDelimiter": next(n for n, d in DELIMITERS.items() if d == job.delimiter),
        }  # fmt: skip
        if whole and job.state in ENDED:
            done = len(job.numbers) + self.common.short_total if job.state == "JobComplete" else 0
            found |= {"numberRecordsProcessed": done, "retries": 0,
                      "totalProcessingTime": 21 * len(job.numbers) // 740,
                      "isPkChunkingSupported": is_chunked(job.selection)}  # fmt: skip
            if job.state == "Failed":
                found["errorMessage"] = job.error
        return found

    # -- results ---------------------------------------------------------------------------------

    def _complete(self, call: Call) -> Job:
        job = self._job(call)
        if job.state != "JobComplete":
            raise self.no(400, "INVALIDJOBSTATE", f"Results of a job that is {job.state} cannot be "
                          "read")  # fmt: skip
        return job

    def results(self, call: Call) -> Answer:
        """A page of CSV. The header says where the next one begins, or `null`."""
        job, start = self._complete(call), _place(self, call.query("locator"))
        end, size = start + self._rows(call), len(job.numbers)
        if start > size:
            raise self.no(400, "INVALIDLOCATOR", "the locator is beyond the end")
        page = job.numbers[start:end]
        columns = job.selection.columns
        read = job.selection.cells(csv_cell)
        lines = [job.delimiter.join(f'"{column.path}"' for column in columns)]
        lines += [job.delimiter.join(read(n, job.versions.get(n))) for n in page]
        following = start if self.common.stuck_cursor else end
        headers = {
            "Sforce-Locator": "null" if end >= size else _locator(following),
            "Sforce-NumberOfRecords": str(len(page)),
            "content-type": "text/csv",
        }
        return Answer(job.ending.join([*lines, ""]), headers=headers)

    def _rows(self, call: Call) -> int:
        most = self._knobs.salesforce_job_page
        asked = call.number("maxRecords", most, 10**9)
        return max(1, min(asked, most) - self.common.page_shrink)

    def pages(self, call: Call) -> Answer:
        """Where some pages begin, to be read at the same time."""
        job, start = self._complete(call), _place(self, call.query("locator"))
        if float(job.version[1:]) < 58:
            raise self.refusal(404, "The requested resource does not exist")
        path = f"/services/data/{job.version}/jobs/query/{job.id}"
        size = self._rows(call)
        places: list[int] = []
        while start < len(job.numbers) and len(places) < LINKS:
            places.append(start)
            start += size
        done = start >= len(job.numbers)
        return Answer({
            "resultPages": [
                {"resultUrl": f"{path}/results?locator={_locator(place)}&maxRecords={size}"}
                for place in places
            ],
            "nextRecordsUrl": None if done else f"{path}/resultPages?locator={_locator(start)}",
            "done": done,
        })  # fmt: skip


def is_chunked(selection: Selection) -> bool:
    """Whether a job reads a table in chunks: unless it is told an order or a limit."""
    return not selection.query.order and selection.query.limit is None


def _one_of(
    desk: Jobs, body: Mapping[str, Any], name: str, known: Mapping[str, str], otherwise: str
) -> str:
    """What a property means. Refusal of a value that is none of the known."""
    given = body.get(name, otherwise)
    if given not in known:
        raise desk.no(400, "INVALIDJOB", f"Invalid {name}: {given!r}")
    return known[given]


def _locator(start: int) -> str:
    return base64.b64encode(str(start).encode()).decode().rstrip("=")


def _place(desk: Jobs, locator: str | None) -> int:
    """The row that a locator says, 0 without one. Refusal of one that is none."""
    if not locator:
        return 0
    try:
        return int(base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise desk.no(400, "INVALIDLOCATOR", f"{locator!r} is no locator") from None
