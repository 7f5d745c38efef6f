"""What the HTTP client makes of a wire that breaks, through real sockets."""

from __future__ import annotations

import socket
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm_sync_assets.clients.http import MOST_BYTES
from crm_sync_assets.errors import Deferred, FatalError, SyncError, TransientError
from crm_sync_assets_tests.faults import server as faults
from crm_sync_assets_tests.faults.conftest import TOKEN, Clients
from crm_sync_assets_tests.faults.server import Answer, Fault, FaultServer

Serve = Callable[..., FaultServer]
PAGE = {"results": [{"id": "1", "name": "Ana"}, {"id": "2", "name": "Bo"}]}
FOR_EVER = range(1, 1_000)

BROKEN: dict[str, tuple[Fault, type[SyncError]]] = {
    "reset before the status line": (faults.resets_before_the_status_line, TransientError),
    "reset before the body": (faults.resets_before_body, TransientError),
    "reset in the body": (faults.resets_in_body, TransientError),
    "hangs up": (faults.hangs_up, TransientError),
    "body cut": (faults.cuts_body, TransientError),
    "Content-Length too long": (faults.announces_too_much, TransientError),
    "Content-Length too short": (faults.announces_too_little, FatalError),
    "broken chunks": (faults.breaks_chunks, TransientError),
    "chunks cut": (faults.cuts_chunks, TransientError),
    "no last chunk": (faults.omits_last_chunk, TransientError),
    "half a body without a length": (faults.ends_with_the_connection, FatalError),
    "not gzip": (faults.packs_badly, TransientError),
    "gzip cut": (faults.cuts_packed_body, TransientError),
    "gzip without its end": (faults.omits_gzip_end, TransientError),
    "gzip with a wrong checksum": (faults.corrupts_packed_body, TransientError),
    "an encoding nobody asked for": (faults.packs_unasked, TransientError),
    "garbage": (faults.sends_garbage, TransientError),
    "headers without end": (faults.floods_headers, TransientError),
    "half a JSON": (faults.answers(b'{"results": [{"id": "1"}, {"id"'), FatalError),
    "no body": (faults.answers(b""), FatalError),
    "a login page": (faults.answers(b"<html>Sign in", Content_Type="text/html"), FatalError),
    "502": (faults.answers(b"bad gateway", 502), TransientError),
}
SLOW: dict[str, tuple[Fault, type[SyncError]]] = {
    "no answer": (faults.never_answers, TransientError),
    "headers a byte at a time": (faults.drips_headers, TransientError),
    "body a byte at a time": (faults.drips_body, TransientError),
}
FLOODS: dict[str, Fault] = {
    "100 MB in one string": faults.sends_100_mb,
    "a body without end": faults.floods_body,
    "a gzip bomb": faults.bombs,
}


@pytest.mark.parametrize(("fault", "error"), BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_thrown_away_whole_and_asked_for_again(
    serve: Serve, clients: Clients, fault: Fault, error: type[SyncError]
) -> None:
    server = serve()
    server.spoil(fault, on=[2, 3])
    session = clients.session(server.url)
    assert [session.get("/things", {"page": str(n)}).json for n in range(3)] == [PAGE] * 3
    assert server.spoilt == 2
    # The rest of a body that was announced too short may cost the request after it a try.
    assert 2 <= session.usage.retries <= 4
    assert session.usage.api_calls == 3 + session.usage.retries
    assert len(clients.waits) == session.usage.retries


@pytest.mark.parametrize(("fault", "error"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_stays_broken_ends_the_reading(
    serve: Serve, clients: Clients, fault: Fault, error: type[SyncError]
) -> None:
    server = serve()
    server.spoil(fault, on=FOR_EVER)
    session = clients.session(server.url)
    with pytest.raises(error, match=r"crm\.things: ") as caught:
        session.get("/things")
    assert TOKEN not in str(caught.value)
    assert session.usage.api_calls == 3
    assert session.usage.retries == 2


@pytest.mark.parametrize(("fault", "error"), SLOW.values(), ids=SLOW)
def test_a_slow_answer_is_cut_off_in_time_and_asked_for_again(
    serve: Serve, clients: Clients, fault: Fault, error: type[SyncError]
) -> None:
    server = serve()
    server.spoil(fault, on=[1])
    session = clients.session(server.url, timeout_seconds=1)
    began = time.monotonic()
    assert session.get("/things").json == PAGE
    assert time.monotonic() - began < 10
    assert session.usage.retries >= 1
    server.spoil(fault, on=FOR_EVER)
    began = time.monotonic()
    with pytest.raises(error, match=r"no complete answer within 0\.3 s; given up after 2"):
        clients.session(server.url, timeout_seconds=0.3, max_attempts=2).get("/things")
    assert 0.5 < time.monotonic() - began < 10


@pytest.mark.parametrize("fault", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_refused_within_bounded_memory(
    serve: Serve, clients: Clients, fault: Fault
) -> None:
    server = serve()
    server.spoil(fault, on=FOR_EVER)
    faults.bomb()
    tracemalloc.start()
    try:
        with pytest.raises(FatalError, match=r"larger than 67,108,864 bytes: refused"):
            clients.session(server.url).get("/things")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * MOST_BYTES
    assert len(server.requests) == 1


def test_a_gzip_bomb_is_unpacked_no_further_than_the_limit(serve: Serve, clients: Clients) -> None:
    """Its first 64 KB alone become 64 MB where they are unpacked before anyone looks."""
    server = serve()
    server.spoil(faults.bombs, on=FOR_EVER)
    faults.bomb()
    tracemalloc.start()
    try:
        with pytest.raises(FatalError, match=r"larger than 1,000,000 bytes: refused"):
            clients.session(server.url).get("/things", most_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


def test_a_gzip_bomb_inside_gzip_is_not_unpacked(serve: Serve, clients: Clients) -> None:
    server = serve()
    server.spoil(faults.bombs_twice_packed, on=FOR_EVER)
    tracemalloc.start()
    try:
        with pytest.raises(TransientError, match="gzip, gzip"):
            clients.session(server.url).get("/things")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * MOST_BYTES


def test_a_packed_body_is_read_to_its_last_member(serve: Serve, clients: Clients) -> None:
    server = serve()
    server.spoil(faults.packs, on=[1])
    session = clients.session(server.url)
    assert session.get("/things").json == PAGE
    assert session.usage.retries == 0
    assert session.usage.bytes_received < 200


@pytest.mark.parametrize(
    "fault",
    [faults.ends_with_the_connection, faults.cuts_packed_body, faults.cuts_chunks],
    ids=["without a length", "gzip", "chunks"],
)
def test_half_a_file_is_no_file(serve: Serve, clients: Clients, fault: Fault) -> None:
    """A CSV file parses wherever it is cut, so the wire has to tell that it is whole."""
    rows = b"zipcode,division\n" + b"".join(b"%05d,North\n" % n for n in range(1_000))
    kind = {"Content-Type": "text/csv"}
    server = serve(lambda _: Answer(rows, headers=kind))
    server.spoil(fault, on=[1])
    session = clients.session(server.url)
    assert session.get("/zips.csv", expect="bytes").body == rows
    assert session.usage.retries == 1


def test_a_connection_closed_between_two_requests_does_no_harm(
    serve: Serve, clients: Clients
) -> None:
    server = serve()
    server.spoil(faults.closes_after, on=FOR_EVER)
    session = clients.session(server.url)
    for _ in range(5):
        assert session.get("/things").json == PAGE
    assert server.connections >= 5
    assert session.usage.retries <= 5


def test_a_connection_in_good_order_is_kept(serve: Serve, clients: Clients) -> None:
    server = serve()
    session = clients.session(server.url)
    for _ in range(5):
        session.get("/things")
    assert (server.connections, session.usage.retries) == (1, 0)


# Nobody there


def test_an_unknown_host_is_tried_again(clients: Clients) -> None:
    session = clients.session("http://crm.invalid")
    with pytest.raises(TransientError, match=r"broke: the host crm\.invalid is not known"):
        session.get("/things")
    assert session.usage.retries == 2


def test_a_refused_connection_is_tried_again(clients: Clients) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    session = clients.session(f"http://127.0.0.1:{port}")
    with pytest.raises(TransientError, match="refused"):
        session.get("/things")
    assert session.usage.retries == 2


def test_a_host_that_takes_no_connection_is_given_up_in_time(clients: Clients) -> None:
    """Its queue is full, so that further connections are neither accepted nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        address = listener.getsockname()
        url = f"http://127.0.0.1:{address[1]}"
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(address)
        began = time.monotonic()
        with pytest.raises(TransientError, match=r"no complete answer within 0\.3 s"):
            clients.session(url, timeout_seconds=0.3, max_attempts=2).get("/things")
        assert time.monotonic() - began < 8


# TLS


def test_an_untrusted_certificate_is_fatal_at_once_and_sees_no_token(
    serve: Serve, clients: Clients, certificate: Path
) -> None:
    server = serve(certificate=certificate)
    session = clients.session(server.url)
    with pytest.raises(FatalError, match=r"no trusted TLS connection.*self-signed"):
        session.get("/things")
    assert server.requests == []
    assert session.usage.retries == 0


def test_plain_http_where_tls_should_be_is_fatal_at_once(serve: Serve, clients: Clients) -> None:
    server = serve()
    with pytest.raises(FatalError, match="no trusted TLS connection"):
        clients.session(server.url.replace("http:", "https:")).get("/things")
    assert server.requests == []


@pytest.mark.parametrize("fault", [faults.resets_in_body, faults.cuts_body], ids=["reset", "cut"])
def test_a_trusted_connection_that_breaks_is_tried_again(
    serve: Serve,
    clients: Clients,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(certificate=certificate)
    server.spoil(fault, on=[1])
    session = clients.session(server.url)
    assert session.get("/things").json == PAGE
    assert session.usage.retries == 1


def test_a_server_that_is_silent_in_the_handshake_is_cut_off_in_time(clients: Clients) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(TransientError, match=r"no complete answer within 0\.3 s"):
            clients.session(url, timeout_seconds=0.3, max_attempts=2).get("/things")
        assert time.monotonic() - began < 8


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_refused_and_gets_nothing(
    serve: Serve, clients: Clients, status: int
) -> None:
    thief, server = serve(), serve()
    server.spoil(faults.redirects(f"{thief.url}/things", status), on=FOR_EVER)
    with pytest.raises(FatalError, match=r"another host, which would have received the token"):
        clients.session(server.url).get("/things")
    assert (thief.connections, thief.requests) == (0, [])
    assert len(server.requests) == 1


def test_a_redirect_within_the_host_is_followed_with_the_token(
    serve: Serve, clients: Clients
) -> None:
    server = serve()
    server.spoil(faults.redirects("/elsewhere?page=2"), on=[1])
    assert clients.session(server.url).get("/things", {"page": "1"}).json == PAGE
    assert [request.target for request in server.requests] == [
        "/things?page=1",
        "/elsewhere?page=2",
    ]
    assert server.requests[1].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_redirect_from_https_to_http_is_refused(
    serve: Serve, clients: Clients, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(certificate=certificate)
    server.spoil(faults.redirects(server.url.replace("https:", "http:") + "/things"), on=FOR_EVER)
    with pytest.raises(FatalError, match="refused"):
        clients.session(server.url).get("/things")
    assert server.connections == 1


@pytest.mark.parametrize(
    "location",
    ["//evil.example/things", "http://127.0.0.1@evil.example/", "http://[::1", "\\\\evil.example"],
)
def test_an_odd_redirect_leads_nowhere_else(serve: Serve, clients: Clients, location: str) -> None:
    server = serve()
    server.spoil(faults.redirects(location), on=FOR_EVER)
    with pytest.raises(SyncError, match=r"crm\.things: .*(redirected|location header)"):
        clients.session(server.url).get("/things")
    assert len(server.requests) <= 4


# Headers that make no sense


@pytest.mark.parametrize(
    "told", ["1e308", "99999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"], ids=str
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_without_measure_is_deferred_by_a_day(
    serve: Serve, clients: Clients, told: str, status: int
) -> None:
    server = serve()
    server.spoil(faults.answers(b"{}", status, Retry_After=told), on=FOR_EVER)
    with pytest.raises(Deferred, match=r"crm\.things: deferred until") as caught:
        clients.session(server.url).get("/things")
    assert timedelta(hours=23) < caught.value.until - datetime.now(UTC) <= timedelta(days=1)
    assert clients.waits == []


@pytest.mark.parametrize("told", ["1e400", "nan", "Fri, 31 Dec 9999 23:59:59 -1200"], ids=str)
def test_a_pause_that_makes_no_sense_is_as_none_told(
    serve: Serve, clients: Clients, told: str
) -> None:
    server = serve()
    server.spoil(faults.answers(b"{}", 429, Retry_After=told), on=[1])
    assert clients.session(server.url).get("/things").json == PAGE
    assert 0 <= clients.waits[0] <= 2


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 1000 00:00:00 +9999",
        "Fri, 31 Dec 9999 23:00:00 -1200",
        "Mon, 01 Jan 99999999999999 00:00:00 GMT",
        "yesterday",
    ],
)
def test_a_date_that_makes_no_sense_is_no_date(serve: Serve, clients: Clients, date: str) -> None:
    server = serve(lambda _: replace(Answer(), headers=dict(Answer().headers) | {"Date": date}))
    session = clients.session(server.url)
    assert session.get("/things").json == PAGE
    assert clients.opened[0].source_time() is None
