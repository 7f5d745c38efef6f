"""Roles that may read the data, and what of it is made later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "ingestion_reader",
        sa.Column("role", sa.Text, primary_key=True),
        sa.Column(
            "since", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")
        ),
        comment="roles that `crm-sync migrate --grant` lets read tables and views of data",
    )


def downgrade() -> None:
    op.drop_table("ingestion_reader")
