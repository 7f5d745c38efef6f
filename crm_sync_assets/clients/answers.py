"""An answer, and how an API says no: what is tried again, what waits, what is final."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final

from crm_sync_assets.clients.decoding import Format
from crm_sync_assets.errors import Deferred, FatalError
from crm_sync_assets.masking import excerpt, masked

Params = Mapping[str, str]
Check = Callable[[Any], str | None]
"""The decoded body → what is wrong with its shape, None if nothing."""
LONGEST_BACKOFF: Final = 60.0
# No source has a limit longer than a day; asking again then costs one request.
LONGEST_PAUSE: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response. `json` is the decoded body, None where bytes were expected."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    json: Any = field(repr=False)
    request: str
    date: datetime | None

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


@dataclass(frozen=True, slots=True)
class Pause:
    """The source asks for patience. `window` names the budget window that shares the pause.

    `defer` ends the reading however short the pause is.
    """

    seconds: float
    reason: str
    window: str | None = None
    defer: bool = False


@dataclass(frozen=True, slots=True)
class Ok:
    """The answer is what was asked for, whatever its status."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Another try may succeed, `least` seconds from now at the earliest.

    `then` is the kind of error when none of them does, TransientError where it is not given.
    """

    reason: str = ""
    least: float = 0.0
    then: type[FatalError] | None = None


@dataclass(frozen=True, slots=True)
class Fatal:
    """No retry mends this. What is Unauthorized is tried once with new credentials all the same."""

    kind: type[FatalError]
    reason: str = ""

    def __post_init__(self) -> None:
        if issubclass(self.kind, Deferred):
            raise ValueError("what is only put off is a Pause, which says for how long")


@dataclass(frozen=True, slots=True)
class Absent:
    """What was asked for is there no more: raised as Gone."""

    reason: str = ""


Verdict = Ok | Retry | Pause | Fatal | Absent
"""What an answer means. Where no `reason` is given, it is what the dialect explains."""


class Dialect:
    """How an API says no. The default fits an API without habits; a CRM overrides what differs."""

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        """What an answer of any status means; None where its status says it.

        `tries` is 1, and one more with each pause in a row.
        """
        if answer.status != 429:
            return None
        told = retry_after(answer)
        seconds = told if told is not None else jitter(min(2.0**tries, LONGEST_BACKOFF))
        return Pause(seconds, "too many requests")

    def explain(self, answer: Answer) -> str:
        """What the body says about the failure, in one line, without secrets."""
        return masked(answer.body)

    def grants(self, answer: Answer) -> Sequence[str]:  # noqa: ARG002  most do not say
        """What a 403 says would have to be granted, by the names that the source has for it."""
        return ()

    def least_wait(self, answer: Answer) -> float:
        """The shortest wait before the request is tried again."""
        told = retry_after(answer)
        return told if told is not None else 2.0 if answer.status == 423 else 0.0


class Again(Exception):
    """One try failed and another may succeed; `then` is the kind of error when none does."""

    def __init__(
        self,
        reason: str,
        *,
        least: float = 0.0,
        content: bool = False,
        then: type[FatalError] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.least = least
        self.content = content
        self.then = then


def decode(
    answer: Answer,
    expect: Format | None,
    check: Check | None,
    secrets: Sequence[str],
) -> Answer:
    """The answer with its body decoded; as bytes where no format is expected.

    Raises Again when it is not what was asked for.
    """
    value: Any = None
    if expect is None and answer.status == 200 and not _says_it_is_whole(answer):
        raise Again(f"{answer.request} ended with the connection: nothing says it is whole")
    if expect is not None and (answer.body or answer.status == 200):
        kind = answer.header("content-type") or ""
        if kind and expect.kind not in kind:
            shown = excerpt(answer.body, secrets)
            raise Again(f"{answer.request} sent {kind}, not {expect.name}: {shown}", content=True)
        try:
            value = expect.loads(answer.body)
        except ValueError as error:
            shown = excerpt(answer.body, secrets)
            raise Again(
                f"{answer.request} sent {expect.name} that cannot be read ({error}): {shown}",
                content=True,
            ) from error
    if check is not None:
        try:
            problem = check(value)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            problem = f"the answer has another shape: {type(error).__name__}: {error}"
        if problem:
            raise Again(f"{answer.request}: {problem}", content=True)
    return Answer(answer.status, answer.headers, answer.body, value, answer.request, answer.date)


def _says_it_is_whole(answer: Answer) -> bool:
    """Whether a body cut short would have been noticed; what is parsed is noticed anyway."""
    is_counted = (answer.header("content-length") or "").isdecimal()
    return (
        is_counted
        or bool(answer.header("transfer-encoding"))
        or "gzip" in (answer.header("content-encoding") or "")
    )


def retry_after(answer: Answer) -> float | None:
    """Seconds the Retry-After header asks for; None where it is missing or makes no sense.

    A day at most. A date is compared with the server's own clock where the answer has a Date
    header. One that has passed asks for a moment, chosen at random.
    """
    text = (answer.header("retry-after") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = http_date(text)
        if moment is None:
            return None
        seconds = (moment - (answer.date or datetime.now(UTC))).total_seconds()
    if not math.isfinite(seconds):
        return None
    return min(seconds, LONGEST_PAUSE) if seconds > 0 else random.uniform(0.05, 0.5)


def is_page(answer: Answer) -> bool:
    """Whether it is a page for people: what a gateway or a firewall answers in the API's place."""
    kind = (answer.header("content-type") or "").lower()
    if "xml" in kind and "html" not in kind:
        return False
    return "html" in kind or answer.body[:64].lstrip().startswith(b"<")


def until_midnight(answer: Answer, utc_offset: timedelta = timedelta(0)) -> float:
    """Seconds until the day ends where the clock is so far ahead of UTC, by the server's clock."""
    zone = timezone(utc_offset)
    now = (answer.date or datetime.now(UTC)).astimezone(zone)
    midnight = datetime(now.year, now.month, now.day, tzinfo=zone) + timedelta(days=1)
    return (midnight - now).total_seconds()


def jitter(seconds: float) -> float:
    """A random share of `seconds`, so that those who failed together do not return together."""
    return random.uniform(0.0, seconds)


def http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
