"""Where a file is: a path, a folder whose newest file counts, or an address on the web."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from crm_sync_assets.clients.http import Http
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import TransientError, UsageError

MOST_BYTES: Final = 100 * 1024 * 1024
"""Of a file that comes from the web: it is held in memory. One on a disk is read as a stream."""
AT_ONCE: Final = 1 << 20
OpenHttp = Callable[[str], Http]
"""A client for the server of that address."""


@dataclass(frozen=True, slots=True)
class File:
    """An open file: what it is called in messages, its bytes, and a digest of them."""

    name: str
    content: BinaryIO
    digest: str


def is_address(place: str) -> bool:
    return place.lower().startswith(("https://", "http://"))


def origin_of(address: str, setting: str) -> str:
    """The server of an address. Raises UsageError for one that cannot be asked."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{setting} is no address ({error})") from None
    if not host or parts.username is not None or parts.fragment:
        raise UsageError(f"{setting} has to be an address without a user name and a fragment")
    return f"{parts.scheme.lower()}://{parts.netloc}"


@contextmanager
def opened(
    place: str, word: str, setting: str, subject: str, http: OpenHttp, usage: Usage
) -> Iterator[File]:
    """The file at that place, which `setting` names.

    Raises UsageError where there is none, TransientError for one that changes meanwhile, and what
    a session raises for an address.
    """
    if is_address(place):
        parts = urlsplit(place)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        session = http(origin_of(place, setting)).session(subject, usage)
        answer = session.get(
            path or "/", headers={"Accept": "*/*"}, expect="bytes", most_bytes=MOST_BYTES
        )
        name = f"{parts.hostname}{parts.path}"
        yield File(name, BytesIO(answer.body), hashlib.sha256(answer.body).hexdigest())
        return
    path_there = file_at(Path(place).expanduser(), word, setting)
    try:
        with path_there.open("rb") as content:
            before = path_there.stat()
            yield File(str(path_there), content, _digest(content))
            after = path_there.stat()
    except OSError as error:
        raise UsageError(
            f"{setting} names {path_there}, which cannot be read ({error.strerror})"
        ) from error
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise TransientError(
            f"{subject}: {path_there} changed while it was read: run it again once it is written"
        )


def file_at(path: Path, word: str, setting: str) -> Path:
    """The path itself; of a folder its newest .csv with that word in its name.

    The newest is the one written last, of several at one moment the last by name. Raises UsageError
    where there is none.
    """
    if not path.is_dir():
        if not path.exists():
            raise UsageError(
                f"{setting} names {path}, which is not there: give a file, a folder or an address"
            )
        return path
    found = [
        one
        for one in path.iterdir()
        if one.suffix.lower() == ".csv" and word in one.name.lower() and one.is_file()
    ]
    if not found:
        raise UsageError(
            f"{setting} names the folder {path}, in which no .csv has '{word}' in its name"
        )
    return max(found, key=lambda one: (one.stat().st_mtime_ns, one.name))


def _digest(content: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(AT_ONCE):
        digest.update(chunk)
    content.seek(0)
    return digest.hexdigest()
