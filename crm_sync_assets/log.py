"""The log: one event per line, no secret in it, and no personal value in full.

Modules log through the standard library; structlog renders, once `configure` was called.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

from crm_sync_assets.redaction import PACKAGE, one_line, redact


def logger(name: str) -> logging.Logger:
    """The logger of a module; `extra={…}` adds fields to a line.

    It redacts by itself: not every handler that hears it, as Dagster's, heeds a filter.
    """
    ours = logging.getLogger(name)
    ours.addFilter(_REDACTOR)
    return ours


class Redactor(logging.Filter):
    """Redacts a record in place, its arguments and traceback too; belongs on every handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  a bad line must not end the program
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message), ()
        if record.exc_info:
            # Another handler may have left the text of the exception as it is.
            record.exc_text = _traceback(record.exc_info[1])
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        # Formatters prefer the live exception, whose text is not redacted.
        record.exc_info = None
        return True


_REDACTOR = Redactor()


def _traceback(error: BaseException | None) -> str:
    from crm_sync_assets.told import safe

    if error is None:
        return ""
    told = safe(error)
    return logging.Formatter().formatException((type(told), told, told.__traceback__))


def configure(
    level: str = "INFO", json: bool = False, stream: TextIO | None = None
) -> logging.Handler:
    """Write this project's log to `stream` (standard error), as text or one JSON object a line.

    Returns the handler that does so.
    Other libraries are heard from WARNING on. Calling it again replaces what it set up before.
    """
    handler = _Handler(stream or sys.stderr, json=json)
    handler.addFilter(Redactor())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger(PACKAGE).setLevel(level.upper())
    return handler


def _formatter(json: bool) -> logging.Formatter:
    with without_rich():
        import structlog

    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # `message` and `asctime` are what another handler's formatter left on the record.
        return {n: _clean(v) for n, v in event.items() if n not in ("message", "asctime")}

    def as_text(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
        head = f"{event.pop('timestamp')} {event.pop('level').upper():<7} {event.pop('event')}"
        event.pop("logger", None)
        return " ".join([head, *(f"{name}={value}" for name, value in event.items())])

    return structlog.stdlib.ProcessorFormatter(
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


@contextmanager
def without_rich() -> Iterator[None]:
    """Import structlog here: it hears that rich is not installed, unless somebody uses it already.

    It would prepare rich's tracebacks for a console of its own, which takes longer than all the
    rest of it.
    """
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python says so
    try:
        yield
    finally:
        del sys.modules["rich"]


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` finds it; the last redaction is on the finished line.

    What renders the line is imported with the first one.
    """

    def __init__(self, stream: TextIO, *, json: bool) -> None:
        super().__init__(stream)
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        if self.formatter is None:
            self.setFormatter(_formatter(self._json))
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
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and redact(str(value)) == str(value):
        return value
    return one_line(redact(str(value)))
