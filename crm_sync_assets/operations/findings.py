"""What a rule finds wrong, and how that is worded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from crm_sync_assets.masking import masked, without_excerpts
from crm_sync_assets.redaction import one_line, redact

EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds wrong now; `size` is how many records or attempts it is about."""

    rule: str
    subject: str
    since: datetime
    what: str
    advice: str
    size: int = 0


def minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def shown(error: str) -> str:
    """A reason as a message may carry it: no secret, no personal value, nothing a source sent."""
    return masked(one_line(redact(without_excerpts(error))), most=300)
