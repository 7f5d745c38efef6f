"""Guards for following cursors: a loop is an error, never the end of the data."""

from __future__ import annotations

import zlib

from crm_sync_assets.errors import FatalError

MOST_EMPTY_PAGES = 20


class CursorGuard:
    """Notices a cursor that comes a second time, and pages that stay empty.

    Keeps eight bytes per cursor, so a million pages take some sixty megabytes at the very most.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._seen: set[int] = set()
        self._empty = 0

    def follow(self, cursor: str, *, records: int) -> str:
        """`cursor`, if it leads on from a page of so many records. Raises FatalError if not."""
        mark = zlib.crc32(cursor.encode()) << 32 | zlib.adler32(cursor.encode())
        if mark in self._seen:
            raise FatalError(
                f"{self._subject}: pagination loop: the source gave the cursor {cursor[:80]!r} "
                f"again after {len(self._seen)} pages. Nothing is lost: the next sync resumes "
                "from the last stored page; report it to the vendor if it stays."
            )
        self._seen.add(mark)
        self._empty = 0 if records else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES:
            raise FatalError(
                f"{self._subject}: pagination loop: {self._empty} empty pages in a row, each with "
                "a next cursor. The next sync resumes from the last stored page."
            )
        return cursor
