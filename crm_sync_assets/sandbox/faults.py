"""The fault script: which request goes wrong, and how."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

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


def untrue(lie: str, body: bytes) -> bytes:
    """A page's body with such a lie about its `results`; what is no page stays as it is."""
    try:
        page = json.loads(body)
    except ValueError:
        return body
    if not isinstance(page, dict) or not isinstance(page.get("results"), list):
        return body
    return json.dumps({**page, "results": LIES[lie](page["results"])}).encode()


HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"

BODIES: dict[str, dict[str, Any]] = {
    "secondly": {
        "status": "error",
        "message": "You have reached your secondly limit.",
        "category": "RATE_LIMITS",
    },
    "ten_secondly": {
        "status": "error",
        "message": "You have reached your ten_secondly_rolling limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "TEN_SECONDLY_ROLLING",
    },
    "daily": {
        "status": "error",
        "message": "You have reached your daily limit.",
        "errorType": "RATE_LIMIT",
        "policyName": "DAILY",
    },
    "expired": {
        "status": "error",
        "message": "The OAuth token used to make this call expired 75 second(s) ago.",
        "category": "EXPIRED_AUTHENTICATION",
        "context": {"expire time": ["2022-06-21T10:37:52.040Z"]},
    },
    "scopes": {
        "status": "error",
        "message": "This app hasn't been granted all required scopes to make this call. Read more "
        "about required scopes here: https://developers.hubspot.com/scopes.",
        "errors": [
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": ["crm.objects.contacts.read"]},
            }
        ],
        "links": {"scopes": "https://developers.hubspot.com/scopes"},
        "category": "MISSING_SCOPES",
    },
    "not_found": {
        "status": "error",
        "message": "resource not found",
        "category": "OBJECT_NOT_FOUND",
    },
    "validation": {
        "status": "error",
        "message": "There was a problem with the request.",
        "category": "VALIDATION_ERROR",
    },
    "internal": {"status": "error", "message": "internal error"},
    "locked": {"status": "error", "message": "This resource is locked.", "category": "LOCKED"},
    "migration": {"status": "error", "message": "Migration in progress", "category": "MIGRATION"},
}
USUAL = {400: "validation", 401: "expired", 403: "scopes", 404: "not_found", 423: "locked"} | {
    429: "ten_secondly",
    477: "migration",
}


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to a request; several may be given together.

    status        answer with this status instead of asking the CRM
    body          of that answer: a name out of BODIES, "html", "empty", or any literal text;
                  without it the usual body of that status
    headers       added to the answer, the CRM's own ones included
    retry_after   Retry-After as any text
    drop          close the connection without an answer
    truncate      send only this share (0..1) of the body, then close
    content_length  added to the true Content-Length; the connection closes after the body
    hang          seconds to wait before the answer (real time)
    drip          seconds between single bytes of the body (real time)
    lie           what the page says of its records, while its cursor and total stay true: "empty"
                  (none), "short" (one is left out), "swap" (one comes in place of its neighbour)
    mutate        world operations just before the request is handled: {"op": ..., "crm":
                  "hubspot", and the operation's own arguments}, one or a list
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
        """Add a rule.

        `match` is a regex searched in "METHOD /path?query", e.g. `POST /hubspot/.*contacts/search`.
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
