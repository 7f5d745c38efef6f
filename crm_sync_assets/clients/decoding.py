"""JSON as it comes: strict and fast first, lenient when one value would cost its neighbours.

msgspec refuses a whole page for one lone surrogate, one NaN or one 1e400. The standard library
takes them, and the processor then decides about the one record they sit in.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

# The nesting a page may have; the standard library gives up at a thousand by default.
MOST_LEVELS = 50_000
_STACK_BYTES = 256 * 1024 * 1024
_deep = threading.Lock()


def loads(body: bytes) -> Any:
    """The value of a JSON document. Raises ValueError when it is none, or cut short."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient(body)


@dataclass(frozen=True, slots=True)
class Format:
    """How an API writes its answers.

    `kind` is what their Content-Type has in it, `accept` what they are asked for with. `loads`
    makes a value of a body, and raises ValueError for what is none, or cut short.
    """

    name: str
    kind: str
    accept: str
    loads: Callable[[bytes], Any]


JSON: Final = Format("JSON", "json", "application/json", loads)


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def _lenient(body: bytes) -> Any:
    # A byte that is no UTF-8 becomes half a surrogate pair, which the processor replaces and notes.
    text = body.decode("utf-8-sig", errors="surrogateescape")
    try:
        return json.loads(text, parse_int=_whole_number)
    except RecursionError:
        return _with_deep_stack(text)


def _whole_number(digits: str) -> int | Decimal:
    """An int, or a Decimal where Python refuses to read so many digits."""
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _with_deep_stack(text: str) -> Any:
    """Parse in a thread of its own with a stack that holds `MOST_LEVELS` levels."""
    outcome: list[Any] = []

    def parse() -> None:
        try:
            outcome.append(json.loads(text, parse_int=_whole_number))
        except (ValueError, RecursionError) as error:
            outcome.append(ValueError(f"JSON nested too deep to read: {error}"))

    with _deep:
        limit, size = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
        sys.setrecursionlimit(max(limit, MOST_LEVELS))
        try:
            thread = threading.Thread(target=parse, name="deep-json")
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(limit)
            threading.stack_size(size)
    if isinstance(outcome[0], ValueError):
        raise outcome[0]
    return outcome[0]
