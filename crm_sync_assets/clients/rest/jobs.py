"""Reports that are ordered, waited for, and then fetched page by page.

Ordering one takes a moment, making it may take an hour. So its id is in the cursor before anybody
waits for it, and a reading that is resumed takes up the report that is running.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.paging import Moved
from crm_sync_assets.clients.rest.source import Job
from crm_sync_assets.clients.rest.values import at
from crm_sync_assets.clients.waiting import Polls, until_ended
from crm_sync_assets.errors import Closed, Gone


class Jobs:
    """The reports of one reading."""

    def __init__(self, session: Session, job: Job, addresses: Addresses) -> None:
        self._session = session
        self._job = job
        self._addresses = addresses

    def ordered(self, member: str | None, params: Mapping[str, str]) -> str:
        """The id of a report that was ordered just now."""
        answer = self._session.post(
            self._addresses.path(self._job.submit, member),
            self._job.order(params),
            accept=(200, 201, 202),
            check=partial(_lacks, what=self._job.id),
        )
        return str(at(answer.json, self._job.id))

    def wait_for(self, member: str | None, job: str) -> None:
        """Wait until the report is ready.

        Raises Moved for one that failed or is forgotten, TransientError for one that takes too
        long: the next sync asks about it again.
        """
        path = self._addresses.path(self._job.status, member, {"job": job})
        every = self._job.every_seconds

        def look() -> tuple[bool | None, str]:
            state = self._state_at(path, job)
            if state in self._job.failed:
                raise Moved(f"report {job} ended as {state}")
            return state in self._job.ready or None, state

        polls = Polls(every, every, self._job.most_seconds)
        until_ended(self._session, f"report {job}", look, polls)

    def _state_at(self, path: str, job: str) -> str:
        check = partial(_lacks, what=self._job.state)
        try:
            return str(at(self._session.get(path, check=check).json, self._job.state))
        except (Closed, Gone) as error:
            raise Moved(f"report {job} is not known any more: {error}") from None


def _lacks(body: Any, what: str) -> str | None:
    return None if at(body, what) not in (None, "") else f"the answer has no {what}"
