"""What a list answers: JSON, pages, and how each page leads to the next.

The pages misbehave as the common knobs say: short, empty, repeated, stuck.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import msgspec
from starlette.requests import Request

from crm_sync_assets.sandbox.calls import BadRequest
from crm_sync_assets.sandbox.knobs import Common

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
# The next record's id; "r1" asks for that page once more, "e2" comes after two empty pages.
_AFTER = re.compile(r"(\d{1,18})(?:([re])(\d+))?")


def text(value: object) -> str:
    """JSON of a value; lone surrogates, which no strict encoder takes, come escaped."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and the cursor or offset of what follows; None at the end."""

    items: Sequence[T]
    following: str | None


def by_id(
    after: str,
    limit: int,
    common: Common,
    walk: Callable[[int], Iterator[T]],
    id_of: Callable[[T], object],
) -> Page[T]:
    """A page of a list that ascends by a number, its cursor the next record's.

    `walk` yields the records from a number on. BadRequest on a cursor that is none.
    """
    found = _AFTER.fullmatch(after) if after else None
    if after and not found:
        raise BadRequest(f"invalid paging cursor: {after!r}")
    start, mode, count = (int(found[1]), found[2], int(found[3] or 0)) if found else (0, None, 0)
    if common.empty_pages and mode != "r" and count < common.empty_pages:
        return Page([], f"{start}e{count + 1}")
    size = max(1, limit - common.page_shrink)
    seen = list(islice(walk(start), size + 1))
    page = seen[:size]
    following = str(id_of(seen[size])) if len(seen) > size else None
    if page and common.repeat_page and mode != "r":
        following = f"{id_of(page[0])}r1"
    if page and common.stuck_cursor:
        following = after or str(id_of(page[0]))
    return Page(page, following)


def by_offset(items: Sequence[T], offset: int, limit: int, total: int, common: Common) -> Page[T]:
    """A page of the `items` from an offset on, out of a list of `total` as it is now.

    Whatever was deleted before the offset since the last page is a record that nobody sees.
    """
    page = items[: max(1, limit - common.page_shrink)] if limit else []
    following = offset + len(page)
    if following >= total or not page:
        return Page(page, None)
    if common.repeat_page:
        following -= len(page) // 2
    return Page(page, str(offset if common.stuck_cursor else following))


@dataclass(frozen=True, slots=True)
class Numbered(Generic[T]):
    """A page by its number from 1, of `pages` with `total` records in all."""

    items: Sequence[T]
    number: int
    pages: int
    total: int


def by_number(items: Sequence[T], number: int, size: int, common: Common) -> Numbered[T]:
    """A page of a list as it is now; beyond the last one it is empty."""
    size = max(1, size - common.page_shrink)
    turns = 1 + common.empty_pages + common.repeat_page
    place, turn = divmod(number - 1, turns)
    page = items[place * size : (place + 1) * size] if turn >= common.empty_pages else []
    pages = -(-len(items) // size) * turns
    return Numbered(page, number, pages, len(items) + common.short_total)


def cut(items: Sequence[T], size: int) -> tuple[Sequence[T], T | None]:
    """The first items, and the last one among them where more follow: those after it come next."""
    page = items[:size]
    return page, page[-1] if len(items) > size else None


def sealed(position: str, asked: Mapping[str, str]) -> str:
    """An opaque cursor, which leads on only in the list that was asked for."""
    return base64.urlsafe_b64encode(f"{_digest(asked)}.{position}".encode()).decode()


def opened(cursor: str, asked: Mapping[str, str]) -> str:
    """The position of a sealed cursor; "" of none. BadRequest on another list's, or on none."""
    try:
        digest, _, position = base64.urlsafe_b64decode(cursor).decode().partition(".")
    except (binascii.Error, ValueError):
        digest, position = "?", ""
    if cursor and digest != _digest(asked):
        raise BadRequest(f"invalid paging cursor: {cursor!r}")
    return position


def _digest(asked: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(asked.items())).encode()).hexdigest()[:16]


def address(request: Request, **parameters: object) -> str:
    """The request's own URL with other parameters."""
    return str(request.url.include_query_params(**parameters))


def link(url: str, rel: str = "next") -> dict[str, str]:
    """The `Link` header that leads there."""
    return {"Link": f'<{url}>; rel="{rel}"'}
