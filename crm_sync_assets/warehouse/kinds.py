"""Which rows of SyncHistory are syncs."""

from __future__ import annotations

MIRRORED = "mirrored"
"""The `endpoint` of rows the sensor wrote for materializations that no sync here had made."""


REAL = (
    "NOT coalesce((configuration ->> 'dry_run')::boolean, false) "
    "AND coalesce((configuration ->> 'max_records')::bigint, 0) = 0 "
    "AND NOT coalesce((configuration ->> 'replay')::boolean, false) "
    "AND NOT coalesce((configuration ->> 'verify')::boolean, false) "
    "AND NOT coalesce((configuration ->> 'refresh')::boolean, false)"
)
"""SQL: the row is no trial."""
