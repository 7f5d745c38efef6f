"""Standard output and error: any terminal, any pipe, a full disk, or none at all.

What a terminal's character set does not have is replaced, and what cannot be written is lost; the
command goes on. Whether that is a failure is for whoever started it to say.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

ERRORS = "crm_sync_assets.replace"
_INSTEAD = {"✓": "+", "✗": "x", "•": "*", "…": "...", "→": "->", "–": "-", "—": "-", "·": "."}


def _replace(error: UnicodeError) -> tuple[str, int]:
    """For codecs: what the character set has instead of these characters."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_INSTEAD.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error(ERRORS, _replace)


class Output(io.FileIO):
    """A file descriptor that takes everything; `lost` is why it could not be written."""

    def __init__(self, descriptor: int, lost: OSError | None = None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.lost = lost

    def write(self, octets: bytes, /) -> int:  # type: ignore[override]  # any buffer
        """All of it, or nothing once a write failed."""
        size = memoryview(octets).nbytes
        if self.lost is not None:
            return size
        try:
            while (written := super().write(octets)) is None:
                # Somebody made it non-blocking, as node does with the pipes it shares.
                select.select([], [self.fileno()], [])
        except OSError as error:
            self.lost = error
            return size
        return written


@contextlib.contextmanager
def standard() -> Iterator[Output | None]:
    """Standard output and error that never raise; gives back where output goes.

    None where another program has put something in their place (a test does).
    """
    closed = _occupied()
    before = sys.stdout, sys.stderr
    out = _stream(sys.stdout, sys.__stdout__, 1, closed)
    err = _stream(sys.stderr, sys.__stderr__, 2, closed)
    sys.stdout = out[0] if out else sys.stdout
    sys.stderr = err[0] if err else sys.stderr
    try:
        yield out[1] if out else None
    finally:
        for stream in (out, err):
            if stream:
                stream[0].flush()
        sys.stdout, sys.stderr = before


def _occupied() -> set[int]:
    """Take the standard descriptors that are closed: a database's socket would get their number."""
    closed = set()
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            taken = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if taken != number:
                os.dup2(taken, number)
                os.close(taken)
            os.set_inheritable(number, True)
            closed.add(number)
    return closed


def _stream(
    now: TextIO | None, original: TextIO | None, number: int, closed: set[int]
) -> tuple[TextIO, Output] | None:
    """Text that goes there, and what takes it; None where another program stands in between."""
    if now is not original:
        return None
    lost = None
    if now is None or number in closed:
        # It is None when the descriptor was closed as Python started.
        lost = OSError(errno.EBADF, os.strerror(errno.EBADF))
    else:
        with contextlib.suppress(OSError, ValueError):
            now.flush()
    output = Output(number, lost)
    buffered = io.BufferedWriter(output)  # type: ignore[type-var]  # a FileIO that writes all
    text = io.TextIOWrapper(
        buffered,
        encoding=now.encoding if now is not None else "utf-8",
        errors=ERRORS,
        line_buffering=number == 2 or output.isatty(),
    )
    return text, output
