"""Exit statuses, and the one line that explains a failure."""

from __future__ import annotations

import contextlib
import sys
import traceback

from crm_sync_assets.errors import SyncError, UsageError

SUCCESS = 0
FAILED = 1
USAGE = 2
PARTIAL = 3
CANCELLED = 130

STATUSES = {"success": SUCCESS, "partial": PARTIAL, "failed": FAILED}
"""By how a history row ended."""

MEANINGS = """exit status:
  0    everything asked for was done; a sync is `success`
  1    something failed, or a check found something wrong
  2    a flag, a name or a setting is wrong; nothing was read or written
  3    a sync is `partial`: some records are in quarantine, the rest is stored
  130  cancelled; the next sync resumes from the checkpoint"""


def worse(one: int, other: int) -> int:
    """Of success, partial and failed the worse one."""
    return max(one, other, key=(SUCCESS, PARTIAL, FAILED).index)


def explain(error: BaseException, *, debug: bool = False, about: str = "") -> int:
    """Print one line about this error, of what it is `about`; the exit status it asks for."""
    from crm_sync_assets.redaction import one_line, redact
    from crm_sync_assets.settings import keep_secrets
    from crm_sync_assets.told import safe, words

    with contextlib.suppress(OSError, ValueError, SyncError):
        keep_secrets()
    text = words(error)
    if not isinstance(error, SyncError):
        text += " (unexpected; --debug shows where)"
        if debug:
            print(redact("".join(traceback.format_exception(safe(error)))), file=sys.stderr)
    said = " ".join(text.split())
    say(one_line(f"{about}: {said}" if about else said))
    return USAGE if isinstance(error, UsageError) else FAILED


def say(line: str) -> None:
    """A line of ours on standard error; what would begin another one, or colour it, is escaped."""
    from crm_sync_assets.redaction import one_line

    print(f"crm-sync: {one_line(line)}", file=sys.stderr)
