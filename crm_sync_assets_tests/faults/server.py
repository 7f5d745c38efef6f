"""A server on a real socket that breaks the wire on purpose.

Answers come from an origin: a fixed one, or the server it stands in front of. A fault takes the
true answer and spoils it on its way to the client:

    with FaultServer() as server:
        server.spoil(resets_in_body, on=[1])
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the origin answers."""

    body: bytes = b'{"results": [{"id": "1", "name": "Ana"}, {"id": "2", "name": "Bo"}]}'
    status: int = 200
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json;charset=utf-8"}
    )

    def head(self, length: int | None = None, **more: str) -> bytes:
        """Status line and headers; Content-Length is the body's unless `length` says another."""
        headers = {**self.headers, **{name.replace("_", "-"): v for name, v in more.items()}}
        if "Transfer-Encoding" not in headers and "Connection" not in headers:
            headers["Content-Length"] = str(len(self.body) if length is None else length)
        lines = [f"HTTP/1.1 {self.status} Whatever", *(f"{n}: {v}" for n, v in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def whole(self) -> bytes:
        return self.head() + self.body


class Wire:
    """The server's end of a connection."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self._connection = connection
        self._stopping = stopping
        self._unread = b""
        self.closed = False

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def wait(self, seconds: float) -> bool:
        """Whether the server is stopping, after at most so many seconds."""
        return self._stopping.wait(seconds)

    def close(self) -> None:
        """As a server that is done: what was sent still arrives."""
        self.closed = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self._connection.close()

    def reset(self) -> None:
        """As a server that died: RST."""
        self.closed = True
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def request(self) -> Request | None:
        """The next request; None when the client has gone. ValueError for what is no HTTP."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.strip().lower(): v.strip() for n, _, v in (x.partition(":") for x in lines)}
        length = int(headers.get("content-length", 0))
        while len(self._unread) < length:
            piece = self._connection.recv(PIECE)
            if not piece:
                return None
            self._unread += piece
        body, self._unread = self._unread[:length], self._unread[length:]
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, body)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._unread:
            piece = self._connection.recv(PIECE)
            if not piece:
                return None
            self._unread += piece
            if not re.match(rb"[A-Z]+( |$)", self._unread[:16]):
                raise ValueError("no HTTP request")
        head, _, self._unread = self._unread.partition(end)
        return head


Fault = Callable[[Wire, Answer], None]
Origin = Callable[[Request], Answer]


class FaultServer:
    """Listens on a loopback port, one thread per connection.

    `requests` and `connections` are what came, `spoilt` how many answers went wrong.
    """

    def __init__(
        self, origin: Origin = lambda _: Answer(), *, certificate: Path | None = None
    ) -> None:
        self.origin = origin
        self.requests: list[Request] = []
        self.connections = 0
        self.spoilt = 0
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._tls: ssl.SSLContext | None = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def spoil(self, fault: Fault, on: Container[int] = (1,), match: str = "") -> None:
        """Let `fault` answer the `on`-th of the requests whose line matches, counted from now."""
        with self._lock:
            self._rules.append(_Rule(fault, on, re.compile(match)))

    def heal(self) -> None:
        """No faults any more."""
        with self._lock:
            self._rules.clear()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        connection = raw
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(raw, server_side=True)
            self._converse(Wire(connection, self._stopping))
        except OSError:
            pass  # The client hung up, or would not trust us.
        finally:
            with self._lock:
                self._open.discard(raw)
            connection.close()
            raw.close()

    def _converse(self, wire: Wire) -> None:
        while not wire.closed:
            try:
                request = wire.request()
            except ValueError:
                wire.send(Answer(b"", 400).whole())
                wire.close()
                return
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
                due = [rule.fault for rule in self._rules if rule.meets(request)]
                self.spoilt += bool(due)
            answer = self.origin(request)
            if due:
                due[0](wire, answer)
            else:
                wire.send(answer.whole())


@dataclass
class _Rule:
    fault: Fault
    on: Container[int]
    match: re.Pattern[str]
    seen: int = 0

    def meets(self, request: Request) -> bool:
        if not self.match.search(request.line):
            return False
        self.seen += 1
        return self.seen in self.on


def proxy_to(url: str) -> Origin:
    """The server at `url` as an origin."""
    address = urlsplit(url)
    assert address.hostname

    def ask(request: Request) -> Answer:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        try:
            headers = {n: v for n, v in request.headers.items() if n != "accept-encoding"}
            connection.request(request.method, request.target, request.body or None, headers)
            response = connection.getresponse()
            dropped = ("content-length", "transfer-encoding", "connection")
            kept = {n: v for n, v in response.getheaders() if n.lower() not in dropped}
            return Answer(response.read(), response.status, kept)
        finally:
            connection.close()

    return ask


# Connections that break


def resets_before_the_status_line(wire: Wire, answer: Answer) -> None:
    wire.reset()


def resets_before_body(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head())
    wire.reset()


def resets_in_body(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head() + answer.body[: len(answer.body) // 2])
    wire.reset()


def hangs_up(wire: Wire, answer: Answer) -> None:
    """Takes the request on an open connection and closes it without a word."""
    wire.close()


def closes_after(wire: Wire, answer: Answer) -> None:
    """A whole answer, and the connection closes without having said so."""
    wire.send(answer.whole())
    wire.close()


# Bodies of the wrong length


def cuts_body(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head() + answer.body[: len(answer.body) // 2])
    wire.close()


def announces_too_much(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head(len(answer.body) + 10) + answer.body)
    wire.close()


def announces_too_little(wire: Wire, answer: Answer) -> None:
    """And keeps the connection, with the rest of the body where the next answer should begin."""
    wire.send(answer.head(len(answer.body) // 2) + answer.body)


def breaks_chunks(wire: Wire, answer: Answer) -> None:
    half = answer.body[: len(answer.body) // 2]
    wire.send(answer.head(Transfer_Encoding="chunked") + chunk(half) + b"zz\r\n" + half)
    wire.close()


def cuts_chunks(wire: Wire, answer: Answer) -> None:
    half = answer.body[: len(answer.body) // 2]
    wire.send(answer.head(Transfer_Encoding="chunked") + chunk(half))
    wire.close()


def omits_last_chunk(wire: Wire, answer: Answer) -> None:
    """Every byte of the body, but nothing that says it was the last."""
    wire.send(answer.head(Transfer_Encoding="chunked") + chunk(answer.body))
    wire.close()


def ends_with_the_connection(wire: Wire, answer: Answer) -> None:
    """Half a body in the manner of HTTP/1.0: no length, so nothing says that it is half."""
    wire.send(answer.head(Connection="close") + answer.body[: len(answer.body) // 2])
    wire.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# Compression


def packs(wire: Wire, answer: Answer) -> None:
    """Correct gzip, in two members."""
    half = len(answer.body) // 2
    packed = gzip.compress(answer.body[:half]) + gzip.compress(answer.body[half:])
    _send_packed(wire, answer, packed)


def packs_badly(wire: Wire, answer: Answer) -> None:
    _send_packed(wire, answer, answer.body)


def cuts_packed_body(wire: Wire, answer: Answer) -> None:
    """With a Content-Length to match: only the gzip stream itself knows that it is cut."""
    packed = gzip.compress(answer.body)
    _send_packed(wire, answer, packed[: len(packed) // 2])


def omits_gzip_end(wire: Wire, answer: Answer) -> None:
    """All of the data, none of the checksum."""
    _send_packed(wire, answer, gzip.compress(answer.body)[:-8])


def corrupts_packed_body(wire: Wire, answer: Answer) -> None:
    """Its checksum is wrong."""
    packed = bytearray(gzip.compress(answer.body))
    packed[-8] ^= 0xFF
    _send_packed(wire, answer, bytes(packed))


def packs_unasked(wire: Wire, answer: Answer) -> None:
    """An encoding the client did not offer to read."""
    _send_packed(wire, answer, answer.body, "br")


def bombs(wire: Wire, answer: Answer) -> None:
    _send_packed(wire, answer, bomb())


def bombs_twice_packed(wire: Wire, answer: Answer) -> None:
    """A few hundred bytes that become 256 MB where each layer is unpacked whole."""
    _send_packed(wire, answer, gzip.compress(bomb()), "gzip, gzip")


def _send_packed(wire: Wire, answer: Answer, packed: bytes, encoding: str = "gzip") -> None:
    wire.send(replace(answer, body=packed).head(Content_Encoding=encoding) + packed)


@lru_cache
def bomb() -> bytes:
    """256 MB of blanks as a quarter of a megabyte of gzip: 64 MB and more in each read of 64 KB."""
    packing = zlib.compressobj(level=9, wbits=31)
    blanks = b" " * (1 << 20)
    return b"".join(packing.compress(blanks) for _ in range(256)) + packing.flush()


# Slowness


def never_answers(wire: Wire, answer: Answer) -> None:
    wire.wait(60)


def drips_headers(wire: Wire, answer: Answer) -> None:
    _drip(wire, answer.head(X_Slow="a" * 10_000) + answer.body)


def drips_body(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head(len(answer.body) + 10_000))
    _drip(wire, answer.body + b" " * 10_000)


def _drip(wire: Wire, data: bytes) -> None:
    for place in range(len(data)):
        wire.send(data[place : place + 1])
        if wire.wait(0.05):
            return


# Floods


def floods_headers(wire: Wire, answer: Answer) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\n")
    _send_for_ever(wire, b"X-More: " + b"a" * 1_000 + b"\r\n")


def floods_body(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head(Transfer_Encoding="chunked"))
    _send_for_ever(wire, chunk(b" " * PIECE))


def sends_100_mb(wire: Wire, answer: Answer) -> None:
    """One record with a very long string."""
    before, after, size = b'{"results": [{"id": "1", "name": "', b'"}]}', 100 * (1 << 20)
    wire.send(answer.head(len(before) + size + len(after)) + before)
    for _ in range(100):
        wire.send(b"x" * (1 << 20))
    wire.send(after)


def swells(record_id: str, size: int, name: str) -> Fault:
    """One record's property is so many bytes long, in every answer that has it."""

    def fault(wire: Wire, answer: Answer) -> None:
        body = json.loads(answer.body)
        found = [one for one in [body, *body.get("results", ())] if one.get("id") == record_id]
        for one in found:
            if name in one["properties"]:
                one["properties"][name] = "<here>"
        before, here, after = json.dumps(body).encode().partition(b"<here>")
        wire.send(answer.head(len(before) + (size if here else 0) + len(after)) + before)
        for start in range(0, size if here else 0, 1 << 20):
            wire.send(b"x" * min(size - start, 1 << 20))
        wire.send(after)

    return fault


def _send_for_ever(wire: Wire, data: bytes) -> None:
    while not wire.wait(0):
        wire.send(data)


# Something else than the answer


def sends_garbage(wire: Wire, answer: Answer) -> None:
    wire.send(b"\x00\x01SSH-2.0-OpenSSH_9.6\r\n\x7f\xff\r\n\r\n")
    wire.close()


def answers(body: bytes, status: int = 200, **headers: str) -> Fault:
    """Answers so instead; JSON unless the headers say otherwise."""
    kind = {"Content-Type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda wire, _: wire.send(Answer(body, status, kind | named).whole())


def redirects(to: str, status: int = 302) -> Fault:
    return answers(b"", status, Location=to)


# Certificates


def self_signed(folder: Path) -> Path:
    """A PEM file with a key and a certificate for 127.0.0.1 that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    path = folder / "self-signed.pem"
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(encoding)
    )
    return path
