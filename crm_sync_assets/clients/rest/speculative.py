"""Pages of a list that are asked for before their turn, where it can be told what they will be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

from crm_sync_assets.clients.ahead import in_order
from crm_sync_assets.clients.rest.paging import Ask

T = TypeVar("T")


class Speculative(Generic[T]):
    """Up to `at_once` pages under way; they are taken in their order.

    What was foreseen wrongly is dropped: a page that nobody takes does no harm.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._asked: deque[Ask] = deque()
        self._pages: Generator[T] | None = None

    def take(self, ask: Ask, foreseen: Iterable[Ask], fetch: Callable[[Ask], T]) -> T:
        """The page that is asked for; those that come after it, if it is as foreseen, follow."""
        if self._at_once <= 1:
            return fetch(ask)
        if self._pages is None or not self._asked or self._asked[0] != ask:
            self.drop()
            self._pages = in_order(self._drawn(chain([ask], foreseen), fetch), self._at_once)
        page = next(self._pages)
        self._asked.popleft()
        return page

    def drop(self) -> None:
        """Forget what is under way."""
        if self._pages is not None:
            self._pages.close()
        self._pages = None
        self._asked.clear()

    def _drawn(self, asks: Iterable[Ask], fetch: Callable[[Ask], T]) -> Iterator[Callable[[], T]]:
        for ask in asks:
            self._asked.append(ask)
            yield partial(fetch, ask)
