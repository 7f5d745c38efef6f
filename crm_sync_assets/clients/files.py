"""CSV files: streamed from anything readable, and fetched from a GitHub repository.

https://docs.github.com/en/rest/repos/contents#get-repository-content
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from crm_sync_assets.clients.answers import Answer, Dialect, Pause, Verdict, retry_after
from crm_sync_assets.clients.http import Session
from crm_sync_assets.errors import FatalError, SyncError
from crm_sync_assets.log import logger

log = logger(__name__)

RAW = "application/vnd.github.raw+json"
MOST_FILE_BYTES = 100 * 1024 * 1024
_LFS = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a CSV file below its header: its number in the file, its values by header.

    `surplus` says that it has more values than the header has names, so that none can be trusted;
    of one that is `short` the last values are missing, or any.
    """

    number: int
    values: dict[str, str]
    surplus: bool = False
    short: bool = False


def lines(
    source: BinaryIO, *, required: Iterable[Sequence[str]] = (), delimiters: str = ","
) -> Iterator[Line]:
    """The lines of a CSV file. `source` is read twice, so it must be seekable.

    Of the `delimiters` it is the one by which the most of `required` are headers.

    UTF-8, or UTF-16 with a byte order mark, else Windows-1252. Header names are trimmed and
    compared in lower case; a name that comes twice gets its column's number (`city_4`). Blank
    lines are skipped. Raises FatalError when none of the names of one of `required` is a header,
    and for a quotation mark that is not closed: it would swallow the lines after it.
    """
    encoding, required = _encoding(source), [*required]
    source.seek(0)
    text = io.TextIOWrapper(source, encoding=encoding, newline="", errors="replace")
    try:
        rows = csv.reader(text, strict=True)
        if len(delimiters) > 1:
            found = max(delimiters, key=lambda one: _headers_by(text, one, required))
            text.seek(0)
            rows = csv.reader(text, strict=True, delimiter=found)
        header = _header(next(rows, []))
        for names in required:
            if not set(names) & set(header):
                raise FatalError(
                    f"the file has no column {' or '.join(names)}; its first line is "
                    f"{', '.join(header)[:200] or 'empty'}. Nothing was changed."
                )
        for row in rows:
            if any(value.strip() for value in row):
                values = [value.strip() for value in row]
                surplus, short = any(values[len(header) :]), len(values) < len(header)
                yield Line(rows.line_num, dict(zip(header, values, strict=False)), surplus, short)
    except csv.Error as error:
        raise FatalError(
            f"the file cannot be read beyond line {rows.line_num}: {error}. Look for a quotation "
            "mark without its other one. Nothing was changed."
        ) from error
    finally:
        text.detach()


def _headers_by(text: io.TextIOBase, delimiter: str, required: Sequence[Sequence[str]]) -> int:
    """How many of these are headers where the values are separated so."""
    text.seek(0)
    header = set(_header(next(csv.reader(text, strict=True, delimiter=delimiter), [])))
    return sum(bool(header.intersection(names)) for names in required)


def _header(row: Sequence[str]) -> list[str]:
    names: list[str] = []
    for number, raw in enumerate(row, start=1):
        name = raw.strip().lower()
        names.append(name if name and name not in names else f"{name or 'column'}_{number}")
    return names


def _encoding(source: BinaryIO) -> str:
    if source.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    source.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := source.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        log.warning("the file is not UTF-8 (%s), read as Windows-1252", error.reason)
        return "cp1252"
    return "utf-8-sig"


def blob_sha(content: bytes) -> str:
    """The name Git gives this content: equal names, equal content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class GitHubDialect(Dialect):
    """GitHub answers 403 as well as 429 when a limit is reached.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    def verdict(self, answer: Answer, tries: int) -> Verdict | None:
        told = retry_after(answer)
        spent = answer.header("x-ratelimit-remaining") == "0"
        says_so = b"rate limit" in answer.body[:2_000].lower()
        if answer.status not in (403, 429) or not (told or spent or says_so):
            return super().verdict(answer, tries)
        if told is not None:
            return Pause(told, "GitHub's secondary rate limit")
        reset = answer.header("x-ratelimit-reset") or ""
        if spent and reset.isdigit() and answer.date is not None:
            left = int(reset) - answer.date.timestamp()
            return Pause(max(left, 0.0) + 1.0, "GitHub's hourly rate limit")
        return Pause(60.0 * tries, "GitHub's rate limit")


@dataclass(frozen=True, slots=True)
class Download:
    """A file as fetched; `content` is None when it is still the one of the given ETag."""

    content: bytes | None
    sha: str | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class GitHubFile:
    """One file of a repository."""

    owner: str
    repo: str
    branch: str
    path: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.repo}/{self.path}@{self.branch}"

    def url(self, line: int | None = None) -> str:
        """Where a person can look at the file, at a line of it."""
        page = f"https://github.com/{self.owner}/{self.repo}/blob/{self.branch}/{self.path}"
        return f"{page}#L{line}" if line else page

    def fetch(self, session: Session, fallback: Session, etag: str | None) -> Download:
        """The file, or word that it still has that ETag. Raises FatalError for an LFS pointer.

        `session` is one with GitHub's API, `fallback` one with the address of its raw files: that
        is asked once the API has failed. A 404 is an answer, not a failure.
        """
        headers = {
            "Accept": RAW,
            "X-GitHub-Api-Version": "2022-11-28",
            **({"If-None-Match": etag} if etag else {}),
        }
        where = f"/repos/{quote(self.owner)}/{quote(self.repo)}/contents/{quote(self.path)}"
        try:
            answer = session.get(
                where,
                {"ref": self.branch},
                headers=headers,
                accept=(200, 304, 404),
                expect="bytes",
                most_bytes=MOST_FILE_BYTES,
            )
        except SyncError as error:
            log.warning("%s; trying the raw address instead", error)
            answer = self._from_raw(fallback, error)
        if answer.status == 304:
            return Download(None, None, etag)
        if answer.status == 404:
            raise FatalError(
                f"{session.subject}: GitHub has no {self}, or the token may not see it. Check "
                "ZIPCODES_OWNER, ZIPCODES_REPO, ZIPCODES_BRANCH and ZIPCODES_GITHUB_TOKEN."
            )
        if answer.body.startswith(_LFS):
            raise FatalError(
                f"{session.subject}: {self} is kept in Git LFS; GitHub gave a pointer, not the "
                "file. Store it in the repository itself."
            )
        return Download(answer.body, blob_sha(answer.body), answer.header("etag"))

    def _from_raw(self, session: Session, failure: SyncError) -> Answer:
        where = f"/{quote(self.owner)}/{quote(self.repo)}/{quote(self.branch)}/{quote(self.path)}"
        try:
            answer = session.get(
                where,
                headers={"Accept": "*/*"},
                expect="bytes",
                most_bytes=MOST_FILE_BYTES,
            )
        except SyncError as error:
            raise failure from error
        # The raw address has ETags of its own, of no use to the API.
        headers = {name: value for name, value in answer.headers.items() if name != "etag"}
        return Answer(answer.status, headers, answer.body, None, answer.request, answer.date)
