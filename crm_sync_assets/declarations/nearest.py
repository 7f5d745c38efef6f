"""A name that there is not, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelled most like this one; None where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest one, else all that there are."""
    known = list(known)
    close = nearest(name, known)
    return f"; did you mean '{close}'?" if close else f"; there are: {', '.join(sorted(known))}"
