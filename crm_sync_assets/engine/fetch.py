"""Pages fetched ahead, so that the network and the database work at the same time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from crm_sync_assets.declarations.contract import Page


class Prefetch:
    """Reads `pages` in a thread, ahead of who takes them, within two bounds.

    It pauses once `ahead` pages or `most_records` records wait to be taken. What the pages raise
    is raised to the taker, after the pages that came before it.
    """

    def __init__(self, pages: Iterator[Page], *, ahead: int, most_records: int) -> None:
        self._pages = pages
        self._ahead = ahead
        self._most_records = most_records
        self._ready: deque[Page] = deque()
        self._records = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fetch, name="fetch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def has_arrived(self, *, timeout: float) -> bool:
        """Whether a page, or the end, is there within `timeout` seconds; takes nothing.

        Raises what was raised in the place of the first page.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended, timeout)
            if self._error is not None and not self._ready:
                raise self._error
            return bool(self._ready) or self._ended

    def take(self, *, timeout: float) -> list[Page] | None:
        """The pages that are ready, at least one; [] when none came within `timeout` seconds.

        None once there are no more. A slow source gives one page at a time and each is stored
        at once; a fast one fills a batch while the last is being stored.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended, timeout)
            if not self._ready:
                if self._error is not None:
                    raise self._error
                return None if self._ended else []
            pages = list(self._ready)
            self._ready.clear()
            self._records = 0
            self._changed.notify_all()
            return pages

    def stop(self) -> None:
        """Stop reading after the request in flight; does not wait for it."""
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()

    def _fetch(self) -> None:
        error: BaseException | None = None
        try:
            for page in self._pages:
                if not self._offer(page):
                    # What was asked for ahead of this page is not wanted any more either.
                    close = getattr(self._pages, "close", None)
                    if close is not None:
                        close()
                    return
        except BaseException as raised:  # noqa: BLE001 - raised again where pages are taken
            error = raised
        with self._changed:
            self._error = error
            self._ended = True
            self._changed.notify_all()

    def _offer(self, page: Page) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._full())
            if self._stopped:
                return False
            self._ready.append(page)
            self._records += weight(page)
            self._changed.notify_all()
            return True

    def _full(self) -> bool:
        return bool(self._ready) and (
            len(self._ready) >= self._ahead or self._records >= self._most_records
        )


def weight(page: Page) -> int:
    """How much of a batch a page fills."""
    return max(len(page.records), len(page.tombstones), 1)
