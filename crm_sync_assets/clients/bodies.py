"""An answer's body: read as it arrives, unpacked, whole, and no larger than may be kept."""

from __future__ import annotations

import io
import zlib

from crm_sync_assets.clients.answers import Again
from crm_sync_assets.clients.wire import Arriving
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import TooLarge
from crm_sync_assets.masking import masked


def whole_body(response: Arriving, shown: str, most_bytes: int, usage: Usage) -> bytes:
    """The body, unpacked. Raises Again when it is not whole, TooLarge when it is that.

    Unpacked as it arrives, so that nothing is unpacked beyond what may be kept. `shown` is how an
    error names the request.
    """
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Again(f"{shown} sent Content-Encoding {masked(encoding)}, not the gzip offered")
    gzip = _Gzip() if "gzip" in encoding else None
    content = io.BytesIO()
    arrived = 0
    try:
        for chunk in response.chunks:
            arrived += len(chunk)
            most = most_bytes - content.tell()
            content.write(gzip.unpack(chunk, most + 1) if gzip else chunk)
            if max(content.tell(), arrived) > most_bytes:
                raise TooLarge(
                    f"{shown}: the answer is larger than {most_bytes:,} bytes: refused. "
                    "Ask for smaller pages (--batch-size)."
                )
    except zlib.error as error:
        raise Again(f"{shown} sent gzip that cannot be unpacked: {error}") from error
    finally:
        usage.add(bytes_received=arrived)
    length = response.headers.get("content-length", "")
    if length.isdigit() and arrived != int(length) and response.status != 304:
        raise Again(f"{shown}: {arrived} bytes arrived instead of {length}")
    if gzip and not gzip.is_whole and (arrived or response.status == 200):
        raise Again(f"{shown}: the gzip stream ends after {arrived} bytes, before its end")
    return content.getvalue()


class _Gzip:
    """Unpacks a gzip body as it arrives."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def unpack(self, packed: bytes, most: int) -> bytes:
        """The next bytes, `most` at most; zlib.error for what is no gzip."""
        found = b""
        while packed and len(found) < most:
            if self._member.eof:
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            found += self._member.decompress(packed, most - len(found))
            packed = self._member.unused_data
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the stream's own end has come, its checksum right."""
        return self._member.eof
