"""The keys that sensitive values are sealed under, and under which a stored token is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ingestion_encryption_key",
        sa.Column("key_id", sa.Text, primary_key=True, comment="a hash of the key, never the key"),
        sa.Column(
            "first_used",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.Column(
            "index_key",
            sa.Text,
            nullable=False,
            comment="the key of the blind indexes, sealed under this key",
        ),
        comment="keys that something in this database may be sealed under",
    )
    op.add_column(
        "ingestion_oauth_token",
        sa.Column("sealed_under", sa.Text, comment="the key's id; NULL where tokens are plain"),
    )


def downgrade() -> None:
    op.drop_column("ingestion_oauth_token", "sealed_under")
    op.drop_table("ingestion_encryption_key")
