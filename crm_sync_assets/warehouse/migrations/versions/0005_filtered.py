"""Syncs that asked the source for a part of its records are a kind of their own."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

BEFORE = ("sync", "dry_run", "limited", "verify", "refresh", "replay", "mirrored")


def upgrade() -> None:
    _allow((*BEFORE, "filtered"))


def downgrade() -> None:
    # The version before has only this word for a sync that moves nothing.
    op.execute("UPDATE ingestion_sync_history SET kind = 'limited' WHERE kind = 'filtered'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "ingestion_sync_history")
    op.create_check_constraint(
        "kind_is_known", "ingestion_sync_history", f"kind IN ({', '.join(map(repr, kinds))})"
    )
