"""One HTTP client per CRM: authorised, within the account's budget, patient, and never half a page.

What a request may meet and what happens then:

- 429, and what the API's dialect counts as one: wait as told, else as the dialect says. The pause
  is shared by all processes of the account.
- 5xx, 423, broken connections, bodies cut short: again with growing random waits, at most
  `max_attempts` in a row.
- 401: the token is refreshed once. 403, 404, other 4xx, TLS, a redirect elsewhere: fatal.

All waiting of a session is bounded by `budget_seconds`; what would take longer is Deferred.
"""

from __future__ import annotations

import io
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit

from crm_sync_assets.clients.answers import (
    LONGEST_BACKOFF,
    Again,
    Answer,
    Check,
    Dialect,
    Params,
    Pause,
    decode,
    http_date,
    jitter,
)
from crm_sync_assets.clients.auth import Auth
from crm_sync_assets.clients.decoding import dumps
from crm_sync_assets.clients.limits import Budget
from crm_sync_assets.clients.proxied import Proxied, Transport
from crm_sync_assets.clients.wire import (
    Arriving,
    Broken,
    Direct,
    Late,
    Untrusted,
    Wire,
    proxy_for,
)
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    Deferred,
    FatalError,
    Forbidden,
    Gone,
    TooLarge,
    TooLong,
    TransientError,
    Unauthorized,
    Unavailable,
)
from crm_sync_assets.log import logger
from crm_sync_assets.masking import masked
from crm_sync_assets.settings import SyncSettings

log = logger(__name__)
# httpx announces each request with its whole address, which is several thousand characters long.
logging.getLogger("httpx").setLevel(logging.WARNING)  # noqa: TID251  a library's

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_REDIRECTS: Final = 3
USER_AGENT: Final = "crm-sync-assets"


class Http:
    """Requests to one host, from many threads at once.

    Straight to it, or by httpx through the proxy that the environment names. `windows` are the
    budget windows of an ordinary request. `is_live` says that answers must come from the source and
    not from a cache. `transport` replaces the network in tests, `sleep` the waiting.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth | None,
        budget: Budget,
        settings: SyncSettings,
        dialect: Dialect | None = None,
        windows: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        is_live: bool = True,
    ) -> None:
        self.is_live = is_live
        self.base_url = base_url.rstrip("/")
        self.auth = auth
        self.budget = budget
        self.settings = settings
        self.dialect = dialect or Dialect()
        self.windows = tuple(windows)
        self.sleep = sleep
        base = urlsplit(self.base_url)
        self._host, self._base_path = base.netloc, base.path
        origin = f"{base.scheme}://{base.netloc}"
        self._wire: Wire = (
            Direct(origin)
            if transport is None and proxy_for(origin) is None
            else Proxied(origin, transport)
        )
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Cache-Control": "no-cache",
            **(headers or {}),
        }
        self._clock: tuple[datetime, float] | None = None

    def session(self, subject: str, usage: Usage | None = None) -> Session:
        """Requests on behalf of `subject` (an entity's name), counted in `usage`."""
        return Session(self, subject, usage or Usage())

    def source_time(self) -> datetime | None:
        """The server's clock now, to the second, rather early than late; None before any answer."""
        clock = self._clock
        if clock is None:
            return None
        now = clock[0] + timedelta(seconds=time.monotonic() - clock[1])
        return now.replace(microsecond=0)

    def close(self) -> None:
        self._wire.close()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        params: Params | None,
        body: bytes | None,
        headers: Mapping[str, str],
        most_bytes: int,
        usage: Usage,
    ) -> Answer:
        """One request and its whole answer. Raises Again or FatalError when there is none."""
        shown = f"{method} {urlsplit(path).path}"
        limit = self.settings.timeout_seconds
        usage.add(api_calls=1)
        try:
            with self._wire.send(
                method,
                self._target(path, params),
                {**self._headers, **headers},
                body,
                seconds=limit,
            ) as response:
                content = self._read(response, shown, most_bytes, usage)
        except Late as error:
            raise Again(f"{shown} had no complete answer within {limit:g} s") from error
        except Untrusted as error:
            raise Unavailable(
                f"{shown}: no trusted TLS connection to {self._host}: {error}. Check the "
                "base URL, the clock of this machine and its certificates."
            ) from error
        except Broken as error:
            raise Again(f"{shown} broke: {error}") from error
        self._refuse_stale(response.headers, shown)
        date = http_date(response.headers.get("date"))
        return Answer(response.status, response.headers, content, None, shown, date)

    def note_clock(self, date: datetime | None, began: float) -> None:
        """Set the source's clock by an answer to a request of that moment.

        By what the source itself answered: an error or a login page may be a proxy's, by its clock.
        """
        if date is not None:
            now = time.monotonic()
            self._clock = (date - timedelta(seconds=now - began), now)

    def _refuse_stale(self, headers: Mapping[str, str], shown: str) -> None:
        """Raise Again for what a cache on the way kept for longer than the source may lag.

        What changed since then is not in it, and the watermark would pass over that. A file is
        asked for by its version, and a cache of it does no more harm than a later sync mends.
        """
        age = headers.get("age", "").strip()
        lag = self.settings.lag_seconds
        if self.is_live and age.isdecimal() and int(age) > lag:
            raise Again(
                f"{shown}: a cache on the way answered in the source's place, with what it kept "
                f"{int(age)} s ago; no more than {lag:g} s may pass",
                content=True,
            )

    def _target(self, path: str, params: Params | None) -> str:
        """What stands in the request line for a path below the base URL, or for a whole address."""
        parts = urlsplit(path)
        target = path if not parts.scheme else f"{parts.path or '/'}?{parts.query}".rstrip("?")
        if not parts.scheme:
            target = self._base_path + target
        target = quote(target, safe="/?&=%:@!$'()*+,;~[]")
        if not params:
            return target
        return f"{target}{'&' if '?' in target else '?'}{urlencode(params)}"

    def redirected(self, answer: Answer) -> str:
        """Where to go instead. Raises FatalError when that is another host."""
        try:
            address = urljoin(self.base_url, answer.header("location") or "")
            target, base = urlsplit(address), urlsplit(self.base_url)
            same = _server(target) == _server(base)
        except ValueError:
            raise FatalError(f"{answer.request} was redirected to what is no address") from None
        if not same:
            if target.hostname == base.hostname and target.scheme == "https" != base.scheme:
                raise FatalError(
                    f"{answer.request} was redirected from http:// to https://: write the base URL "
                    "with https://."
                )
            raise FatalError(
                f"{answer.request} was redirected to {target.scheme}://{target.hostname}, another "
                "host, which would have received the token: refused. Check the base URL."
            )
        return address

    def _read(self, response: Arriving, shown: str, most_bytes: int, usage: Usage) -> bytes:
        """The body, unpacked. Raises Again when it is not whole, TooLarge when it is that.

        Unpacked as it arrives, so that nothing is unpacked beyond what may be kept.
        """
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise Again(f"{shown} sent Content-Encoding {masked(encoding)}, not the gzip offered")
        gzip = _Gzip() if "gzip" in encoding else None
        content = io.BytesIO()
        arrived = 0
        try:
            for chunk in response.chunks:
                arrived += len(chunk)
                most = most_bytes - content.tell()
                content.write(gzip.unpack(chunk, most + 1) if gzip else chunk)
                if max(content.tell(), arrived) > most_bytes:
                    raise TooLarge(
                        f"{shown}: the answer is larger than {most_bytes:,} bytes: refused. "
                        "Ask for smaller pages (--batch-size)."
                    )
        except zlib.error as error:
            raise Again(f"{shown} sent gzip that cannot be unpacked: {error}") from error
        finally:
            usage.add(bytes_received=arrived)
        length = response.headers.get("content-length", "")
        if length.isdigit() and arrived != int(length) and response.status != 304:
            raise Again(f"{shown}: {arrived} bytes arrived instead of {length}")
        if gzip and not gzip.is_whole and (arrived or response.status == 200):
            raise Again(f"{shown}: the gzip stream ends after {arrived} bytes, before its end")
        return content.getvalue()


class _Gzip:
    """Unpacks a gzip body as it arrives."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def unpack(self, packed: bytes, most: int) -> bytes:
        """The next bytes, `most` at most; zlib.error for what is no gzip."""
        found = b""
        while packed and len(found) < most:
            if self._member.eof:
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            found += self._member.decompress(packed, most - len(found))
            packed = self._member.unused_data
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the stream's own end has come, its checksum right."""
        return self._member.eof


class Session:
    """The requests of one reading: counts them, waits between them, decides about failures.

    Several threads may use it at once: what their requests wait at the same time counts once
    against the time budget.
    """

    def __init__(self, http: Http, subject: str, usage: Usage) -> None:
        self.subject = subject
        self.usage = usage
        self._http = http
        self._waited = 0.0
        self._waits: list[float] = []
        self._counting = threading.Lock()
        self._booked: tuple[str, ...] | None = None

    def get(self, path: str, params: Params | None = None, **options: Any) -> Answer:
        """The answer to a GET; the options are those of `request`."""
        return self.request("GET", path, params=params, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        """The answer to a POST; the options are those of `request`."""
        return self.request("POST", path, json=json, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Iterable[int] = (200,),
        expect: Literal["json", "bytes"] = "json",
        check: Check | None = None,
        windows: Sequence[str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """The answer, complete and of an accepted status.

        `check` looks at the decoded body; what it finds wrong is tried again like a body cut
        short. Raises TransientError when the tries are used up, Deferred when the source wants a
        longer pause than the time budget has left, TooLarge for more than `most_bytes`, FatalError
        for what no retry mends.
        """
        http, accepted = self._http, frozenset(accept)
        sent = dict(headers or {})
        body: bytes | None = None
        if form is not None:
            body = urlencode(dict(form)).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif json is not None:
            body, sent["Content-Type"] = dumps(json), "application/json"
        tries = redirects = slowed = 0
        refreshed = False
        while True:
            self._take(http.windows if windows is None else windows)
            token = http.auth.token() if http.auth else ""
            if token:
                sent["Authorization"] = f"Bearer {token}"
            began = time.monotonic()
            try:
                answer = http.exchange(
                    method,
                    path,
                    params=params,
                    body=body,
                    headers=sent,
                    most_bytes=most_bytes,
                    usage=self.usage,
                )
                pause = http.dialect.pause(answer, slowed + 1)
                if pause is not None:
                    slowed += 1
                    self._slow_down(answer, pause)
                    continue
                slowed = 0
                if answer.status in accepted:
                    decoded = decode(answer, expect, check, token)
                    http.note_clock(answer.date, began)
                    return decoded
                if answer.status in (301, 302, 303, 307, 308):
                    redirects += 1
                    if redirects > MOST_REDIRECTS:
                        raise FatalError(f"{self.subject}: {answer.request}: redirected in circles")
                    path, params = http.redirected(answer), None
                    continue
                if answer.status == 401 and http.auth and not refreshed:
                    refreshed = True
                    if http.auth.refresh(token):
                        self.usage.add(retries=1)
                        continue
                raise self._failure(answer, token)
            except Again as again:
                tries += 1
                self._back_off(again, tries, token)
            except FatalError as error:
                if not str(error).startswith(self.subject):
                    # Its class says what happens next, and why.
                    error.args = (f"{self.subject}: {masked(str(error), [token], 1000)}",)
                raise error from None

    def book_ahead(self, windows: Sequence[str] | None = None) -> None:
        """Take the next request's place in the account's budget now, if it can be had at once.

        To be called before a page is passed on: then the thread that stores it wants the time.
        """
        wanted = tuple(self._http.windows if windows is None else windows)
        try:
            self._http.budget.take(wanted, most_wait=0.0)
        except Deferred:
            return
        with self._counting:
            self._booked = wanted

    def _take(self, windows: Sequence[str]) -> None:
        """Wait for this request's place in the account's budget, unless it is booked."""
        with self._counting:
            booked, self._booked = self._booked, None
        if booked == tuple(windows):
            return
        try:
            waited = self._http.budget.take(
                windows, most_wait=self._http.settings.budget_seconds, sleep=self._http.sleep
            )
        except Deferred as error:
            raise Deferred(f"{self.subject}: {error}", until=error.until) from None
        self.usage.add(rate_limit_wait_seconds=waited)

    def _slow_down(self, answer: Answer, pause: Pause) -> None:
        self.usage.add(rate_limit_hits=1)
        seconds = max(pause.seconds, 0.0)
        if pause.window:
            self._http.budget.pause(pause.window, seconds)
        reason = masked(pause.reason)
        self._within_budget(answer.request, reason, seconds, defer=pause.defer)
        log.info("%s: %s, waiting %.1f s", self.subject, reason, seconds)
        self.usage.add(rate_limit_wait_seconds=seconds)
        self._wait(seconds)

    def _within_budget(
        self, request: str, reason: str, seconds: float, *, defer: bool = False
    ) -> None:
        budget = self._http.settings.budget_seconds
        if self._waited_after(seconds) <= budget and not defer:
            return
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        raise Deferred(
            f"{self.subject}: deferred until {until.isoformat()}: {request}: {reason}; the source "
            f"asks for {seconds:.0f} s, {self._waited:.0f} of at most {budget:.0f} s were waited "
            "already. What was stored stays; the next sync resumes from there.",
            until=until,
        )

    def _back_off(self, again: Again, tries: int, token: str) -> None:
        """Wait before the next try; raises when there is none."""
        most = self._http.settings.max_attempts
        reason = masked(again.reason, [token], 600)
        seconds = max(again.least, jitter(min(0.5 * 2**tries, LONGEST_BACKOFF)))
        if tries >= most:
            if again.content:
                raise FatalError(
                    f"{self.subject}: unexpected content, {tries} times in a row: {reason}. Check "
                    "the base URL, and whether a proxy or a login page answers in its place."
                ) from again
            raise TransientError(
                f"{self.subject}: {reason}; given up after {tries} failures in a row. What was "
                "stored stays; the next sync resumes from there."
            ) from again
        if self._waited_after(seconds) > self._http.settings.budget_seconds:
            if again.least:
                self._within_budget(reason, "the source asks for a pause", seconds)
            raise TransientError(
                f"{self.subject}: {reason}; the time budget for retries is used up "
                f"({self._waited:.0f} s). The next sync resumes from the last stored page."
            ) from again
        log.info("%s: %s; try %d of %d in %.1f s", self.subject, reason, tries + 1, most, seconds)
        self.usage.add(retries=1)
        self._wait(seconds)

    def wait_to_ask_again(self, tries: int, why: str) -> None:
        """Wait as after so many failures, because an answer cannot be true."""
        seconds = jitter(min(0.5 * 2**tries, LONGEST_BACKOFF))
        log.info("%s: %s; asking again in %.1f s", self.subject, why, seconds)
        self.usage.add(retries=1)
        if self._waited_after(seconds) <= self._http.settings.budget_seconds:
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._counting:
            self._waited = self._waited_after(seconds)
            self._waits.append(until)
        try:
            self._http.sleep(seconds)
        finally:
            with self._counting:
                self._waits.remove(until)

    def _waited_after(self, seconds: float) -> float:
        """Seconds waited in all after such a wait, without what it shares with waits under way."""
        alone = time.monotonic() + seconds - max(self._waits, default=0.0)
        return self._waited + min(seconds, max(alone, 0.0))

    def _failure(self, answer: Answer, token: str) -> Exception:
        """What an answer that was not accepted becomes."""
        status = answer.status
        said = masked(self._http.dialect.explain(answer), [token], 600)
        what = (
            f"{answer.request} answered {status}: {said}"
            if said
            else (f"{answer.request} answered {status}")
        )
        if status >= 500 or status in (408, 423, 425):
            return Again(what, least=self._http.dialect.least_wait(answer))
        variable = self._http.auth.variable if self._http.auth else "the credentials"
        if status == 401:
            advice = f"The token was refused: check {variable}."
        elif status == 403:
            advice = "Grant what is missing to the app or token, then run it again."
        elif status == 404:
            advice = "Check the base URL, the object's name or type id, and whether it is enabled."
        else:
            advice = "No retry mends this: check the declaration of the entity and the settings."
        kinds: dict[int, type[FatalError]] = {
            400: BadRequest,
            401: Unauthorized,
            403: Forbidden,
            404: Closed,
            410: Gone,
            414: TooLong,
        }
        kind = kinds.get(status, FatalError)
        return kind(f"{self.subject}: {what}. {advice}")


def _server(address: SplitResult) -> tuple[str, str | None, int | None]:
    port = address.port or {"https": 443, "http": 80}.get(address.scheme)
    return address.scheme, address.hostname, port
