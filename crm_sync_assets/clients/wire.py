"""HTTP/1.1 over a connection of one's own: requests out, whole or broken answers in.

The standard library's client takes a tenth of the time that httpx needs for a page of a hundred
records, most of it for addresses a thousand characters long and for the body's passing through
four layers. What it does not know is when a request must end: so the socket's reads know it here.
"""

from __future__ import annotations

import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from crm_sync_assets.errors import UsageError

CONNECT_SECONDS: Final = 10.0
CHUNK: Final = 256 * 1024
MOST_IDLE: Final = 16


class Broken(Exception):
    """The connection could not be made, or broke, or carried what is no HTTP."""


class Late(Exception):
    """The request took longer than it may."""


class Untrusted(Exception):
    """There is no TLS connection to this server that could be trusted."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """The head of an answer, and its body as it arrives, with the transfer's framing taken off.

    Names of headers are in lower case. Reading the body raises Broken and Late; that it is as long
    as was announced is for the reader to check.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Wire(Protocol):
    """A way to one server, used by many threads at once."""

    @contextmanager
    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        seconds: float,
    ) -> Iterator[Arriving]:
        """One request; `target` is a path with its query. It ends within `seconds`.

        Raises Broken, Late and Untrusted.
        """
        ...

    def close(self) -> None: ...


class Direct:
    """A pool of connections to one server, opened as they are needed and kept open.

    `origin` is its scheme, host and port. Certificates are those of SSL_CERT_FILE or SSL_CERT_DIR,
    else certifi's.
    """

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        self._host, self._is_tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._tls: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []
        self._is_closed = False
        self._guard = threading.Lock()

    @contextmanager
    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        seconds: float,
    ) -> Iterator[Arriving]:
        due = time.monotonic() + seconds
        connection = self._take()
        connection.due = due
        whole = False
        try:
            with _told():
                connection.request(method, target, body, headers)
                response = connection.getresponse()
            named = {name.lower(): value for name, value in response.headers.items()}
            yield Arriving(response.status, named, _chunks(response))
            whole = response.isclosed() and not response.will_close
        finally:
            if whole:
                self._give_back(connection)
            else:
                connection.hang_up()

    def close(self) -> None:
        """Hang up; a request that is under way does so when it ends."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.hang_up()

    def _take(self) -> _Connection:
        """A connection that is open as far as one can tell, or a new one."""
        while True:
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return _Connection(self._host, self._port, self._context())
            if connection.is_quiet:
                return connection
            connection.hang_up()

    def _context(self) -> ssl.SSLContext | None:
        """Reading all certificates takes its time, and a client may be made and not used."""
        with self._guard:
            if self._is_tls and self._tls is None:
                self._tls = _tls_context()
            return self._tls

    def _give_back(self, connection: _Connection) -> None:
        with self._guard:
            if len(self._idle) < MOST_IDLE and not self._is_closed:
                self._idle.append(connection)
                return
        connection.hang_up()


class _Connection(http.client.HTTPConnection):
    """A connection whose every wait ends when `due` has come, by the monotonic clock."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self.default_port = 443 if tls else 80
        self.due = 0.0
        self._tls = tls
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        # Connecting and the handshake share one measure of patience.
        due = min(self.due, time.monotonic() + CONNECT_SECONDS)
        try:
            found = socket.create_connection((self.host, self.port), _left(due))
        except socket.gaierror as error:
            raise Broken(f"the host {self.host} is not known: {error.strerror}") from error
        try:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                found.settimeout(_left(due))
                found = _trusted(self._tls, found, self.host)
        except BaseException:
            found.close()
            raise
        self._socket = found
        self.sock = _Timed(found, self)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came since the last answer: neither its end nor what nobody asked for."""
        if self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def hang_up(self) -> None:
        self.close()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None


class _Timed:
    """What HTTPConnection uses of a socket, with every wait cut to what its request has left.

    An answer that ends with its connection is read after `close`, so that closes nothing yet.
    """

    def __init__(self, inner: socket.socket, connection: _Connection) -> None:
        self._inner = inner
        self._connection = connection

    def sendall(self, data: bytes) -> None:
        self._inner.settimeout(_left(self._connection.due))
        self._inner.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._inner, self._connection), CHUNK)

    def close(self) -> None:
        return


class _Reader(io.RawIOBase):
    def __init__(self, inner: socket.socket, connection: _Connection) -> None:
        self._inner = inner
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._inner.settimeout(_left(self._connection.due))
        return self._inner.recv_into(buffer)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        with _told():
            chunk = response.read(CHUNK)
        if not chunk:
            return
        yield chunk


def _left(due: float) -> float:
    """Seconds until then; TimeoutError when there are none."""
    left = due - time.monotonic()
    if left <= 0:
        raise TimeoutError("the request took too long")
    return left


@contextmanager
def _told() -> Iterator[None]:
    """Say in this module's words what went wrong."""
    try:
        yield
    except TimeoutError as error:
        raise Late(str(error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # A ValueError is how a chunk's length that is no number shows itself.
        raise Broken(f"{type(error).__name__}: {error}") from error


def _trusted(context: ssl.SSLContext, plain: socket.socket, host: str) -> socket.socket:
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        # A connection cut during the handshake is no verdict about the certificate.
        raise
    except (ssl.SSLError, ssl.CertificateError) as error:
        raise Untrusted(str(error)) from error


CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def _tls_context() -> ssl.SSLContext:
    """Raises UsageError for a SSL_CERT_FILE or SSL_CERT_DIR that holds no certificates."""
    file, folder = (os.environ.get(name) or None for name in CERTIFICATES)
    if folder and not Path(folder).is_dir():
        raise UsageError(f"SSL_CERT_DIR is {folder}, which is no folder: mend or unset it")
    if file or folder:
        try:
            context = ssl.create_default_context(cafile=file, capath=folder)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(
                f"SSL_CERT_FILE is {file}, which holds no certificates ({reason}): mend or unset it"
            ) from error
    else:
        import certifi

        context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def proxy_for(origin: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for this server."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    parts = urlsplit(origin)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy
