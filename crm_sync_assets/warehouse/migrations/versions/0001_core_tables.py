"""SyncHistory, quarantine, keys seen by a sync in progress, shared pauses and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
CLOCK = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "ingestion_sync_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("crm_source", sa.String(50), nullable=False),
        sa.Column("sync_type", sa.String(50), nullable=False),
        sa.Column("endpoint", sa.String(200)),
        sa.Column("start_time", MOMENT, nullable=False),
        sa.Column("end_time", MOMENT),
        sa.Column("status", sa.String(20), nullable=False, server_default="running"),
        sa.Column("records_processed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("records_created", sa.Integer, nullable=False, server_default="0"),
        sa.Column("records_updated", sa.Integer, nullable=False, server_default="0"),
        sa.Column("records_failed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error_message", sa.Text),
        sa.Column("configuration", JSONB, nullable=False, server_default="{}"),
        sa.Column("performance_metrics", JSONB, nullable=False, server_default="{}"),
        sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("run_id", sa.Text, comment="the Dagster run"),
        sa.Column("watermark", MOMENT, comment="where the next delta starts"),
        sa.Column("checkpoint", JSONB, comment="where an interrupted sync resumes"),
        sa.Column("heartbeat", MOMENT, comment="the last sign of life"),
        sa.CheckConstraint(
            "status IN ('running', 'success', 'failed', 'partial')", name="status_is_known"
        ),
    )
    op.create_index(
        "ix_sync_history_source_type_start",
        "ingestion_sync_history",
        ["crm_source", "sync_type", sa.text("start_time DESC")],
    )
    op.create_index(
        "ix_sync_history_status_start",
        "ingestion_sync_history",
        ["status", sa.text("start_time DESC")],
    )
    op.create_index("ix_sync_history_end", "ingestion_sync_history", [sa.text("end_time DESC")])
    op.create_index(
        "one_running_sync_per_entity",
        "ingestion_sync_history",
        ["crm_source", "sync_type"],
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "ingestion_quarantine",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("crm_source", sa.String(50), nullable=False),
        sa.Column("sync_type", sa.String(50), nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("field", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False, comment="the record, as ASCII JSON"),
        sa.Column("url", sa.Text),
        sa.Column("tries", sa.Integer, nullable=False, server_default="1"),
        sa.Column("first_seen", MOMENT, nullable=False, server_default=NOW),
        sa.Column("last_seen", MOMENT, nullable=False, server_default=NOW),
        sa.Column("sync_id", sa.BigInteger),
        sa.UniqueConstraint("crm_source", "sync_type", "record_id"),
    )
    op.create_table(
        "ingestion_sync_keys",
        sa.Column(
            "sync_id",
            sa.BigInteger,
            sa.ForeignKey("ingestion_sync_history.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("key", ARRAY(sa.Text), primary_key=True),
        sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("merged_into", sa.Text),
        comment="keys a sync in progress has read, or proved gone",
    )
    op.create_table(
        "ingestion_rate_budget",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=CLOCK),
        comment="what the processes that share an account have booked of its rate limits",
    )
    op.create_table(
        "ingestion_oauth_token",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("access_token", sa.Text),
        sa.Column("refresh_token", sa.Text),
        sa.Column("expires_at", MOMENT),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=NOW),
    )


def downgrade() -> None:
    for table in (
        "ingestion_oauth_token",
        "ingestion_rate_budget",
        "ingestion_sync_keys",
        "ingestion_quarantine",
        "ingestion_sync_history",
    ):
        op.drop_table(table)
