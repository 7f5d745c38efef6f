"""Times as people say them."""

from __future__ import annotations

from datetime import datetime


def span(seconds: float) -> str:
    """A span of time in one unit: 8 s, 3 min, 2 h, 5 d."""
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 36)):
        if seconds < most * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:,.0f} d"


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`, or `in 3 min` of a moment to come; both are aware."""
    seconds = (now - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"
