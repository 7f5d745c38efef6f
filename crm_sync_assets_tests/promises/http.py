"""A subject behind HTTP: the sandbox's, whose fault script knows its pages by their addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

import pytest

from crm_sync_assets.errors import Deferred, FatalError, Forbidden, TransientError, Unauthorized
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.clocks import feeds_reach_back_from
from crm_sync_assets_tests.promises.driver import NOON, Fault, Reading, Subject

FAULTS: Mapping[str, Fault] = {
    "500": Fault({"status": 500}, TransientError),
    "502 in HTML": Fault({"status": 502, "body": "html"}, TransientError),
    "dropped connection": Fault({"drop": True}, TransientError),
    "truncated body": Fault({"truncate": 0.5}, TransientError),
    "too long a Content-Length": Fault({"content_length": 50}, TransientError),
    "HTML with 200": Fault({"body": "html"}, FatalError),
    "half a JSON": Fault({"body": '{"results": ['}, FatalError),
    "a page without records": Fault({"body": "{}"}, FatalError),
    "an empty body": Fault({"body": "empty"}, FatalError),
    "429": Fault({"status": 429, "retry_after": "7"}, Deferred),
    "400": Fault({"status": 400}, FatalError, retried=False),
    "401": Fault({"status": 401}, Unauthorized, retried=False),
    "404": Fault({"status": 404}, FatalError, retried=False),
}


class HttpSubject(Subject):
    """`pages` has, per reading, the regex of the fault script that a page's request meets."""

    pages: ClassVar[Mapping[Reading, str]]
    faults = FAULTS
    absences: ClassVar = {"403": Fault({"status": 403}, Forbidden, retried=False)}
    token: ClassVar[str]
    """The variable that has the secret."""
    base_url: ClassVar[str]
    """The variable that has the address."""

    overlap_seconds: ClassVar[int | None] = None
    """0: the promises hold without a second look at what was there already."""

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Options of the sandbox, so that its world has `count` records, or what `fill` adds to."""
        return {}

    @classmethod
    @contextmanager
    def opened(
        cls, environment: pytest.MonkeyPatch, _fixture: Callable[[str], Any]
    ) -> Iterator[Self]:
        with Sandbox(**({"seed": 11, "contacts": 1, "zipcodes": 1} | cls.small())) as sandbox:
            subject = cls(environment, sandbox)
            subject.fill()
            subject.connect()
            yield subject
            subject.close()

    def fill(self) -> None:
        """Make what is not there in the beginning."""

    def __init__(self, environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
        super().__init__(environment)
        self.sandbox = sandbox
        self.world: Any = getattr(sandbox, self.crm)
        sandbox.clock.freeze(NOON)
        feeds_reach_back_from(environment, sandbox.clock.now)
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        # The sandbox's own limits are off, so the client need not keep to them either.
        self.configure(rate_windows="[]")
        if self.overlap_seconds is not None:
            self.configure(overlap_seconds=self.overlap_seconds)

    @property
    def asking(self) -> list[Any]:
        """Whatever of the client has a `sleep` of its own."""
        self.client._sleep = self.waits.append
        return list(self.client._opened)

    def hurry(self) -> None:
        for one in self.asking:
            one.sleep = self.waits.append

    def pass_time(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def before_page(self, number: int, act: Callable[[], None], reading: Reading) -> None:
        self.sandbox.faults.add(self.pages[reading], on=number, callback=lambda _: act())

    def break_page(self, number: int, fault: Fault, reading: Reading, *, lasting: bool) -> None:
        on = f"{number}-" if lasting else number
        self.sandbox.faults.add(self.pages[reading], on=on, **fault.action)

    def count_pages(self, reading: Reading) -> Callable[[], int]:
        entries = self.sandbox.ledger.entries
        before = entries[-1].number if entries else 0

        def count() -> int:
            asked = [entry for entry in list(entries) if entry.number > before]
            lines = [f"{e.method} {e.path}?{e.query} {e.action}" for e in asked]
            return sum(bool(re.search(self.pages[reading], line)) for line in lines)

        return count

    def mend(self) -> None:
        self.sandbox.faults.clear()

    def pause_page(self, number: int, seconds: float, *, lasting: bool) -> None:
        action = {"status": 429, "retry_after": str(seconds)}
        self.break_page(number, Fault(action, Deferred), "full", lasting=lasting)

    def lie_at(self, number: int, lie: Literal["empty", "short"]) -> None:
        self.sandbox.faults.add(self.pages["full"], on=number, lie=lie)

    def give_wrong_credentials(self, secret: str) -> str:
        self.environment.setenv(self.token, secret)
        return self.token

    def point_nowhere(self) -> Callable[[], None]:
        self.environment.setenv(self.base_url, "http://127.0.0.1:1/")
        there = self.sandbox.env()[self.base_url]
        return lambda: self.environment.setenv(self.base_url, there)
