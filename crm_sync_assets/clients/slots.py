"""How many requests of an account may run at once: leases that end by themselves.

A lease stands in the same state as the account's windows, with the moment at which it ends. Who
sends a request holds one until the answer is whole; that of a process which was killed ends a
little after its request would have.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

AT_ONCE: Final = "at once"
"""Where the leases stand in the state: by name, the moment each of them ends."""


def hold(
    state: MutableMapping[str, Any], lease: str, most: int, now: float, until: float
) -> float | None:
    """Note the lease, or renew it, where fewer than `most` others run at `now`.

    Else the moment at which the first of the others ends by itself. Moments are epoch seconds.
    """
    held = _held(state, now)
    held.pop(lease, None)
    if len(held) >= most:
        return min(held.values())
    held[lease] = round(until, 3)
    state[AT_ONCE] = {"leases": held}
    return None


def free(state: MutableMapping[str, Any], lease: str, now: float) -> None:
    """Forget the lease; it may have ended already."""
    held = _held(state, now)
    if held.pop(lease, None) is not None:
        state[AT_ONCE] = {"leases": held}


def _held(state: MutableMapping[str, Any], now: float) -> dict[str, float]:
    leases: dict[str, float] = (state.get(AT_ONCE) or {}).get("leases") or {}
    return {name: end for name, end in leases.items() if end > now}
