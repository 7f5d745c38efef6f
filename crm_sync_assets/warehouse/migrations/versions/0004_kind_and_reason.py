"""What a row of SyncHistory is, and why it failed, in columns of their own."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KINDS = ("sync", "dry_run", "limited", "verify", "refresh", "replay", "mirrored")
REASONS = ("auth", "scope", "quota", "system", "data", "cancelled", "other")

# Processes of the version before write rows until they are restarted, and know no kind: theirs
# is told by their flags, as that of the rows which are there already.
KIND_OF_OLD_WRITERS = """
CREATE FUNCTION ingestion_sync_history_kind() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'sync' THEN
        NEW.kind := CASE
            WHEN NEW.endpoint = 'mirrored' OR NEW.configuration ? 'mirrored_event' THEN 'mirrored'
            WHEN NEW.configuration -> 'replay' = 'true' THEN 'replay'
            WHEN NEW.configuration -> 'verify' = 'true' THEN 'verify'
            WHEN NEW.configuration -> 'refresh' = 'true' THEN 'refresh'
            WHEN NEW.configuration -> 'dry_run' = 'true' THEN 'dry_run'
            WHEN NEW.configuration -> 'max_records' > '0' THEN 'limited'
            ELSE 'sync'
        END;
    END IF;
    RETURN NEW;
END
$$
"""

# The words of versions that kept no reason, in the order in which they decide.
REASON_BY_WORDS = r"""
UPDATE ingestion_sync_history SET reason = CASE
    WHEN error_message LIKE 'cancelled%' THEN 'cancelled'
    WHEN error_message ~ '\mdeferred until\M|answered 429' THEN 'quota'
    WHEN error_message ~ 'answered 403|missing scopes|may not be read|lets us read nothing'
        '|GRANT SELECT' THEN 'scope'
    WHEN error_message ~ 'answered 401|token was refused|refuses the login'
        '|refresh the OAuth token|is not set: give' THEN 'auth'
    WHEN error_message ~* 'the warehouse|disk|out of memory|too many connections|read-only'
        '|process of this sync died|no sign of life|its Dagster run ended|cannot be reached'
        '|failures in a row|time budget for retries|no trusted TLS' THEN 'system'
    WHEN error_message ~ 'live rows (would be marked as deleted|seem to be gone)'
        '|records could not be stored, more than' THEN 'data'
    ELSE 'other'
END
WHERE status = 'failed'
"""


# What a source had sent stood in a message without the marks by which alerts leave it out.
EXCERPT = re.compile(r"(not JSON|cannot be read \([^)]*\)): (?!‹)(.*?)(?=\. Check|; given|$)")


def _mark_excerpts() -> None:
    history = sa.table("ingestion_sync_history", sa.column("id"), sa.column("error_message"))
    text = history.c.error_message
    quoting = sa.or_(text.contains("not JSON: "), text.contains("cannot be read ("))
    for sync_id, message in op.get_bind().execute(sa.select(history).where(quoting)).all():
        marked = EXCERPT.sub(r"\1: ‹\2›", message)
        op.execute(sa.update(history).where(history.c.id == sync_id).values(error_message=marked))


def upgrade() -> None:
    op.add_column(
        "ingestion_sync_history",
        sa.Column(
            "kind",
            sa.Text,
            nullable=False,
            server_default="sync",
            comment="a real sync, a trial of one, or other work on the entity's rows",
        ),
    )
    op.add_column(
        "ingestion_sync_history",
        sa.Column("reason", sa.Text, comment="why it failed; NULL unless it did"),
    )
    op.execute(KIND_OF_OLD_WRITERS)
    op.execute(
        "CREATE TRIGGER kind_of_old_writers BEFORE INSERT OR UPDATE OF kind "
        "ON ingestion_sync_history FOR EACH ROW EXECUTE FUNCTION ingestion_sync_history_kind()"
    )
    op.execute("UPDATE ingestion_sync_history SET kind = kind")
    op.execute(REASON_BY_WORDS)
    _mark_excerpts()
    op.create_check_constraint("kind_is_known", "ingestion_sync_history", _among("kind", KINDS))
    op.create_check_constraint(
        "reason_is_known",
        "ingestion_sync_history",
        f"reason IS NULL OR (status = 'failed' AND {_among('reason', REASONS)})",
    )


def _among(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(map(repr, values))})"


def downgrade() -> None:
    op.execute("DROP TRIGGER kind_of_old_writers ON ingestion_sync_history")
    op.execute("DROP FUNCTION ingestion_sync_history_kind()")
    op.drop_column("ingestion_sync_history", "reason")
    op.drop_column("ingestion_sync_history", "kind")
