"""Alembic's entry: runs the revisions in one transaction on the engine it is handed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

engine: sa.Engine = context.config.attributes["engine"]
path: str | None = context.config.attributes["path"]
with engine.connect() as connection:
    context.configure(connection=connection, version_table="ingestion_schema_version")
    with context.begin_transaction():
        connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
        if path:
            connection.execute(sa.text(f"SET LOCAL search_path = {path}"))
        context.run_migrations()
