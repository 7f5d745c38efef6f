"""What a row of SyncHistory is: a sync, a trial of one, or other work on an entity's rows."""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "sync", "dry_run", "limited", "filtered", "verify", "refresh", "replay", "mirrored",
    "unavailable", "webhook",
]  # fmt: skip
"""`limited` stopped at `max_records`, `filtered` asked for a part of the records; `mirrored` is a
materialization that no sync here made; `unavailable` found that the account has not what this
warehouse never had either; `webhook` read records that deliveries named.
"""

UNAVAILABLE: Kind = "unavailable"

REAL = "kind = 'sync'"
"""SQL: the row is a real sync: it counts in alerts, health and checks, and moves the watermark."""

TOLD = f"kind IN ('sync', '{UNAVAILABLE}')"
"""SQL: the newest such row says how an entity stands: one that is not available is not missed."""

RESUMABLE = "kind = 'sync' AND NOT coalesce((configuration ->> 'trial')::boolean, false)"
"""SQL: the next sync resumes from this row, if it is the newest.

One that was refused before it read anything leaves that to the sync before it.
"""

TRIAL = "kind NOT IN ('sync', 'mirrored')"
"""SQL: the row is a trial, or work beside the syncs."""

STARTED = "kind <> 'webhook'"
"""SQL: somebody or something that starts syncs has started it; a sender of webhooks starts none."""

WIDE = "kind = 'sync' AND configuration ->> 'strategy' <> 'incremental'"
"""SQL: a real sync that reads more than a delta: everything, or a window. There is an index."""
