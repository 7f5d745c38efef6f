"""Events that webhooks told of, and rows of SyncHistory for what was read because of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"

MOMENT = sa.DateTime(timezone=True)
BEFORE = (
    *("sync", "dry_run", "limited", "verify", "refresh", "replay", "mirrored", "filtered"),
    "unavailable",
)


def upgrade() -> None:
    op.create_table(
        "ingestion_webhook_event",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("source", sa.Text, nullable=False, comment="the CRM"),
        sa.Column("event_key", sa.Text, nullable=False, comment="the same when it is told again"),
        sa.Column("event_type", sa.Text, comment="what the sender calls it"),
        sa.Column("entity", sa.Text, comment="NULL: none of ours"),
        sa.Column("record_id", sa.Text, comment="NULL: a delta has to find the record"),
        sa.Column("happened", sa.Text, nullable=False),
        sa.Column("occurred_at", MOMENT, comment="as the sender has it"),
        sa.Column(
            "received_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")
        ),
        sa.Column("headers", JSONB, nullable=False, server_default="{}"),
        sa.Column("payload", sa.Text, nullable=False, comment="JSON, or encrypted"),
        sa.Column("status", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", MOMENT, comment="not before; NULL: at once"),
        sa.Column("error_message", sa.Text),
        sa.Column("processed_at", MOMENT),
        sa.Column("sync_id", sa.BigInteger, comment="the row of SyncHistory that brought it"),
        sa.CheckConstraint(
            "status IN ('pending', 'done', 'failed', 'ignored')", name="webhook_status_is_known"
        ),
        sa.UniqueConstraint("source", "event_key", name="one_event_per_key"),
        comment="what webhooks told of; each is a hint that a record has changed",
    )
    op.create_index(
        "ix_webhook_event_pending",
        "ingestion_webhook_event",
        ["source", "entity", "id"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    _allow((*BEFORE, "webhook"))


def downgrade() -> None:
    op.drop_table("ingestion_webhook_event")
    # To the version before it is a replay: rows stored beside the syncs.
    op.execute("UPDATE ingestion_sync_history SET kind = 'replay' WHERE kind = 'webhook'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "ingestion_sync_history")
    op.create_check_constraint(
        "kind_is_known", "ingestion_sync_history", f"kind IN ({', '.join(map(repr, kinds))})"
    )
