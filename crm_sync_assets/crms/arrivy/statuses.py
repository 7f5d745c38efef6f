"""The types of status that Arrivy has, and the words that flags have for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final[Mapping[str, frozenset[str]]] = {
    "pending": frozenset({"NOTSTARTED", "PREPARING", "RECOMMENDED"}),
    "confirmed": frozenset({"CONFIRMED"}),
    "in_progress": frozenset({"ENROUTE", "STARTED", "READYFORPICKUP"}),
    "completed": frozenset({"COMPLETE"}),
    "cancelled": frozenset({"CANCELLED"}),
}
OTHERS: Final = frozenset({"EXCEPTION", "CUSTOM", "RESCHEDULED", "CUSTOMER_EXCEPTION"})
CODES: Final = OTHERS.union(*WORDS.values())


def codes(given: str) -> frozenset[str]:
    """The types that a word stands for; a type stands for itself."""
    return WORDS.get(given.lower(), frozenset({given.upper()}))


def problem(given: Any) -> str | None:
    """What is wrong with a word for a status, if anything is."""
    if given is None or codes(given) <= CODES:
        return None
    return f"give {', '.join(WORDS)}, or one of Arrivy's own types: {', '.join(sorted(CODES))}"
