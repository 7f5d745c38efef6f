"""What SalesRabbit's lists have in common: pages of 2,000, and what changed by a header."""

from __future__ import annotations

from functools import partial
from typing import Any

from crm_sync_assets.clients.rest.delta import SinceHeader, as_http_date, with_an_offset
from crm_sync_assets.clients.rest.source import Rest, Sweep
from crm_sync_assets.declarations.entity import Record

PAGE, SIZE, MOST = "page", "perPage", 2_000

# ISO 8601 is what others send; should it be refused, HTTP's own form is understood as well.
_since = partial(SinceHeader, written=with_an_offset, otherwise=as_http_date)
# Asked twice, because a change of the status may leave `dateModified` alone.
SWEEPS = (
    Sweep("changed", delta=_since()),
    Sweep("status", delta=_since("If-Status-Modified-Since", beside=True)),
)

listed = partial(Rest, records="data", modified="dateModified")
"""A list whose records say when they changed."""


def everything(record: Record) -> Any:
    """The whole record."""
    return record
