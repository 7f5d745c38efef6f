"""What may stand between us and a source, and what it does to answers."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets.clients.http import Http
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.faults.conftest import Clients, Syncs, wrong
from crm_sync_assets_tests.faults.server import Answer, FaultServer, Wire, chunk
from crm_sync_assets_tests.faults.test_wire import FOR_EVER, PAGE
from crm_sync_assets_tests.scripted import history

Serve = Callable[..., FaultServer]


def sends(raw: Callable[[Answer], bytes]) -> Callable[[Wire, Answer], None]:
    def fault(wire: Wire, answer: Answer) -> None:
        wire.send(raw(answer))
        wire.close()

    return fault


def with_headers(**headers: str) -> Callable[[Wire, Answer], None]:
    return sends(lambda answer: answer.head(**headers) + answer.body)


def http_1_0(answer: Answer) -> bytes:
    return answer.head(Connection="close").replace(b"HTTP/1.1", b"HTTP/1.0") + answer.body


def trailers(answer: Answer) -> bytes:
    head = answer.head(Transfer_Encoding="chunked", Trailer="X-Checksum")
    return head + chunk(answer.body) + b"0\r\nX-Checksum: 1\r\n\r\n"


def repacked(answer: Answer) -> bytes:
    packed = gzip.compress(answer.body)
    return replace(answer, body=packed).head(Content_Encoding="gzip") + packed


def header_twice(answer: Answer) -> bytes:
    head = answer.head()
    [length] = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    return head.replace(length, length + b"\r\n" + length) + answer.body


def interim(answer: Answer) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" + answer.whole()


HARMLESS = {
    "HTTP/1.0": http_1_0,
    "chunks with a trailer": trailers,
    "packed by a proxy": repacked,
    "a header that comes twice": header_twice,
    "100 Continue first": interim,
}


@pytest.mark.parametrize("raw", HARMLESS.values(), ids=HARMLESS)
def test_an_answer_that_was_rewritten_is_read_as_it_was_meant(
    serve: Serve, clients: Clients, raw: Callable[[Answer], bytes]
) -> None:
    server = serve()
    server.spoil(sends(raw), on=FOR_EVER)
    session = clients.session(server.url)
    for _ in range(2):
        assert session.get("/things").json == PAGE


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_a_packing_nobody_asked_for_is_named(serve: Serve, clients: Clients, encoding: str) -> None:
    server = serve()
    server.spoil(with_headers(Content_Encoding=encoding), on=FOR_EVER)
    with pytest.raises(SyncError, match=f"Content-Encoding {encoding}, not the gzip offered"):
        clients.session(server.url).get("/things")


def test_a_length_that_is_no_number_proves_no_file_whole(serve: Serve, clients: Clients) -> None:
    """As two equal headers look once a proxy has joined them."""
    server = serve()
    joined = sends(
        lambda answer: (
            answer.head().replace(b"Content-Length: ", b"Content-Length: 67, ") + answer.body[:20]
        )
    )
    server.spoil(joined, on=FOR_EVER)
    with pytest.raises(SyncError, match="nothing says it is whole"):
        clients.session(server.url).get("/file.csv", expect="bytes")


def test_caches_are_asked_to_ask(serve: Serve, clients: Clients) -> None:
    server = serve()
    clients.session(server.url).get("/things")
    assert server.requests[0].headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("age", "lag", "taken"),
    [("0", 0, True), ("1", 0, False), ("600", 600, True), ("601", 600, False), ("x", 0, True)],
)
def test_a_cached_page_may_be_no_older_than_the_source_lags(
    serve: Serve, clients: Clients, age: str, lag: int, taken: bool
) -> None:
    server = serve()
    # It hangs up after each of these answers.
    server.spoil(with_headers(Age=age, Connection="close"), on=FOR_EVER)
    session = clients.session(server.url, lag_seconds=lag)
    if taken:
        assert session.get("/things").json == PAGE
    else:
        with pytest.raises(FatalError, match=f"a cache on the way .* it kept {age} s ago"):
            session.get("/things")


def test_pages_from_a_cache_move_no_watermark(
    hubspot: Syncs, wire: FaultServer, sandbox: Sandbox
) -> None:
    """What was edited after the cache kept them would never be read."""
    kept: dict[str, Answer] = {}
    age = {"Age": "0"}
    origin = wire.origin

    def cache(request: Any) -> Answer:
        if request.target in kept:
            known = kept[request.target]
            return replace(known, headers=known.headers | age)
        answer = origin(request)
        if "/objects/deals?" in request.target:
            kept[request.target] = answer
        return answer

    wire.origin = cache
    hubspot.sync("deals")
    one = sandbox.hubspot.ids("deals")[0]
    sandbox.hubspot.edit("deals", one, {"dealname": "Edited"})
    sandbox.clock.advance(7_200)
    age["Age"] = "7200"
    with pytest.raises(FatalError, match="a cache on the way"):
        hubspot.sync("deals", full=True)
    row = history(hubspot.warehouse)[-1]
    assert (row["status"], row["watermark"]) == ("failed", None)
    kept.clear()
    age["Age"] = "0"
    hubspot.sync("deals")
    assert wrong(sandbox, hubspot.warehouse, "deals") == []


@pytest.mark.parametrize(
    ("status", "kind"), [(502, "text/html"), (200, "text/html"), (200, "application/json")]
)
def test_the_source_s_clock_is_not_told_by_a_proxy(
    serve: Serve, clients: Clients, status: int, kind: str
) -> None:
    """A clock that is hours ahead would move the watermark past changes nobody has read."""

    def dated(year: int) -> Answer:
        return Answer(headers={"Content-Type": kind, "Date": f"Thu, 01 Jan {year} 00:00:00 GMT"})

    answers = [
        replace(dated(2026), headers={**dated(2026).headers, "Content-Type": "application/json"}),
        replace(dated(2031), status=status, body=b"<html>busy</html>"),
    ]
    server = serve(lambda _: answers[min(len(server.requests), 2) - 1])
    session = clients.session(server.url)
    session.get("/things")
    with pytest.raises(SyncError):
        session.get("/things")
    told = clients.opened[0].source_time()
    assert told is not None
    assert told.year in (2025, 2026)


def test_a_redirect_to_https_names_the_setting(serve: Serve, clients: Clients) -> None:
    server = serve()
    secure = server.url.replace("http://", "https://")
    server.spoil(
        sends(lambda a: replace(a, status=301, body=b"").head(Location=secure)), on=FOR_EVER
    )
    with pytest.raises(FatalError, match="write the base URL with https://"):
        clients.session(server.url).get("/things")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_server_with_an_ipv6_address(serve: Serve, clients: Clients) -> None:
    server = serve()
    server._listener.close()
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    server._listener = listener
    threading.Thread(target=server._accept, daemon=True).start()
    port = listener.getsockname()[1]
    assert clients.session(f"http://[::1]:{port}").get("/things").json == PAGE
    assert server.requests[0].headers["host"] == f"[::1]:{port}"


def test_a_file_may_come_from_a_cache(serve: Serve, clients: Clients) -> None:
    """GitHub's own raw address answers from one."""
    server = serve()
    server.spoil(with_headers(Age="299"), on=FOR_EVER)
    session = clients.session(server.url)
    http: Http = clients.opened[0]
    http.is_live = False
    assert session.get("/zips.csv", expect="bytes").body == Answer().body
