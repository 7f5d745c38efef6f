"""An answer's body or a message as it may be shown: without secrets and without what may be a
record's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from crm_sync_assets.redaction import redact

_PHONE: Final = re.compile(
    r"(?<!\d)(?:\+?1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}(?!\d)|\+\d{8,15}(?!\d)"
)
_JSON_STRING: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)(?:"|\\?$)(?P<colon>\s*:)?')
_EXPLAINING: Final = frozenset(
    {
        "message", "error", "errors", "error_description", "error_code", "errorcode", "errortype",
        "description", "status", "category", "code", "reason", "title", "detail", "policyname",
        "correlationid", "requestid",
    }
)  # fmt: skip
"""Names in an error's body whose values say what went wrong."""
_OPENS: Final = "‹"
_CLOSES: Final = "›"
MOST_LOOKED_AT: Final = 64 * 1024
"""Bytes of a body that a message is made from."""


def masked(text: str | bytes, secrets: Iterable[str] = (), most: int = 200) -> str:
    """One line of at most `most` characters, without the secrets, addresses and long numbers.

    Of a body, given as bytes, only what may explain a failure is left.
    """
    if isinstance(text, bytes):
        text = _explaining(text[:MOST_LOOKED_AT].decode("utf-8", errors="replace"))
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    # Before it is cut: half a secret would not be known again.
    text = redact(text)
    text = re.sub(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "***@***", text)
    text = re.sub(r"(?i)\b(bearer|token)\s+[\w.~+/-]{12,}", r"\1 ***", text)
    text = _PHONE.sub("***", text)
    text = re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def excerpt(body: str | bytes, secrets: Iterable[str] = ()) -> str:
    """What a source sent, masked, between marks by which `without_excerpts` leaves it out."""
    shown = masked(body, secrets).replace(_OPENS, "'").replace(_CLOSES, "'")
    return f"{_OPENS}{shown}{_CLOSES}"


def without_excerpts(message: str) -> str:
    """The message without anything that a source sent in place of data."""
    kept, opened, rest = message.partition(_OPENS)
    while opened:
        _, _, rest = rest.partition(_CLOSES)
        after, opened, rest = rest.partition(_OPENS)
        kept = kept.removesuffix(": ") + after
    return kept


def _explaining(body: str) -> str:
    """A page's visible text; JSON without the values that may be a record's; else the body."""
    start = body.lstrip()[:1]
    if start == "<":
        body = re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)", " ", body)
        return re.sub(r"(?s)<[^>]*(?:>|$)", " ", body)
    if start not in ("{", "["):
        return body
    name = ""

    def hide(match: re.Match[str]) -> str:
        nonlocal name
        if match["colon"]:
            name = match["text"].lower()
            return match[0]
        return match[0] if name in _EXPLAINING else '"***"'

    return _JSON_STRING.sub(hide, body)
