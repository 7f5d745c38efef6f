"""What receivers of webhooks have heard and refused, and which events wait for somebody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "ingestion_webhook_heard",
        sa.Column("source", sa.Text, primary_key=True, comment="the CRM"),
        sa.Column("entity", sa.Text, primary_key=True, comment="'': none of ours"),
        sa.Column("happened", sa.Text, primary_key=True),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False, comment="repeated ones included"),
        comment="when webhooks told of what; it stays when events are pruned",
    )
    op.create_table(
        "ingestion_webhook_refusal",
        sa.Column("source", sa.Text, primary_key=True, comment="the CRM"),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("hour", MOMENT, primary_key=True),
        sa.Column("deliveries", sa.BigInteger, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        comment="deliveries that were not proven, by the hour; kept for a week",
    )
    op.create_table(
        "ingestion_webhook_receiver",
        sa.Column("source", sa.Text, primary_key=True, comment="the CRM"),
        sa.Column("since", MOMENT, nullable=False, comment="a receiver has its secret"),
        sa.Column("seen_at", MOMENT, nullable=False, comment="the last sign of life of one"),
        comment="whose webhooks a receiver is set up for",
    )
    op.add_column(
        "ingestion_webhook_event",
        sa.Column("waiting_since", MOMENT, comment="when it was put back; NULL: as it came"),
    )
    op.create_index(
        "ix_webhook_event_failed",
        "ingestion_webhook_event",
        ["source", "entity", "record_id"],
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.execute(
        "INSERT INTO ingestion_webhook_heard (source, entity, happened, first_at, last_at, events) "
        "SELECT source, coalesce(entity, ''), happened, min(received_at), max(received_at), "
        "count(*) FROM ingestion_webhook_event GROUP BY 1, 2, 3"
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_event_failed", "ingestion_webhook_event")
    op.drop_column("ingestion_webhook_event", "waiting_since")
    for name in ("receiver", "refusal", "heard"):
        op.drop_table(f"ingestion_webhook_{name}")
