"""Incidents that were, or are still to be, told to somebody."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "ingestion_alert",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("rule", sa.String(20), nullable=False),
        sa.Column("subject", sa.Text, nullable=False, comment="an entity, or `everything`"),
        sa.Column("since", MOMENT, nullable=False, comment="when the trouble began"),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("advice", sa.Text, nullable=False, comment="the command to run next"),
        sa.Column("size", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("opened_at", MOMENT, nullable=False, server_default=sa.text("now()")),
        sa.Column("told_at", MOMENT, comment="when a channel last took the alert or a reminder"),
        sa.Column("told_size", sa.BigInteger),
        sa.Column("closed_at", MOMENT),
        sa.Column("recovery_told_at", MOMENT, comment="when a channel took the recovery"),
        comment="one row per incident, from its first sign to its end",
    )
    op.create_index(
        "one_open_incident",
        "ingestion_alert",
        ["rule", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("ingestion_alert")
