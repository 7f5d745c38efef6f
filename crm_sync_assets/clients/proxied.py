"""Requests by httpx: through a proxy, or what stands for the network in tests."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from crm_sync_assets.clients.wire import (
    CERTIFICATES,
    CONNECT_SECONDS,
    PROXIES,
    Arriving,
    Broken,
    Late,
    Untrusted,
)
from crm_sync_assets.errors import (
    UsageError,
)
from crm_sync_assets.redaction import redact

if TYPE_CHECKING:
    from httpx import BaseTransport  # noqa: TID251 - this is the module the ban makes room for


Transport: TypeAlias = "BaseTransport"


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            # A connection cut during the handshake is no verdict about the certificate.
            return not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
        error = error.__cause__ or error.__context__
    return False


class Proxied:
    """The way through a proxy, or through what stands for the network in tests: httpx's."""

    def __init__(self, origin: str, transport: Transport | None) -> None:
        import httpx  # noqa: TID251 - as above; imported only where it is needed

        self._httpx = httpx
        self._origin = origin
        try:
            self._client = httpx.Client(transport=transport, follow_redirects=False)
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
            # A scheme httpx does not know, SOCKS without its package, a file of certificates
            # that is not there; the text may quote the proxy's password.
            names = [*PROXIES, *CERTIFICATES]
            given = ", ".join(n for n in names if n in os.environ or n.lower() in os.environ)
            raise UsageError(
                f"the way to {origin} by {given} cannot be used: {redact(str(error))}"
            ) from error

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
        timeout = self._httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        try:
            with self._client.stream(
                method, self._origin + target, content=body, headers=headers, timeout=timeout
            ) as response:
                named = {name.lower(): value for name, value in response.headers.items()}
                yield Arriving(response.status_code, named, self._chunks(response, due))
        except self._httpx.TimeoutException as error:
            raise Late(str(error)) from error
        except self._httpx.TransportError as error:
            # Once connected, a TLS error is a connection that broke.
            if isinstance(error, self._httpx.ConnectError) and _is_tls(error):
                raise Untrusted(str(error)) from error
            raise Broken(f"{type(error).__name__}: {error}") from error

    def _chunks(self, response: Any, due: float) -> Iterator[bytes]:
        """The body as it was sent: httpx would take a gzip stream that was cut for a whole one."""
        for chunk in response.iter_raw():
            if time.monotonic() > due:
                raise Late("the request took too long")
            yield chunk

    def close(self) -> None:
        self._client.close()
