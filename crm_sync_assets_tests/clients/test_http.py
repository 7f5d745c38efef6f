from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.limits import Budget, Window
from crm_sync_assets.errors import Deferred, FatalError, TransientError
from crm_sync_assets.masking import masked
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets_tests.clients.conftest import TOKEN, Wire, fails, reply

MakeWire = Callable[..., Wire]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("1.5", 1.5, 1.5),
        (http_date(9), 9, 9),
        (http_date(-60), 0.05, 0.5),
        ("-3", 0.05, 0.5),
        ("soon", 0, 2),
        (None, 0, 2),
    ],
    ids=str,
)
def test_429_waits_as_it_is_told(
    wire: MakeWire, header: str | None, least: float, most: float
) -> None:
    headers = {"Date": http_date(0)} | ({"Retry-After": header} if header else {})
    server = wire(reply(429, headers=headers), reply())
    session = server.session()
    assert session.get("/things").json == {"ok": True}
    assert least <= server.waits[0] <= most
    assert session.usage.rate_limit_hits == 1
    assert session.usage.rate_limit_wait_seconds == server.waits[0]
    assert session.usage.api_calls == 2


def test_a_pause_beyond_the_budget_defers_and_waits_not_at_all(wire: MakeWire) -> None:
    server = wire(reply(429, headers={"Retry-After": "86400"}))
    with pytest.raises(Deferred, match=r"crm\.things: deferred until 20") as caught:
        server.session().get("/things")
    assert caught.value.until > datetime.now(UTC) + timedelta(hours=23)
    assert server.waits == []


def test_429_for_ever_ends_with_the_time_budget(wire: MakeWire) -> None:
    server = wire(reply(429, headers={"Retry-After": "40"}))
    with pytest.raises(Deferred):
        server.session(budget_seconds=100).get("/things")
    assert server.waits == [40, 40]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 523, 524, 530])
def test_5xx_is_tried_again_with_growing_random_waits(wire: MakeWire, status: int) -> None:
    server = wire(reply(status), reply(status), reply(status), reply())
    session = server.session()
    assert session.get("/things").status == 200
    assert all(wait <= 0.5 * 2**tries for tries, wait in enumerate(server.waits, start=1))
    assert session.usage.retries == 3


def test_five_failures_in_a_row_end_the_reading(wire: MakeWire) -> None:
    server = wire(reply(503, {"message": "down"}))
    with pytest.raises(TransientError, match=r"crm\.things: GET /things answered 503: .*down"):
        server.session().get("/things")
    assert len(server.requests) == 5


def test_503_waits_at_least_as_long_as_it_is_told(wire: MakeWire) -> None:
    server = wire(reply(503, headers={"Retry-After": "30"}), reply())
    server.session().get("/things")
    assert server.waits == [30]


def test_423_waits_two_seconds(wire: MakeWire) -> None:
    server = wire(reply(423), reply())
    server.session().get("/things")
    assert server.waits[0] >= 2


@pytest.mark.parametrize(
    "broken",
    [
        fails(httpx.ConnectError("name resolution failed")),
        fails(httpx.ReadError("connection reset")),
        fails(httpx.RemoteProtocolError("peer closed connection")),
        fails(httpx.ReadTimeout("nothing came")),
        reply(
            content=b'{"results": [{"id": 1}, {"id"', headers={"Content-Type": "application/json"}
        ),
        reply(content=b"", headers={"Content-Type": "application/json"}),
        reply(content=b"\x1f\x8b garbage", headers={"Content-Encoding": "gzip"}),
        reply(text="<html>Sign in</html>", headers={"Content-Type": "text/html"}),
        reply(content=b'{"ok": true}', headers={"Content-Length": "400"}),
    ],
    ids=["dns", "reset", "closed", "timeout", "cut", "empty", "gzip", "html", "length"],
)
def test_a_broken_answer_is_discarded_whole_and_asked_for_again(
    wire: MakeWire, broken: Any
) -> None:
    server = wire(broken, reply())
    session = server.session()
    assert session.get("/things").json == {"ok": True}
    assert session.usage.retries == 1


def test_html_that_stays_is_fatal_and_shown_masked(wire: MakeWire) -> None:
    page = f"<html>{TOKEN} ana@example.com +1 410 555 0147 " + "x" * 500
    server = wire(reply(text=page, headers={"Content-Type": "text/html"}))
    with pytest.raises(FatalError, match="unexpected content, 5 times") as caught:
        server.session().get("/things")
    message = str(caught.value)
    assert TOKEN not in message
    assert "ana@example.com" not in message
    assert "555 0147" not in message
    assert len(message) < 600


def test_a_shape_that_stays_wrong_is_fatal(wire: MakeWire) -> None:
    server = wire(reply(200, {"results": None}))
    with pytest.raises(FatalError, match="no results"):
        server.session().get("/things", check=lambda _: "no results")
    assert len(server.requests) == 5


def test_a_tls_error_is_fatal_at_once(wire: MakeWire) -> None:
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed certificate")
    server = wire(fails(error))
    with pytest.raises(FatalError, match="no trusted TLS connection"):
        server.session().get("/things")
    assert len(server.requests) == 1


def test_a_redirect_to_another_host_is_refused(wire: MakeWire) -> None:
    server = wire(reply(302, headers={"Location": "https://evil.example.net/things"}))
    with pytest.raises(FatalError, match=r"evil\.example\.net.*refused"):
        server.session().get("/things")
    assert len(server.requests) == 1


def test_a_redirect_on_the_same_host_is_followed_a_few_times(wire: MakeWire) -> None:
    server = wire(reply(301, headers={"Location": "/moved"}), reply())
    assert server.session().get("/things", {"a": "1"}).status == 200
    assert server.requests[1].url.path == "/moved"
    circle = wire(reply(301, headers={"Location": "/things"}))
    with pytest.raises(FatalError, match="in circles"):
        circle.session().get("/things")


class Renewable(Bearer):
    """Gives another token once."""

    tokens = ("stale-token-0001", "fresh-token-0002")
    asked = 0

    def token(self) -> str:
        return self.tokens[type(self).asked]

    def refresh(self, refused: str) -> bool:
        type(self).asked = 1
        return refused == self.tokens[0]


def test_401_refreshes_once_and_then_names_the_credential(wire: MakeWire) -> None:
    Renewable.asked = 0
    server = wire(reply(401), reply())
    assert server.session(auth=Renewable("", "CRM_REFRESH_TOKEN")).get("/things").status == 200
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer stale-token-0001", "Bearer fresh-token-0002"]
    Renewable.asked = 0
    refusing = wire(reply(401, {"message": "expired"}))
    with pytest.raises(FatalError, match="check CRM_REFRESH_TOKEN"):
        refusing.session(auth=Renewable("", "CRM_REFRESH_TOKEN")).get("/things")
    assert len(refusing.requests) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 410, 414, 422])
def test_other_4xx_are_fatal_at_once(wire: MakeWire, status: int) -> None:
    server = wire(reply(status, {"message": f"no, {TOKEN}"}))
    with pytest.raises(FatalError, match=rf"crm\.things: GET /things answered {status}") as caught:
        server.session().get("/things")
    assert len(server.requests) == 1
    assert TOKEN not in str(caught.value)


def test_an_answer_that_is_too_large_is_refused(wire: MakeWire) -> None:
    server = wire(reply(200, {"text": "x" * 5_000}))
    with pytest.raises(FatalError, match=r"larger than 1,000 bytes.*batch-size"):
        server.session().get("/things", most_bytes=1_000)


def test_the_source_clock_comes_from_the_newest_date_header(wire: MakeWire) -> None:
    server = wire(reply(headers={"Date": http_date(0)}))
    session = server.session()
    assert server.opened[0].source_time() is None
    session.get("/things")
    told = server.opened[0].source_time()
    assert told is not None
    assert NOW - timedelta(seconds=2) <= told <= NOW + timedelta(seconds=1)


def test_a_wait_for_the_account_s_budget_is_bounded(wire: MakeWire) -> None:
    server = wire(reply())
    session = server.session(windows={"day": Window("day", 1, 86_400)})
    session.get("/things", windows=["day"])
    with pytest.raises(Deferred, match=r"crm\.things: deferred until"):
        session.get("/things", windows=["day"])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +1 (410) 555-0147 now", "call *** now"),
        ("Bearer abcdefghijklmnop", "Bearer ***"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("secretsecret-longer", "*** "),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert masked(text, ["secretsecret", "secretsecret-longer"]) == shown.strip()


@pytest.fixture
def slow_server() -> Iterator[Callable[[bytes, float], str]]:
    """A server that sends its bytes one by one, so many seconds apart."""
    stop, listeners = threading.Event(), []

    def start(answer: bytes, seconds: float) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    for byte in answer:
                        if stop.wait(seconds):
                            return
                        try:
                            connection.send(bytes([byte]))
                        except OSError:
                            break

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    stop.set()
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{" * 9,
        b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1_000,
    ],
    ids=["body", "headers"],
)
def test_a_server_that_drips_is_cut_off_in_time(
    slow_server: Callable[[bytes, float], str], answer: bytes
) -> None:
    http = Http(
        slow_server(answer, 0.01),
        auth=None,
        budget=Budget({}),
        settings=SyncSettings.model_validate({"timeout_seconds": 0.4, "max_attempts": 2}),
        sleep=lambda _: None,
    )
    began = time.monotonic()
    with pytest.raises(TransientError, match=r"no complete answer within 0\.4 s"):
        http.session("crm.things").get("/things")
    http.close()
    assert 0.7 < time.monotonic() - began < 3


def test_a_place_booked_ahead_is_the_next_requests_and_no_other_is_taken(wire: MakeWire) -> None:
    server = wire(reply(200, {}))
    session = server.session(windows={"day": Window("day", 3, 86_400)})
    for _ in range(3):
        session.book_ahead(["day"])
        session.get("/things", windows=["day"])
    with pytest.raises(Deferred):
        session.get("/things", windows=["day"])
    assert (len(server.requests), server.waits) == (3, [])


def test_each_try_counts_what_it_takes_of_the_longest_window(wire: MakeWire) -> None:
    server = wire(reply(500), reply(200, {}), reply(200, {}), reply(200, {}))
    session = server.session(
        windows={"burst": Window("burst", 9, 1.0), "day": Window("day", 900, 86_400)}
    )
    session.get("/things", windows=["burst", "day"], cost={"day": 20})
    assert session.usage.quota_units == 40
    session.book_ahead(["burst", "day"], cost={"day": 20})
    session.get("/things", windows=["burst", "day"], cost={"day": 20})
    session.get("/things", windows=["burst"])
    assert session.usage.quota_units == 61


def test_a_full_window_is_not_waited_for_ahead(wire: MakeWire) -> None:
    server = wire(reply(200, {}))
    session = server.session(
        windows={"burst": Window("burst", 1, 30.0), "day": Window("day", 9, 86_400)}
    )
    session.get("/things", windows=["burst"])
    session.book_ahead(["burst"])
    assert server.waits == []
    session.book_ahead(["day"])
    session.get("/things", windows=["burst"])
    assert len(server.waits) == 1, "what is booked elsewhere is no place here"
