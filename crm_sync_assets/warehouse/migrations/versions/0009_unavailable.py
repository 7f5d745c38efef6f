"""That an entity is not available in the account is a kind of row of its own."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

BEFORE = ("sync", "dry_run", "limited", "verify", "refresh", "replay", "mirrored", "filtered")


def upgrade() -> None:
    _allow((*BEFORE, "unavailable"))


def downgrade() -> None:
    # To the version before it is a sync that failed.
    op.execute("UPDATE ingestion_sync_history SET kind = 'sync' WHERE kind = 'unavailable'")
    _allow(BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "ingestion_sync_history")
    op.create_check_constraint(
        "kind_is_known", "ingestion_sync_history", f"kind IN ({', '.join(map(repr, kinds))})"
    )
