"""The fault script: which request goes wrong, and how."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

On = int | str | Iterable[int]
Records = list[Any]


def _without_one(records: Records) -> Records:
    middle = len(records) // 2
    return records[:middle] + records[middle + 1 :]


def _with_one_twice(records: Records) -> Records:
    middle = len(records) // 2
    return records[:middle] + records[middle - 1 : middle] + records[middle + 1 :]


LIES: dict[str, Callable[[Records], Records]] = {
    "empty": lambda _: [],
    "short": _without_one,
    "swap": lambda records: _with_one_twice(records) if len(records) > 1 else records,
}


HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a CRM's answers look, as far as the fault script makes or changes them.

    lists      keys of a page's body below which its records may be; a page that is a list has them
    bodies     refusals by name: a text, or anything JSON-able
    usual      the name of the body that comes with a status when the script names none
    otherwise  and with any other status
    kind       the content type of refusals

    Where everything has `one_address`, a request is told from others by what `named` says.
    """

    one_address: ClassVar[bool] = False
    lists: frozenset[str] = frozenset()
    bodies: Mapping[str, Any] = field(default_factory=lambda: {"internal": "internal error"})
    usual: Mapping[int, str] = field(default_factory=dict)
    otherwise: str = "internal"
    kind: str = "application/json"

    def named(self, body: bytes) -> str:  # noqa: ARG002  most have an address for each thing
        """What a request with this body asks for, in one line: the query of its line."""
        return ""

    def body(self, name: str | None, status: int) -> tuple[bytes, str]:
        """A body by its name, "html", "empty" or any literal text, and its content type."""
        if name is None:
            name = self.usual.get(status, self.otherwise)
        if name in self.bodies:
            known = self.bodies[name]
            return known.encode() if isinstance(known, str) else msgspec.json.encode(
                known
            ), self.kind
        if name == "html":
            return HTML.encode(), "text/html; charset=utf-8"
        return b"" if name == "empty" else name.encode("utf-8", "surrogatepass"), self.kind

    def untrue(self, lie: str, body: bytes) -> bytes:
        """A page's body with such a lie about its records; what is no page stays as it is."""
        try:
            page = json.loads(body)
        except ValueError:
            return body
        if isinstance(page, list):
            return json.dumps(LIES[lie](page)).encode()
        found = self.lists.intersection(page) if isinstance(page, dict) else ()
        told = {key: LIES[lie](page[key]) for key in found if isinstance(page[key], list)}
        return json.dumps({**page, **told}).encode() if told else body


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to a request; several may be given together.

    status        answer with this status instead of asking the CRM
    body          of that answer: a name out of the CRM's bodies, "html", "empty", or any literal
                  text; without it the usual body of that status
    headers       added to the answer, the CRM's own ones included
    retry_after   Retry-After as any text
    drop          close the connection without an answer
    truncate      send only this share (0..1) of the body, then close
    content_length  added to the true Content-Length; the connection closes after the body
    hang          seconds to wait before the answer (real time)
    drip          seconds between single bytes of the body (real time)
    lie           what the page says of its records, while its cursor and total stay true: "empty"
                  (none), "short" (one is left out), "swap" (one comes in place of its neighbour)
    mutate        world operations just before the request is handled: {"op": ..., and the
                  operation's own arguments}, one or a list; of the CRM that is asked, unless
                  "crm" names another
    callback      called with the request's number just before it is handled (Python only)
    rewrite       bytes of the body to bytes (Python only)
    """

    status: int | None = None
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: str | float | None = None
    drop: bool = False
    truncate: float | None = None
    content_length: int = 0
    hang: float = 0
    drip: float = 0
    lie: str | None = None
    mutate: Mapping[str, Any] | list[Mapping[str, Any]] | None = None
    callback: Callable[[int], None] | None = None
    rewrite: Callable[[bytes], bytes] | None = None

    def __post_init__(self) -> None:
        if self.lie is not None and self.lie not in LIES:
            raise ValueError(f"lie={self.lie!r}: want one of {', '.join(LIES)}")


class Rule:
    """One line of the script, with its own count of matching requests."""

    def __init__(self, match: str, on: On, action: Action) -> None:
        self.match = match
        self.on = on
        self.action = action
        self.seen = 0
        self.hits = 0
        self._pattern = re.compile(match)
        self._wanted = _wanted(on)

    def meets(self, line: str) -> bool:
        """Count the request if it matches; True when it is this rule's turn."""
        if not self._pattern.search(line):
            return False
        self.seen += 1
        if not self._wanted(self.seen):
            return False
        self.hits += 1
        return True


def _wanted(on: On) -> Callable[[int], bool]:
    if isinstance(on, int):
        return lambda n: n == on
    if not isinstance(on, str):
        numbers = frozenset(on)
        return lambda n: n in numbers
    text = on.strip()
    if text == "all":
        return lambda _n: True
    if every := re.fullmatch(r"every (\d+)", text):
        step = int(every[1])
        return lambda n: n % step == 0
    if span := re.fullmatch(r"(\d+)-(\d*)", text):
        first, last = int(span[1]), int(span[2] or 10**12)
        return lambda n: first <= n <= last
    if text.isdigit():
        return lambda n: n == int(text)
    raise ValueError(f"on={on!r}: want a number, numbers, '2-5', '2-', 'every 3' or 'all'")


class Faults:
    """The script. Rules are asked in the order they were added; the first whose turn it is acts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.rules: list[Rule] = []

    def add(self, match: str = "", on: On = 1, **action: Any) -> Rule:
        r"""Add a rule.

        `match` is a regex searched in "METHOD /path?query", e.g. `GET /.*contacts\?.*after=`; where
        a header says what is asked for, X-Amz-Target or SOAPAction, that stands behind a blank.
        `on` picks among the matching requests from now on: 3, [1, 4], "2-5", "2-", "every 3",
        "all". The rest is an `Action`. ValueError or TypeError on something unknown.
        """
        rule = Rule(match, on, Action(**action))
        with self._lock:
            self.rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take a rule out again."""
        with self._lock:
            self.rules.remove(rule)

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self.rules.clear()

    def meet(self, line: str) -> Action | None:
        """The action for this request, or None. Every rule counts the request."""
        with self._lock:
            due = [rule for rule in self.rules if rule.meets(line)]
            return due[0].action if due else None

    def as_list(self) -> list[dict[str, Any]]:
        """JSON-able: the rules with how often they matched and acted."""
        with self._lock:
            return [
                {"match": r.match, "on": r.on, "seen": r.seen, "hits": r.hits} for r in self.rules
            ]
