"""The base URL that a token endpoint's answer brings, beside its tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "ingestion_oauth_token",
        sa.Column(
            "base_url",
            sa.Text,
            comment="where requests with these tokens go; NULL where the settings say so",
        ),
    )


def downgrade() -> None:
    op.drop_column("ingestion_oauth_token", "base_url")
