"""The log: one event per line, no secret in it, and no personal value in full.

Modules log through the standard library; structlog renders, once `configure` was called.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

PACKAGE = "crm_sync_assets"
HIDDEN = "***"
MIN_SECRET = 4
"""A shorter secret is not searched for: it would blot out half of every line."""

_LOOKS_SECRET = (
    # Authorization: Bearer x, 'X-Api-Key': 'x', password=x, "refresh_token": "x"
    re.compile(
        r"""(?ix)
        (?P<keep>
          (?<![a-z]) (?: (?:proxy-)?authorization | x-api-key | x-auth-(?:key|token)
            | (?:set-)?cookie | api[_-]?key
            | (?:api|access|refresh|id|auth|session)[_-]?token
            | client[_-]?secret | secret[_-]?(?:access[_-]?)?key | passw(?:or)?d | pwd )
          ["']? \s* [:=] \s* (?:b?["'])? (?: (?:bearer|basic|token|digest) \s+ )?
        )
        (?P<hide> [^\s"'&,;}\])]+ )
        """
    ),
    re.compile(r"(?i)(?P<keep>\bbearer\s+)(?P<hide>[A-Za-z0-9._~+/=!-]{8,})"),
    re.compile(r"(?P<keep>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@'\"]*:)(?P<hide>[^\s/'\"]+)(?=@)"),
    re.compile(r"(?P<keep>)(?P<hide>\bpat-[a-z]{2}\d-[0-9A-Za-z-]{8,})"),
    re.compile(r"(?P<keep>)(?P<hide>\b(?:gh[pousr]_|github_pat_)[0-9A-Za-z_]{16,})"),
    re.compile(r"(?P<keep>)(?P<hide>\b00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{16,})"),
    re.compile(r"(?P<keep>)(?P<hide>\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
)
CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

_secrets: set[str] = set()
_known: re.Pattern[str] | None = None
_lock = threading.Lock()


def logger(name: str) -> logging.Logger:
    """The logger of a module; `extra={…}` adds fields to a line."""
    return logging.getLogger(name)


def register_secret(value: str | None) -> None:
    """Keep this value out of every later line, also where a URL quotes it or a line is cut."""
    global _known
    if not value:
        return
    forms = {value, quote(value, safe=""), quote_plus(value), one_line(value), repr(value)[1:-1]}
    forms |= {line.strip() for line in value.splitlines() if len(line.strip()) >= 16}
    with _lock:
        _secrets.update(form for form in forms if len(form) >= MIN_SECRET)
        # The longest first: a secret that begins like another must not leave its tail behind.
        longest_first = sorted(_secrets, key=len, reverse=True)
        _known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def redact(text: str) -> str:
    """The text without registered secrets and without what looks like one."""
    if _known is not None:
        text = _known.sub(HIDDEN, text)
    for pattern in _LOOKS_SECRET:
        text = pattern.sub(rf"\g<keep>{HIDDEN}", text)
    return text


def one_line(text: str) -> str:
    """The text with control characters, line ends and ANSI escapes made visible."""
    return CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def mask(value: object, kind: str = "") -> str:
    """A personal value as a log may show it: a***@e***.com, ***47, J***."""
    text = str(value)
    if not text:
        return ""
    if kind == "email":
        local, at, domain = text.rpartition("@")
        if at and local and domain:
            name, dot, end = domain.rpartition(".")
            return one_line(f"{local[0]}***@{(name or domain)[0]}***{dot}{end if dot else ''}")
    if kind == "phone":
        digits = [character for character in text if character.isdigit()]
        return "***" + ("".join(digits[-2:]) if len(digits) > 4 else "")
    return one_line(f"{text[0]}***") if len(text) > 1 else "***"


class Redactor(logging.Filter):
    """Redacts a record in place, its arguments and traceback too; belongs on every handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  a bad line must not end the program
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        # Formatters prefer the live exception, whose text is not redacted.
        record.exc_info = None
        return True


def configure(
    level: str = "INFO", json: bool = False, stream: TextIO | None = None
) -> logging.Handler:
    """Write this project's log to `stream` (standard error), as text or one JSON object a line.

    Returns the handler that does so.
    Other libraries are heard from WARNING on. Calling it again replaces what it set up before.
    """
    import structlog

    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # `message` and `asctime` are what another handler's formatter left on the record.
        return {n: _clean(v) for n, v in event.items() if n not in ("message", "asctime")}

    def as_text(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
        head = f"{event.pop('timestamp')} {event.pop('level').upper():<7} {event.pop('event')}"
        event.pop("logger", None)
        return " ".join([head, *(f"{name}={value}" for name, value in event.items())])

    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            clean,
            structlog.processors.JSONRenderer(ensure_ascii=False) if json else as_text,
        ],
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(Redactor())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger(PACKAGE).setLevel(level.upper())
    return handler


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` finds it; the last redaction is on the finished line."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_text:
            # structlog drops a foreign record's traceback; as an extra field it stays.
            record = logging.makeLogRecord({**record.__dict__, "exception": record.exc_text})
            record.exc_text = None
        return redact(super().format(record))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return one_line(redact(value))
    if isinstance(value, dict):
        return {one_line(redact(str(name))): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return one_line(redact(str(value)))
