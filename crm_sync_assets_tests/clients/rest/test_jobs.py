"""Reports: ordered once, waited for, fetched; and taken up by the sync that resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Since
from crm_sync_assets.clients.rest.paging import Cursor
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Job, Rest
from crm_sync_assets.declarations.columns import integer, timestamp
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.errors import TransientError
from crm_sync_assets_tests.clients.conftest import Wire
from crm_sync_assets_tests.clients.rest.scripted_api import DELTA, FULL, answer_of, ids, things

JOB = Job(
    "/jobs",
    order=lambda params: {"report": "things", **params},
    id="job.id",
    status="/jobs/{job}",
    state="state",
    ready=("complete",),
    failed=("failed",),
    every_seconds=5,
    most_seconds=20,
)
SOURCE = Rest(
    "/jobs/{job}/results",
    records="data",
    paging=Cursor("next", "cursor", "limit", 3),
    delta=Since("since"),
    modified="updated",
    job=JOB,
)
THINGS = Entity(
    "crm.things", "Things.", SOURCE, (integer("id", key=True), timestamp("updated")), "crm_things"
)


@dataclass
class Reports:
    """Makes reports of seven things; each is asked about `slow` times before it is complete."""

    slow: int = 2
    state: str = "complete"
    orders: list[Any] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        if request.method == "POST":
            self.orders.append(msgspec.json.decode(request.content))
            self.known.add(name := f"J{len(self.orders)}")
            return answer_of({"job": {"id": name}}, 202)
        job = parts.path.split("/")[2]
        if job not in self.known:
            return answer_of({"error": "no such job"}, 404)
        if not parts.path.endswith("/results"):
            self.asked[job] = self.asked.get(job, 0) + 1
            return answer_of({"state": self.state if self.asked[job] > self.slow else "running"})
        start = int(parse_qs(parts.query).get("cursor", ["0"])[0])
        rows = things(*range(1, 8))
        following = str(start + 3) if start + 3 < len(rows) else None
        return answer_of({"data": rows[start : start + 3], "next": following})


@pytest.fixture
def read(wire: Callable[..., Wire]) -> Callable[..., list[Page]]:
    def reading(reports: Reports, cursor: Any = None, strategy: Strategy = FULL) -> list[Page]:
        served = wire(reports)
        session: Session = served.session(max_attempts=2)
        asked = Read(THINGS, strategy, 100, None, cursor=cursor)  # type: ignore[arg-type]
        pages = list(Reading(asked, session, SOURCE, Addresses()).pages())
        waits.extend(served.waits)
        return pages

    waits: list[float] = []
    reading.waits = waits  # type: ignore[attr-defined]
    return reading


def test_a_report_is_ordered_once_waited_for_and_fetched(read: Any) -> None:
    reports = Reports(slow=2)
    assert ids(read(reports, strategy=DELTA)) == [1, 2, 3, 4, 5, 6, 7]
    assert reports.orders == [{"report": "things", "since": "2026-10-14T12:00:00Z"}]
    assert read.waits == [5, 5]


def test_a_reading_takes_up_the_running_report_and_asks_for_no_page_twice(read: Any) -> None:
    whole = read(Reports())
    assert [len(page.records) for page in whole] == [0, 3, 3, 1]
    for number, page in enumerate(whole):
        reports = Reports(known={"J1"}, slow=1)
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        rest = read(reports, cursor)
        assert ids([*whole[: number + 1], *rest]) == [1, 2, 3, 4, 5, 6, 7]
        assert reports.orders == []


def test_a_report_that_is_forgotten_is_ordered_anew(read: Any) -> None:
    cursor = read(Reports())[1].cursor
    reports = Reports()
    assert ids(read(reports, cursor)) == [1, 2, 3, 4, 5, 6, 7]
    assert len(reports.orders) == 1


def test_a_report_that_fails_is_ordered_anew_and_not_for_ever(read: Any) -> None:
    reports = Reports(state="failed", slow=0)
    with pytest.raises(TransientError, match="report J4 ended as failed"):
        read(reports)
    assert len(reports.orders) == 4


def test_a_report_that_takes_too_long_is_left_to_the_next_sync(read: Any) -> None:
    reports = Reports(slow=100)
    with pytest.raises(TransientError, match="report J1 is running after 20 s"):
        read(reports)
    assert len(reports.orders) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Job("/j", dict, "id", "/j/status", "state", ("done",)),
        lambda: Job("/j", dict, "id", "/j/{job}", "state", ()),
        lambda: Job("/j", dict, "id", "/j/{job}", "state", ("done",), ("done",)),
        lambda: Job("/j", dict, "id", "/j/{job}", "state", ("done",), every_seconds=0),
        lambda: Rest("/results", job=JOB),
    ],
)
def test_a_job_that_cannot_work_is_refused_when_it_is_declared(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()
