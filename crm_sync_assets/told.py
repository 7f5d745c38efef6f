"""What may be told of a failure: no secret, and nothing that an exception quotes of a record.

Our own errors are written to be read. The text of any other exception may hold the value it broke
on, so it is told by its class and its place; a database's refusal by its message, not its detail.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from crm_sync_assets.errors import Deferred, Reason, SyncError, UsageError
from crm_sync_assets.redaction import redact


class Withheld(Exception):
    """Stands for an exception whose own text may quote a record."""

    def __init__(self, message: str, reason: Reason = "other") -> None:
        super().__init__(message)
        self.reason: Reason = reason


_OURS = (SyncError, Withheld)
_OF_THE_MACHINE = (
    *_OURS,
    OSError,
    ImportError,
    AttributeError,
    NameError,
    IndexError,
    MemoryError,
    RecursionError,
    NotImplementedError,
)
"""Their texts name files, modules, attributes and hosts, not what a record holds."""

_DRIVERS = ("psycopg", "psycopg_pool", "pymysql")


def words(error: BaseException) -> str:
    """What to say of this error, in one line where it is not our own."""
    if isinstance(error, _OURS):
        return redact(str(error))
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return words(original)
    name = type(error).__name__
    if _is_from(error, _DRIVERS):
        return redact(_refusal(error))
    if not isinstance(error, Exception) or isinstance(error, _OF_THE_MACHINE):
        return redact(f"{name}: {error}")
    return f"{name}{_place(error)}; its text may quote a record and is left out"


def cause(error: BaseException) -> str:
    """What to say of an error while something is set up or connected to, in one line.

    No record has been read by then that it could quote, so whatever it is, its text is shown.
    """
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return cause(original)
    if isinstance(error, _OURS) or _is_from(error, _DRIVERS):
        return words(error)
    text = " ".join(str(error).split())
    return redact(f"{type(error).__name__}: {text}" if text else type(error).__name__)


@contextmanager
def setting_up(what: str, kind: type[SyncError] = UsageError) -> Iterator[None]:
    """`what` begins the message of whatever goes wrong in here, which shows its cause.

    Only for what comes before the first record.
    """
    try:
        yield
    except SyncError:
        raise
    except Exception as error:
        raise kind(f"{what}: {cause(error)}") from error


def safe(error: BaseException) -> BaseException:
    """The failure, and what led to it, as they may be shown; tracebacks are kept.

    Gives back `error` itself where nothing in it has to be hidden.
    """
    return _safe(error, set())


def _safe(error: BaseException, seen: set[int]) -> BaseException:
    seen.add(id(error))
    cause, context = error.__cause__, error.__context__
    told = error if _may_be_shown(error) else _stand_in(error)
    # Setting a cause suppresses the context, so what was suppressed is put back last.
    suppressed = error.__suppress_context__
    told.__cause__ = None if cause is None or id(cause) in seen else _safe(cause, seen)
    hidden = suppressed or context is None or id(context) in seen
    told.__context__ = None if hidden or context is None else _safe(context, seen)
    told.__suppress_context__ = suppressed
    return told


def _may_be_shown(error: BaseException) -> bool:
    if getattr(error, "__notes__", None):
        return False
    known = not isinstance(error, Exception) or _is_from(error, ("dagster",))
    return (known or isinstance(error, _OF_THE_MACHINE)) and redact(str(error)) == str(error)


def _stand_in(error: BaseException) -> BaseException:
    if isinstance(error, SyncError):
        # Its class decides what happens next.
        error.args = (redact(str(error)),)
        error.__dict__.pop("__notes__", None)
        return error
    return Withheld(words(error), reason_of(error)).with_traceback(error.__traceback__)


def _refusal(error: BaseException) -> str:
    """A driver's or a database's words: the message without DETAIL, CONTEXT and quoted values."""
    diagnosis = getattr(error, "diag", None)
    state = getattr(error, "sqlstate", None)
    message = getattr(diagnosis, "message_primary", None)
    if not message:
        said = error.args[1] if len(error.args) > 1 else str(error)
        lines = str(said).strip().splitlines()
        return f"{lines[0] if lines else type(error).__name__}{f' [{state}]' if state else ''}"
    if state and state.startswith("22"):
        message = re.sub(r'".*"', '"***"', message, flags=re.DOTALL)
    elif state and state.startswith("P0"):
        # What a trigger of the user's says; it has the row at hand.
        message = "a function in the database refused it; what it said may quote the row"
    column = getattr(diagnosis, "column_name", None)
    return f"{message}{f' (column {column})' if column else ''} [{state}]"


def _is_from(error: BaseException, packages: tuple[str, ...]) -> bool:
    return any(kind.__module__.partition(".")[0] in packages for kind in type(error).__mro__)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""


class TellingSafely:
    """`with TellingSafely():` around what Dagster runs: it keeps every exception's text for good.

    Interrupts pass as they are.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, Exception):
            return
        told = safe(error)
        if told is error:
            return
        cause, context, suppressed = told.__cause__, told.__context__, told.__suppress_context__
        try:
            raise told
        finally:
            # Raising it here made the original its context.
            told.__cause__, told.__context__ = cause, context
            told.__suppress_context__ = suppressed


def failure_message(error: BaseException) -> str:
    """Why a sync failed, in words a person can act on."""
    if isinstance(error, Deferred):
        return f"deferred until {error.until:%Y-%m-%dT%H:%M:%SZ}: {error}"
    if _is_interrupt(error):
        return "cancelled; the next sync resumes from the checkpoint"
    return words(error)


def reason_of(error: BaseException) -> Reason:
    """Why a sync failed, for programs: our own errors know it, of others the class decides.

    An error that says nothing about it has the reason of its cause.
    """
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if _is_interrupt(at):
            return "cancelled"
        if isinstance(at, SyncError | Withheld):
            return at.reason
        if _is_from(at, _DRIVERS) or isinstance(at, OSError | MemoryError):
            return "system"
        original = getattr(at, "orig", None)
        at = original if isinstance(original, BaseException) else at.__cause__
    return "other"


def _is_interrupt(error: BaseException) -> bool:
    """Dagster's has a name of its own, and this module knows no Dagster."""
    return isinstance(error, KeyboardInterrupt | SystemExit) or "Interrupt" in type(error).__name__
