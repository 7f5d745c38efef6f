"""The way to a server: kept connections, proxies, and what a body may not do to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.limits import Budget
from crm_sync_assets.clients.proxied import Proxied
from crm_sync_assets.clients.wire import Broken, Direct, proxy_for
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import SyncSettings

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Server(ThreadingHTTPServer):
    """Answers everything with the request line it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.targets: list[str] = []
        self.connections = 0
        self.closes = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        server: Any = self.server
        server.targets.append(self.path)
        body = b'{"results": []}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = server.closes

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with Server() as server:
        yield server
        server.shutdown()


def http(base_url: str) -> Http:
    return Http(base_url, auth=None, budget=Budget({}), settings=SyncSettings())


def the_end_has_come(client: Http) -> None:
    """Wait until the server's closing of the kept connection has arrived here."""
    wire: Any = client._hosts[client.base_url].wire
    (kept,) = wire._idle
    deadline = time.monotonic() + 10
    while kept.is_quiet:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_connection_serves_request_after_request(server: Server) -> None:
    client = http(f"{server.url}/api")
    for number in range(5):
        client.session("crm.things").get("/things", {"after": str(number), "names": "a,b c"})
    client.close()
    assert server.targets == [f"/api/things?after={n}&names=a%2Cb+c" for n in range(5)]
    assert server.connections == 1


def test_a_connection_that_the_server_closed_is_not_used_again(server: Server) -> None:
    server.closes = True
    client = http(server.url)
    session = client.session("crm.things")
    for _ in range(3):
        session.get("/things")
        the_end_has_come(client)
    client.close()
    assert (server.connections, session.usage.retries) == (3, 0)


def test_a_body_left_unread_costs_its_connection_and_not_the_next_answer(server: Server) -> None:
    wire = Direct(server.url)
    with wire.send("GET", "/first", {}, None, seconds=5):
        pass
    with wire.send("GET", "/second", {}, None, seconds=5) as arriving:
        assert b"".join(arriving.chunks) == b'{"results": []}'
    wire.close()
    assert server.connections == 2


def test_a_connection_in_use_while_its_wire_is_closed_is_hung_up_afterwards(
    server: Server,
) -> None:
    wire = Direct(server.url)
    with wire.send("GET", "/", {}, None, seconds=5) as arriving:
        wire.close()
        assert b"".join(arriving.chunks) == b'{"results": []}'
    assert wire._idle == []


def test_a_proxy_is_used_where_the_environment_names_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    client = http("http://crm.invalid/api")
    assert client.session("crm.things").get("/things", {"after": "1"}).json == {"results": []}
    client.close()
    assert server.targets == ["http://crm.invalid/api/things?after=1"]
    straight = http(server.url)
    assert isinstance(client._hosts[client.base_url].wire, Proxied)
    assert isinstance(straight._hosts[straight.base_url].wire, Direct)
    straight.close()


def test_the_proxy_of_the_servers_own_scheme_is_meant(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    assert proxy_for("https://api.example.com") == "http://proxy.example.com:3128"
    assert proxy_for("http://api.example.com") is None
    monkeypatch.setenv("ALL_PROXY", "http://other.example.com:3128")
    assert proxy_for("http://api.example.com") == "http://other.example.com:3128"
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert proxy_for("https://api.example.com") is None


def test_nobody_listening_is_a_broken_connection(server: Server) -> None:
    url = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(Broken, match="refused"), Direct(url).send("GET", "/", {}, None, seconds=5):
        raise AssertionError("there is no answer")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "ALL_PROXY",
            "socks5://u:hidden-word@127.0.0.1:1",
            "ALL_PROXY .*cannot be used: .*SOCKS",
        ),
        ("HTTPS_PROXY", "ftp://u:hidden-word@127.0.0.1:1", "HTTPS_PROXY .*cannot be used: "),
        ("https_proxy", "ftp://u:hidden-word@127.0.0.1:1", "HTTPS_PROXY .*cannot be used: "),
    ],
    ids=["socks", "scheme", "small_letters"],
)
def test_a_proxy_that_cannot_be_used_is_named_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said) as caught:
        http("https://crm.invalid/api")
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "/etc/passwd"),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
    ids=["missing_file", "no_certificates", "missing_folder"],
)
def test_certificates_that_are_not_there_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Left out, the source's own certificate would be blamed."""
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    wire = Direct("https://127.0.0.1:9")
    with (
        pytest.raises(UsageError, match=f"{name} is {value}, which .*: mend or unset it"),
        wire.send("GET", "/", {}, None, seconds=5),
    ):
        pass
    wire.close()
