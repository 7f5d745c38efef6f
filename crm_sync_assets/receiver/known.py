"""What the environment says, read now and then: asking it costs more than a delivery does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from crm_sync_assets.declarations.webhooks import Webhooks
from crm_sync_assets.settings import Environment

SECONDS: Final = 5.0
"""For so long it is believed: a secret that is replaced in its file is a new one soon."""


@dataclass(frozen=True, slots=True)
class Known:
    """The environment, and by the sender's name the values that its deliveries are proven by."""

    environment: Environment
    given: Mapping[str, Mapping[str, str]] = field(repr=False)


class Surroundings:
    """Gives what is known. Raises UsageError for what cannot be read."""

    def __init__(
        self, environment: Callable[[], Environment], senders: Mapping[str, Webhooks]
    ) -> None:
        self._environment = environment
        self._senders = senders
        self._until = 0.0
        self._known: Known | None = None

    def __call__(self) -> Known:
        if self._known is None or time.monotonic() > self._until:
            found = self._environment()
            given = {name: webhooks.given(found) for name, webhooks in self._senders.items()}
            self._known, self._until = Known(found, given), time.monotonic() + SECONDS
        return self._known


class Seldom:
    """Says a thing at most once a minute: who sends nonsense must not fill the log."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._said: dict[tuple[str, str], float] = {}

    def __call__(self, text: str, subject: str, why: str) -> None:
        """`text` with the two filled in; `why` is one of few."""
        now = time.monotonic()
        if now - self._said.get((subject, text), -60.0) >= 60.0:
            self._said[subject, text] = now
            self._say(text, subject, why)
