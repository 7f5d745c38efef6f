"""Alembic's entry: runs the revisions in one transaction on the URL that `migrate` hands over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table="ingestion_schema_version")
    with context.begin_transaction():
        context.run_migrations()
