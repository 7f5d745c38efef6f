"""What a query failed of: what passes, what is closed or missing, and what is wrong with it."""

from __future__ import annotations

import re
from typing import Final

from crm_sync_assets.clients.athena.dialect import rights_in
from crm_sync_assets.clients.athena.service import Execution
from crm_sync_assets.errors import BadRequest, FatalError, Forbidden, Unknown

_PASSING: Final = re.compile(
    r"throttl|too ?many ?requests|rate exceeded|internal error|GENERIC_INTERNAL_ERROR|slow ?down",
    re.I,
)
_WRONG: Final = re.compile(r"SYNTAX_ERROR|COLUMN_NOT_FOUND|TYPE_MISMATCH|NOT_FOUND", re.I)
_MISSING: Final = re.compile(r"(TABLE|SCHEMA|CATALOG|DATABASE)_NOT_FOUND", re.I)
_CLOSED: Final = re.compile(r"access ?denied|insufficient permission|not authorized", re.I)


def passes(failed: Execution) -> bool:
    """Whether another query may succeed: Athena says so, or names a reason that passes."""
    if _WRONG.search(failed.why) or _CLOSED.search(failed.why):
        return False
    return failed.retryable or _PASSING.search(failed.why) is not None


def failure_of(failed: Execution, query: str) -> FatalError:
    """The error of a query that another one would meet, too."""
    what = f"{query} failed: {failed.why.rstrip('. ') or 'nobody says why'}."
    if _CLOSED.search(failed.why):
        error = Forbidden(
            f"{what} Grant what is missing to the user of these keys: Athena reads Glue's tables "
            "and what is in S3 on its behalf."
        )
        error.grants = tuple(rights_in(failed.why))
        return error
    if _MISSING.search(failed.why):
        return Unknown(f"{what} Check the name of the database in the settings, and the region.")
    return BadRequest(
        f"{what} No retry mends this: check which columns the table has, and their types."
    )
