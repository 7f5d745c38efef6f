"""A web API that is a script: lists by path, what happens before an answer, lies on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.rest.addresses import Addresses
from crm_sync_assets.clients.rest.delta import Since
from crm_sync_assets.clients.rest.keys import ByKey
from crm_sync_assets.clients.rest.paging import Cursor, Numbered, Offset, Whole
from crm_sync_assets.clients.rest.reading import Reading
from crm_sync_assets.clients.rest.source import Each, Rest
from crm_sync_assets.declarations.columns import integer, text, timestamp
from crm_sync_assets.declarations.contract import Page, Read
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets_tests.clients.conftest import Wire

MakeWire = Callable[..., Wire]


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


FULL = Strategy("full")


DELTA = Strategy("incremental", since=NOON - timedelta(days=40))


PAGED = Cursor("next", "cursor", "limit", 3)


COUNTED = Numbered("page", "per_page", 3, pages="total_pages", count="total")


SHIFTING = Offset("start", "limit", 3, more=("more",))


BY_ACCOUNT = Rest(
    "/{account}/all",
    records="data",
    paging=PAGED,
    delta=Since("since"),
    modified="updated",
    each=Each("account", "/accounts", "data", Whole()),
)


class Api:
    """Lists by path, of what is in `records`; `before` may change them before an answer.

    A request whose path is `<list>/<id>` is answered with that record, or 404.
    """

    def __init__(self, **records: Sequence[dict[str, Any]]) -> None:
        self.records = {f"/{name.replace('__', '/')}": list(rows) for name, rows in records.items()}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.before: Callable[[int], None] = lambda _: None
        self.lie: Callable[[int, dict[str, Any]], dict[str, Any]] = lambda _, body: body

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, params))
        self.before(len(self.asked))
        if parts.path not in self.records:
            return self._one(parts.path)
        rows = self.records[parts.path]
        if "since" in params:
            rows = [row for row in rows if row.get("updated", "") >= params["since"]]
        if "ids" in params:
            rows = [row for row in rows if str(row["id"]) in params["ids"].split(",")]
        if "start_date" in params:
            rows = [r for r in rows if params["start_date"] <= r["day"] <= params["end_date"]]
        if request.headers.get("if-modified-since") and not rows:
            return httpx.Response(304, stream=httpx.ByteStream(b""))
        return answer_of(self.lie(len(self.asked), self._page(rows, params)))

    def _page(self, rows: list[dict[str, Any]], params: dict[str, str]) -> dict[str, Any]:
        size = int(params.get("limit") or params.get("per_page") or 1000)
        start = int(params.get("cursor") or params.get("start") or 0)
        if "page" in params:
            start = (int(params["page"]) - 1) * size
        left = len(rows) > start + size
        return {
            "data": rows[start : start + size],
            "next": str(start + size) if left else None,
            "more": left,
            "total": len(rows),
            "total_pages": -(-len(rows) // size),
        }

    def _one(self, path: str) -> httpx.Response:
        where, _, name = path.rpartition("/")
        for row in self.records.get(where, ()):
            if str(row["id"]) == name:
                return answer_of({}, 403) if row.get("closed") else answer_of({"data": row})
        return answer_of({"error": "not found"}, 404)


def answer_of(body: Any, status: int = 200) -> httpx.Response:
    content = msgspec.json.encode(body)
    headers = {"content-type": "application/json", "content-length": str(len(content))}
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


def things(*numbers: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {"id": n, "updated": "2026-11-20T00:00:00Z", "day": "2026-11-20", **values} for n in numbers
    ]


def entity(source: Rest) -> Entity:
    columns = (integer("id", key=True), text("name"), timestamp("updated"))
    return Entity("crm.things", "Things.", source, columns, "crm_things")


class Run:
    """Readings of one source against one API, with waits written down."""

    def __init__(self, make: MakeWire, api: Api, source: Rest) -> None:
        self.wire, self.api, self.source = make(api), api, source
        self.session: Session = self.wire.session(max_attempts=2)

    def read(self, *args: Any, **more: Any) -> list[Page]:
        """All pages; the arguments are those of `read_on`."""
        return list(self.read_on(*args, **more))

    def read_on(
        self,
        strategy: Strategy = FULL,
        cursor: Any = None,
        members: Sequence[str] = (),
        **more: Any,
    ) -> Iterator[Page]:
        asked = Read(entity(self.source), strategy, 100, None, cursor=cursor, **more)  # type: ignore[arg-type]
        return Reading(asked, self.session, self.source, self._addresses(members)).pages()

    def _addresses(self, members: Sequence[str]) -> Addresses:
        each = self.source.each
        return Addresses({}, each and each.name, {member: member for member in members})

    def by_key(self, *keys: str, members: Sequence[str] = (), **more: Any) -> list[Page]:
        asked = Read(entity(self.source), FULL, 100, None, **more)  # type: ignore[arg-type]
        assert self.source.one is not None
        addresses = self._addresses(members)
        keyed = ByKey(asked, self.session, self.source, self.source.one, addresses)
        return list(keyed.pages([(key,) for key in keys]))


def ids(pages: Sequence[Page]) -> list[Any]:
    return [record["id"] for page in pages for record in page.records]


MakeRun = Callable[[Api, Rest], Run]
