"""The embedded PostgreSQL over TCP, for tools that know no Unix sockets, and for one role alone.

The server listens on a socket that nobody else can reach, and asks its own for no password. So
what comes in here is looked at: a session begins as this role, which the server asks for its
password, or not at all. https://www.postgresql.org/docs/18/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

STARTUP_SECONDS = 10.0
"""How long a client may take to say who it is."""

LONGEST_STARTUP = 10_000
"""Bytes; PostgreSQL takes no more either."""

_PIECE = 64 * 1024
_PROTOCOL = 3
_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_HEAD = struct.Struct("!ii")


class NotLetIn(Exception):
    """What a client said first, and the reason why it goes no further."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Carries sessions of `user` from a TCP socket to the server's own."""

    server: Path
    user: str

    async def serve(self, listening: socket.socket) -> None:
        """Until it is cancelled, and with it every session."""
        sessions: set[asyncio.Task[None]] = set()

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            session = asyncio.ensure_future(self._carry(reader, writer))
            sessions.add(session)
            session.add_done_callback(sessions.discard)

        async with await asyncio.start_server(carry, sock=listening) as running:
            try:
                await running.serve_forever()
            finally:
                for session in sessions:
                    session.cancel()
                await asyncio.gather(*sessions, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = contextlib.suppress(OSError, asyncio.IncompleteReadError)
        with contextlib.closing(writer), gone:
            try:
                async with asyncio.timeout(STARTUP_SECONDS):
                    first = await self._first(reader, writer)
                inner_reader, inner = await asyncio.open_unix_connection(self.server)
            except (NotLetIn, TimeoutError) as error:
                writer.write(_refusal(str(error) or "nobody said who connects"))
                await writer.drain()
            else:
                inner.write(first)
                await _relay((reader, inner), (inner_reader, writer))

    async def _first(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """The message that a session begins with, as it came. Raises NotLetIn."""
        while True:
            head = await reader.readexactly(_HEAD.size)
            length, code = _HEAD.unpack(head)
            if not _HEAD.size <= length <= LONGEST_STARTUP:
                raise NotLetIn("this is no session of PostgreSQL")
            rest = await reader.readexactly(length - _HEAD.size)
            if code in (_TLS, _GSS):
                writer.write(b"N")
                await writer.drain()
                continue
            if code == _CANCEL:
                # It names a session by a secret that only its client was told.
                return head + rest
            if code >> 16 != _PROTOCOL:
                raise NotLetIn("this is no session of PostgreSQL")
            words = rest.split(b"\0")
            said = dict(zip(words[::2], words[1::2], strict=False))
            if said.get(b"user") != self.user.encode():
                raise NotLetIn(f"only {self.user} is let in here")
            if b"replication" in said:
                raise NotLetIn("nothing is replicated from here")
            return head + rest


async def _relay(*ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Both ways, until one of them ends."""
    tasks = [asyncio.ensure_future(_copy(*way)) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, (_, writer) in zip(tasks, ways, strict=True):
            task.cancel()
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()


def _refusal(reason: str) -> bytes:
    """As PostgreSQL's own: FATAL, invalid_authorization_specification."""
    fields = b"SFATAL\0VFATAL\0C28000\0M" + reason.encode() + b"\0\0"
    return b"E" + struct.pack("!i", len(fields) + 4) + fields
