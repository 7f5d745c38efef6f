"""An HTTP client whose network is a script, and whose waits take no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.answers import Dialect
from crm_sync_assets.clients.auth import Auth, Bearer
from crm_sync_assets.clients.http import Http, Session
from crm_sync_assets.clients.limits import Budget, Window
from crm_sync_assets.settings import SyncSettings

Reply = Callable[[httpx.Request], httpx.Response]
TOKEN = "pat-na1-0123456789abcdef"


def reply(
    status: int = 200, json: Any = None, headers: Mapping[str, str] | None = None, **rest: Any
) -> Reply:
    """Answers with this, each time anew, unread as from a network."""
    body = {"ok": True} if json is None and not rest else json
    made = httpx.Response(status, json=body, **rest)
    sent = httpx.Headers(made.headers)
    sent.update(headers)
    return lambda _: httpx.Response(status, headers=sent, stream=httpx.ByteStream(made.content))


def fails(error: Exception) -> Reply:
    """Breaks as if the network did."""

    def raising(_: httpx.Request) -> httpx.Response:
        raise error

    return raising


class Wire:
    """A scripted server: each request takes the next reply, the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.opened: list[Http] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.replies[min(len(self.requests), len(self.replies)) - 1](request)

    def session(
        self,
        *,
        auth: Auth | None = None,
        dialect: Dialect | None = None,
        base_url: str = "https://api.example.com",
        windows: Mapping[str, Window] | None = None,
        **settings: Any,
    ) -> Session:
        """A session against this server, on behalf of `crm.things`."""
        http = Http(
            base_url,
            auth=auth or Bearer(TOKEN, "CRM_TOKEN"),
            budget=Budget(windows or {}),
            settings=SyncSettings(**settings),
            dialect=dialect,
            transport=httpx.MockTransport(self),
            sleep=self.waits.append,
        )
        self.opened.append(http)
        return http.session("crm.things")


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    """Makes scripted servers."""
    made: list[Wire] = []

    def make(*replies: Reply) -> Wire:
        made.append(Wire(*replies))
        return made[-1]

    yield make
    for each in made:
        for http in each.opened:
            http.close()
