"""A HubSpot with nothing but contacts, rendered beforehand: fast enough not to be what is measured.

    python -m benchmarks.server --records 100000

It prints its address once it is ready. The list, the search (by modified date and id), the
properties and the account answer as HubSpot's do. `POST /control` changes it:
`{"change": 1000}` gives so many records a new version, now; `{"latency": 0.08}` makes every answer
that late; `{"limits": true}` counts 190 requests per 10 s and 5 searches per second, and answers
429 beyond; `GET /control` tells what was asked so far and forgets it.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from benchmarks import records

CONTACTS = "/hubspot/crm/v3/objects/contacts"
PROPERTIES = "/hubspot/crm/v3/properties/contacts"
ACCOUNT = "/hubspot/account-info/v3/details"
BURST, SEARCHES = (190, 10.0), (5, 1.0)

_TYPES = (
    dict.fromkeys(records.NUMBERS, "number")
    | dict.fromkeys(records.BOOLEANS, "bool")
    | dict.fromkeys(records.MOMENTS, "datetime")
)
_PROPERTIES = msgspec.json.encode(
    {"results": [{"name": n, "type": _TYPES.get(n, "string")} for n in records.NAMES]}
)
_ACCOUNT = msgspec.json.encode(
    {
        "portalId": 1,
        "accountType": "STANDARD",
        "uiDomain": "app.hubspot.com",
        "utcOffsetMilliseconds": 0,
    }
)


class World:
    """The records as JSON, and which of them changed when."""

    def __init__(self, count: int) -> None:
        self.pages = [records.rendered(number) for number in range(count)]
        self.changed: dict[int, int] = {}
        self.order: list[int] = []
        self.version = 0
        self.latency = 0.0
        self.limits = False
        self.requests = self.searches = self.refused = 0
        self._recent: dict[str, deque[float]] = {"burst": deque(), "search": deque()}

    def change(self, count: int) -> None:
        """A new version of `count` records spread over all, modified within the last second."""
        self.version += 1
        now = datetime.now(UTC)
        step = max(1, len(self.pages) // count)
        for place, number in enumerate(range(0, step * count, step)):
            at = now - timedelta(milliseconds=1000 * (1 - place / count))
            self.pages[number] = records.rendered(number, self.version, at)
            self.changed[number] = int(at.timestamp() * 1000)
        self.order = sorted(self.changed)

    def listed(self, after: int, limit: int) -> bytes:
        page = self.pages[after : after + limit]
        more = after + limit < len(self.pages)
        paging = b',"paging":{"next":{"after":"%d"}}' % (after + limit) if more else b""
        return b'{"results":[%b]%b}' % (b",".join(page), paging)

    def found(self, query: dict[str, Any]) -> bytes:
        """A search by `lastmodifieddate` and `hs_object_id`, in the order of ids."""
        since, last = 0, 0
        for group in query["filterGroups"]:
            for one in group["filters"]:
                if one["propertyName"] == "lastmodifieddate" and one["operator"].startswith("GT"):
                    since = int(one["value"])
                elif one["propertyName"] == "hs_object_id":
                    last = int(one["value"])
        start = bisect.bisect_right(self.order, last - records.FIRST_ID)
        met = [number for number in self.order[start:] if self.changed[number] >= since]
        after, limit = int(query.get("after") or 0), int(query.get("limit", 100))
        page = met[after : after + limit]
        more = after + limit < len(met)
        paging = b',"paging":{"next":{"after":"%d"}}' % (after + limit) if more else b""
        body = b",".join(self.pages[number] for number in page)
        return b'{"total":%d,"results":[%b]%b}' % (len(met), body, paging)

    def over_limit(self, search: bool) -> bool:
        """Whether this request is one too many; it is counted if it is not."""
        if not self.limits:
            return False
        name, (most, seconds) = ("search", SEARCHES) if search else ("burst", BURST)
        recent, now = self._recent[name], time.monotonic()
        while recent and now - recent[0] >= seconds:
            recent.popleft()
        if len(recent) >= most:
            self.refused += 1
            return True
        recent.append(now)
        return False


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as the contestants speak."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, _, fields = self.buffer[:end].partition(b"\r\n")
            length = 0
            for field in fields.lower().split(b"\r\n"):
                if field.startswith(b"content-length:"):
                    length = int(field[15:])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, target, _ = head.decode().split(" ", 2)
            status, answer = self._answer(method, target, body)
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(answer)}\r\n\r\n"
            ).encode()
            asyncio.get_running_loop().call_later(self.world.latency, self._send, head + answer)

    def _send(self, answer: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(answer)

    def _answer(self, method: str, target: str, body: bytes) -> tuple[str, bytes]:
        world, address = self.world, urlsplit(target)
        path = unquote(address.path)
        if path == "/control":
            return "200 OK", _control(world, body if method == "POST" else None)
        search = path == f"{CONTACTS}/search"
        world.requests += 1
        world.searches += search
        if world.over_limit(search):
            return "429 Too Many Requests", b'{"status":"error","message":"limit"}'
        if search:
            return "200 OK", world.found(msgspec.json.decode(body))
        if path == CONTACTS:
            query = parse_qs(address.query)
            if query.get("archived") == ["true"]:
                return "200 OK", b'{"results":[]}'
            after, limit = (int(query.get(name, [d])[0]) for name, d in _DEFAULTS)
            return "200 OK", world.listed(after, limit)
        if path == PROPERTIES:
            return "200 OK", _PROPERTIES
        if path == ACCOUNT:
            return "200 OK", _ACCOUNT
        return "404 Not Found", b'{"status":"error","message":"not found"}'


_DEFAULTS = (("after", "0"), ("limit", "100"))


def _control(world: World, body: bytes | None) -> bytes:
    if body is not None:
        for name, value in msgspec.json.decode(body).items():
            if name == "change":
                world.change(value)
            else:
                setattr(world, name, value)
    told = {"requests": world.requests, "searches": world.searches, "refused": world.refused}
    world.requests = world.searches = world.refused = 0
    return msgspec.json.encode(told)


async def _serve(count: int, port: int) -> None:
    world = World(count)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(world), "127.0.0.1", port
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    asyncio.run(_serve(given.records, given.port))


if __name__ == "__main__":
    main()
