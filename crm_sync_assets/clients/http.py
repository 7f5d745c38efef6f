"""One HTTP client per CRM: authorised, within the account's budget, patient, and never half a page.

What a request may meet and what happens then:

- What the API's dialect has a verdict about: as it says, whatever the status.
- 429, and what the dialect counts as one: wait as told, else as the dialect says. The pause is
  shared by all processes of the account.
- 5xx, 423, broken connections, bodies cut short: again with growing random waits, at most
  `max_attempts` in a row.
- 401: the credentials are refreshed once. 403, 404, other 4xx, TLS, a redirect elsewhere: fatal.

All waiting of a session is bounded by `budget_seconds`; what would take longer is Deferred.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from crm_sync_assets.clients.answers import (
    Again,
    Answer,
    Check,
    Dialect,
    Ok,
    Params,
    Pause,
    Verdict,
    decode,
    http_date,
)
from crm_sync_assets.clients.auth import NOTHING, Auth, Proof, Request
from crm_sync_assets.clients.bodies import whole_body
from crm_sync_assets.clients.decoding import JSON, Format, dumps
from crm_sync_assets.clients.host import Host, named_by_a_grant
from crm_sync_assets.clients.limits import Budget, Cost
from crm_sync_assets.clients.patience import Patience
from crm_sync_assets.clients.proxied import Transport
from crm_sync_assets.clients.refusals import failure, is_refused
from crm_sync_assets.clients.wire import Broken, Late, Untrusted
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import Deferred, FatalError, Unavailable
from crm_sync_assets.log import logger
from crm_sync_assets.masking import masked
from crm_sync_assets.settings import SyncSettings

log = logger(__name__)
# httpx announces each request with its whole address, which is several thousand characters long.
logging.getLogger("httpx").setLevel(logging.WARNING)  # noqa: TID251  a library's

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_REDIRECTS: Final = 3
LEASE_MARGIN: Final = 30.0
"""Seconds that a request's lease outlives its timeout, for what authorises it first."""
USER_AGENT: Final = "crm-sync-assets"


class Http:
    """Requests to one host, from many threads at once.

    Straight to it, or by httpx through the proxy that the environment names. Where a token came
    with another base URL, requests go there. `windows` are the budget windows of an ordinary
    request, `format` is that of its answer. `is_live` says that answers must come from the source
    and not from a cache. `transport` replaces the network in tests, `sleep` the waiting.
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
        format: Format = JSON,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        is_live: bool = True,
    ) -> None:
        self.is_live = is_live
        self.format = format
        self.base_url = base_url.rstrip("/")
        self.auth = auth
        self.budget = budget
        self.settings = settings
        self.dialect = dialect or Dialect()
        self.windows = tuple(windows)
        self.sleep = sleep
        self._transport = transport
        self._hosts = {self.base_url: Host(self.base_url, transport)}
        self._opening = threading.Lock()
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": format.accept,
            "Accept-Encoding": "gzip",
            "Cache-Control": "no-cache",
            **(headers or {}),
        }
        self._clock: tuple[datetime, float] | None = None

    def session(self, subject: str, usage: Usage | None = None) -> Session:
        """Requests on behalf of `subject` (an entity's name), counted in `usage`."""
        return Session(self, subject, usage or Usage())

    def like(self, settings: SyncSettings) -> Http:
        """The same with other settings and connections of its own."""
        return Http(
            self.base_url,
            auth=self.auth,
            budget=self.budget,
            settings=settings,
            dialect=self.dialect,
            headers=self._headers,
            format=self.format,
            transport=self._transport,
            sleep=self.sleep,
            is_live=self.is_live,
        )

    def source_time(self) -> datetime | None:
        """The server's clock now, to the second, rather early than late; None before any answer."""
        clock = self._clock
        if clock is None:
            return None
        now = clock[0] + timedelta(seconds=time.monotonic() - clock[1])
        return now.replace(microsecond=0)

    def close(self) -> None:
        with self._opening:
            for host in self._hosts.values():
                host.wire.close()

    def host(self, proof: Proof) -> Host:
        """Where a request that is authorised so goes. Raises FatalError for a host not to trust."""
        if proof.base_url is None:
            return self._hosts[self.base_url]
        base_url = named_by_a_grant(proof.base_url, self.base_url)
        with self._opening:
            if base_url not in self._hosts:
                self._hosts[base_url] = Host(base_url, self._transport)
            return self._hosts[base_url]

    def proof(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Proof:
        """What authorises this request; of one that needs nothing, nothing."""
        if self.auth is None:
            return NOTHING
        host = self._hosts[self.base_url]
        target = host.target(path, params)
        return self.auth.proof(
            Request(method, host.name, target, {**self._headers, **headers}, body)
        )

    def exchange(
        self,
        host: Host,
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
            with host.wire.send(
                method,
                host.target(path, params),
                {**self._headers, **headers},
                body,
                seconds=limit,
            ) as response:
                content = whole_body(response, shown, most_bytes, usage)
        except Late as error:
            raise Again(f"{shown} had no complete answer within {limit:g} s") from error
        except Untrusted as error:
            advice = "Check the base URL, the clock of this machine and its certificates"
            if "WRONG_VERSION_NUMBER" in str(error):
                advice = "Nobody speaks TLS there: if that is right, the base URL is http://…"
            raise Unavailable(
                f"{shown}: no trusted TLS connection to {host.name}: {error}. {advice}."
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


@dataclass(slots=True)
class _Asking:
    """One request until it is answered: what is sent, what is accepted, what it has met so far.

    `failures` and `redirects` are counted in all, `pauses` in a row.
    """

    method: str
    path: str
    params: Params | None
    body: bytes | None
    headers: dict[str, str]
    accept: frozenset[int]
    expect: Format | None
    check: Check | None
    most_bytes: int
    failures: int = 0
    redirects: int = 0
    pauses: int = 0
    is_refreshed: bool = False


def _sent(
    json: Any, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
) -> tuple[bytes | None, dict[str, str]]:
    """A request's body, of a form or of JSON, and its headers."""
    sent = dict(headers or {})
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
        return urlencode(dict(form)).encode(), sent
    if json is not None:
        sent.setdefault("Content-Type", "application/json")
        return dumps(json), sent
    return None, sent


class Session:
    """The requests of one reading: counts them, waits between them, decides about failures.

    Several threads may use it at once: what their requests wait at the same time counts once
    against the time budget.
    """

    def __init__(self, http: Http, subject: str, usage: Usage) -> None:
        self.subject = subject
        self.usage = usage
        self._http = http
        # The client's sleep may be replaced while its sessions live.
        self._patience = Patience(subject, http.settings, lambda s: http.sleep(s), usage)
        self._booking = threading.Lock()
        self._booked: tuple[tuple[str, ...], Cost] | None = None

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
        content: bytes | None = None,
        expect: Literal["json", "bytes"] | Format = "json",
        check: Check | None = None,
        windows: Sequence[str] | None = None,
        cost: Cost = 1,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """The answer, complete and of an accepted status.

        What is sent is `json`, a `form`, or `content` of a type that the headers name. Each try
        takes `cost` places of every window, or of each what `cost` names. It is decoded as the API
        writes, or as a format of its own, or left as bytes. `check` looks at the decoded body; what
        it finds wrong is tried again like a body cut short. Raises
        TransientError when the tries are used up, Deferred when the source wants a longer pause
        than the time budget has left, TooLarge for more than `most_bytes`, FatalError for what no
        retry mends.
        """
        body, sent = _sent(json, form, headers)
        body = content if content is not None else body
        http = self._http
        format = http.format if expect == "json" else None if expect == "bytes" else expect
        asking = _Asking(
            method, path, params, body, sent, frozenset(accept), format, check, most_bytes
        )
        while True:
            lease = self._take(http.windows if windows is None else windows, cost)
            proof = self._proof(asking, lease)
            try:
                answer = self._try(asking, proof, lease)
            except Again as again:
                asking.failures += 1
                self._patience.back_off(again, asking.failures, proof.secrets)
            except FatalError as error:
                if not str(error).startswith(self.subject):
                    # Its class says what happens next, and why.
                    error.args = (f"{self.subject}: {masked(str(error), proof.secrets, 1000)}",)
                raise error from None
            else:
                if answer is not None:
                    return answer

    def _proof(self, asking: _Asking, lease: str | None) -> Proof:
        http = self._http
        try:
            return http.proof(
                asking.method, asking.path, asking.params, asking.headers, asking.body
            )
        except BaseException:
            http.budget.release(lease)
            raise

    def _try(self, asking: _Asking, proof: Proof, lease: str | None) -> Answer | None:
        """The accepted answer to one try; None when the next one may follow at once.

        Raises Again and FatalError.
        """
        http = self._http
        began = time.monotonic()
        try:
            host = http.host(proof)
            answer = http.exchange(
                host,
                asking.method,
                asking.path,
                params=asking.params,
                body=asking.body,
                headers={**asking.headers, **proof.headers},
                most_bytes=asking.most_bytes,
                usage=self.usage,
            )
        finally:
            http.budget.release(lease)
        verdict = http.dialect.verdict(answer, asking.pauses + 1)
        if isinstance(verdict, Pause):
            asking.pauses += 1
            self._slow_down(answer, verdict)
            return None
        asking.pauses = 0
        if (verdict is None and answer.status in asking.accept) or isinstance(verdict, Ok):
            decoded = decode(answer, asking.expect, asking.check, proof.secrets)
            http.note_clock(answer.date, began)
            return decoded
        if verdict is None and answer.status in (301, 302, 303, 307, 308):
            asking.redirects += 1
            if asking.redirects > MOST_REDIRECTS:
                raise FatalError(f"{self.subject}: {answer.request}: redirected in circles")
            asking.path, asking.params = host.redirected(answer), None
            return None
        if is_refused(answer, verdict) and http.auth and not asking.is_refreshed:
            asking.is_refreshed = True
            if http.auth.refresh(proof.token):
                self.usage.add(retries=1)
                return None
        raise self._failure(answer, proof, verdict)

    def pause(self, seconds: float) -> None:
        """Wait because it is known that there is nothing to ask yet; no failure, no limit."""
        self._http.sleep(seconds)

    def hold_off(self, seconds: float, reason: str) -> None:
        """Wait as if the source had asked for it: it is known that it would.

        Raises Deferred when that is more than may be waited.
        """
        self._patience.pause("before the next request", Pause(seconds, reason))

    def book_ahead(self, windows: Sequence[str] | None = None, cost: Cost = 1) -> None:
        """Take the next request's place in the account's budget now, if it can be had at once.

        To be called before a page is passed on: then the thread that stores it wants the time.
        """
        wanted = tuple(self._http.windows if windows is None else windows)
        try:
            self._http.budget.take(wanted, most_wait=0.0, cost=cost)
        except Deferred:
            return
        with self._booking:
            self._booked = wanted, cost

    def _take(self, windows: Sequence[str], cost: Cost) -> str | None:
        """Wait for this request's place in the account's budget, unless it is booked.

        The lease under which it runs, where there are leases.
        """
        with self._booking:
            booked, self._booked = self._booked, None
        http = self._http
        self.usage.add(quota_units=http.budget.units(windows, cost))
        lease = http.budget.lease()
        if booked == (tuple(windows), cost):
            if lease is None:
                return None
            windows = ()
        try:
            waited = http.budget.take(
                windows,
                most_wait=http.settings.budget_seconds,
                sleep=http.sleep,
                cost=cost,
                lease=lease,
                lease_seconds=http.settings.timeout_seconds + LEASE_MARGIN,
            )
        except Deferred as error:
            raise Deferred(f"{self.subject}: {error}", until=error.until) from None
        self.usage.add(rate_limit_wait_seconds=waited)
        return lease

    def wait_to_ask_again(self, tries: int, why: str, *, is_odd: bool = True) -> None:
        """Wait as after so many failures, because an answer cannot be true, or is to be sure of."""
        self._patience.ask_again(tries, why, is_odd=is_odd)

    def _slow_down(self, answer: Answer, pause: Pause) -> None:
        """Wait as long as the source asks for, and let the others of the account wait too."""
        self.usage.add(rate_limit_hits=1)
        if pause.window:
            self._http.budget.pause(pause.window, max(pause.seconds, 0.0))
        self._patience.pause(answer.request, pause)

    def _failure(self, answer: Answer, proof: Proof, verdict: Verdict | None) -> Exception:
        """What an answer that was not accepted becomes."""
        auth = self._http.auth
        return failure(
            answer,
            verdict,
            self._http.dialect,
            subject=self.subject,
            variable=auth.variable if auth else "the credentials",
            secrets=proof.secrets,
        )
