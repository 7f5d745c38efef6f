"""An entity that is read in parts, each of which the source may keep closed.

The parts that are open are read first; then the reading fails, and says what is closed. So what can
be had is stored, while nothing is taken for gone, nor the entity for complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from crm_sync_assets.declarations.contract import Cursor
from crm_sync_assets.errors import Closed, Incomplete

T = TypeVar("T")


class Parts:
    """The parts of one entity that are left to read.

    `names` are all of them, in their order; `cursor` is what `cursor` gave when an interrupted
    reading had come so far. A part that was closed then is asked for again.
    """

    def __init__(self, names: Sequence[str], cursor: Cursor | None) -> None:
        held = cursor or {}
        done = held.get("done")
        self._done = done if done in names else None
        later = names[names.index(done) + 1 if done in names else 0 :]
        self._again = [n for n in held.get("closed") or () if n in names and n not in later]
        self._closed: dict[str, Closed] = {}
        self.left = (*self._again, *later)

    def read(self, name: str, fetch: Callable[[], T]) -> T | None:
        """What `fetch` gives; None when the part is closed."""
        found: T | None = None
        try:
            found = fetch()
        except Closed as error:
            self._closed[name] = error
        if name in self._again:
            self._again.remove(name)
        else:
            self._done = name
        return found

    def cursor(self) -> dict[str, Any]:
        """Where to go on after the part that was read last."""
        closed = [*self._closed, *self._again]
        return {"done": self._done, **({"closed": closed} if closed else {})}

    def finish(self, subject: str, advice: str) -> None:
        """Raise Incomplete if a part was closed; for when all of them were asked for."""
        if self._closed:
            reasons = " ".join(str(error) for error in self._closed.values())
            raise Incomplete(
                f"{subject}: not complete, {', '.join(self._closed)} could not be read; what else "
                f"there is was stored, and no row is taken for deleted. {reasons} {advice}"
            )
