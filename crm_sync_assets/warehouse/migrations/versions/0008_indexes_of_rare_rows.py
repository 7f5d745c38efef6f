"""Indexes of rows that are few among many deltas: reads of more than a delta, and verifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"

INDEXES = {
    "ix_sync_history_wide": "kind = 'sync' AND configuration ->> 'strategy' <> 'incremental'",
    "ix_sync_history_verify": "kind = 'verify'",
}


def upgrade() -> None:
    for name, which in INDEXES.items():
        op.create_index(
            name,
            "ingestion_sync_history",
            ["crm_source", "sync_type", sa.text("start_time DESC")],
            postgresql_where=sa.text(which),
        )


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "ingestion_sync_history")
