"""A name that there is not, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

ALIKE = 0.6
"""How alike two names are, from 0 to 1, of which one may be meant by the other."""
SURELY = 0.8
"""How alike they are where somebody else may have a reason for the odd one."""


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known name that is spelled most like this one; None where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=alike)), None)


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest one, else all that there are."""
    known = list(known)
    close = nearest(name, known)
    return f"; did you mean '{close}'?" if close else f"; there are: {', '.join(sorted(known))}"


def misspelt(name: str, head: str, known: Iterable[str]) -> str | None:
    """Which of the variables that begin with `head` was meant by this one, which begins like it.

    None where it is one of them, or like none of them.
    """
    known = list(known)
    if name in known:
        return None
    tails = {one[len(head) :]: one for one in known if one.startswith(head)}
    close = nearest(name[len(head) :].upper(), tails, SURELY)
    return tails[close] if close is not None else None
