"""Independent calls, several under way at once, their results in the order they were asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import NoReturn, TypeVar

T = TypeVar("T")
Call = Callable[[], T]

AT_ONCE = 4
"""Calls under way at once, unless a reader says otherwise; the rate budget still paces them."""


def in_order(calls: Iterable[Call[T]], at_once: int = AT_ONCE) -> Generator[T]:
    """What the calls return, in their order; up to `at_once` are under way or wait to be taken.

    `calls` is drawn from as there is room, by the reader's own thread. The first error, of a call
    or of drawing one, is raised in its place, after the results before it. When the reader stops,
    calls that have not begun are dropped; those under way end by themselves, nobody waits for
    them. With one at a time there are no threads, and no call is drawn before its turn.
    """
    if at_once <= 1:
        yield from (call() for call in calls)
        return
    todo: SimpleQueue[tuple[Future[T], Call[T]] | None] = SimpleQueue()
    waiting: deque[Future[T]] = deque()
    source, workers = _drawn(calls), 0
    try:
        while True:
            while len(waiting) < at_once and (call := next(source, None)) is not None:
                waiting.append(Future())
                todo.put((waiting[-1], call))
                if workers < at_once:
                    workers += 1
                    # A daemon, so that a process that ends waits for no answer.
                    threading.Thread(target=_work, args=(todo,), name="ahead", daemon=True).start()
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for _ in range(workers):
            todo.put(None)


def _work(todo: SimpleQueue[tuple[Future[T], Call[T]] | None]) -> None:
    while (job := todo.get()) is not None:
        future, call = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - raised again where results are taken
                future.set_exception(error)
        # An idle worker keeps no result alive.
        del job, future, call


def _drawn(calls: Iterable[Call[T]]) -> Iterator[Call[T]]:
    try:
        yield from calls
    except Exception as error:  # noqa: BLE001 - raised again in its place
        yield partial(_raise, error)


def _raise(error: Exception) -> NoReturn:
    raise error
