"""Bodies of requests, read within bounds: how large one may be, and how much memory all take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

MOST_AT_ONCE: Final = 64 * 1_048_576
"""Bytes of all bodies that are held at the same time by one process."""


class TooLarge(Exception):
    """The body is larger than it may be."""


class TooMany(Exception):
    """The bodies that are held leave no room for another."""


class Bodies:
    """All bodies that this process holds."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        self._most_at_once = most_at_once
        self.held = 0

    @asynccontextmanager
    async def read(self, request: Request, most: int) -> AsyncIterator[bytes]:
        """The body, held until the block ends. Raises TooLarge, TooMany or ClientDisconnect."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > most:
            raise TooLarge
        chunks, size = list[bytes](), 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self.held += len(chunk)
                if size > most:
                    raise TooLarge
                if self.held > self._most_at_once:
                    raise TooMany
                chunks.append(chunk)
            yield b"".join(chunks)
        finally:
            self.held -= size
