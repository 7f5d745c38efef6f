"""As what a record counts of which several are read, so that it counts once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column(
        "ingestion_sync_keys",
        sa.Column(
            "counted",
            sa.Text,
            comment="created, updated or unchanged, where rows are made of several records",
        ),
    )
    op.add_column(
        "ingestion_sync_keys",
        sa.Column(
            "failed",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="whether one of the records that make the row could not be stored",
        ),
    )


def downgrade() -> None:
    op.drop_column("ingestion_sync_keys", "failed")
    op.drop_column("ingestion_sync_keys", "counted")
