"""What tables and columns say of themselves in the catalogue: COMMENT ON, only where it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse.connection import Connection, message_of

log = logger(__name__)

LABELLED = "; called "
"""Between what a declaration says of a column and what the source itself calls it."""

LONGEST = 400
"""Characters of what a source says: some accounts explain a property in pages."""

Texts = Mapping[str | None, str]
"""By column, under None for the table."""

Labels = Mapping[str, Mapping[str, str]]
"""By table and column."""

_refused: set[str] = set()
"""Tables that kept a comment they had, which was said in this process."""


def labelled(declared: str, label: str) -> str:
    """What is declared of a column, and what the source calls it, if it says."""
    label = " ".join(label.replace("\0", "").split())
    if len(label) > LONGEST:
        label = f"{label[:LONGEST].rstrip()} …"
    return declared + LABELLED + label if label else declared


def labels(connection: Connection, tables: Sequence[str]) -> Labels:
    """What the sources call the columns of these tables, as the warehouse was told."""
    found: dict[str, dict[str, str]] = {}
    for table, column, said in connection.execute(
        "SELECT c.relname::text, a.attname::text, d.description FROM pg_description AS d "
        "JOIN pg_class AS c ON c.oid = d.objoid "
        "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid "
        "WHERE d.classoid = 'pg_class'::regclass AND d.objsubid > 0 AND pg_table_is_visible(c.oid) "
        "AND c.relname = ANY (%s)",
        (list(tables),),
    ).fetchall():
        _, mark, label = said.partition(LABELLED)
        if mark:
            found.setdefault(table, {})[column] = label
    return found


def say(
    connection: Connection,
    entity: Entity,
    declared: Texts,
    present: Texts,
    labels: Mapping[str, str],
) -> None:
    """Say of the table and these columns what they hold, inside the caller's transaction.

    `present` is what they say now. What the source called a column stays until it calls it
    something else. Whoever does not own the table may not, and nobody waits for a lock to do it:
    then the comments stay as they are.
    """
    wrong = {
        name: text
        for name, said in declared.items()
        if (text := _text(name, said, present.get(name, ""), labels)) != present.get(name, "")
    }
    if not wrong:
        return
    table = sql.Identifier(entity.table)
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT").format(table)
            )
            for name, text in wrong.items():
                what = (
                    sql.SQL("TABLE {}").format(table)
                    if name is None
                    else sql.SQL("COLUMN {}").format(sql.Identifier(entity.table, name))
                )
                connection.execute(sql.SQL("COMMENT ON {} IS {}").format(what, sql.Literal(text)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.LockNotAvailable) as error:
        if entity.table not in _refused:
            _refused.add(entity.table)
            log.warning(
                "%s: the comments of %s stay as they are: %s",
                entity,
                entity.table,
                message_of(error),
            )


def _text(name: str | None, declared: str, present: str, labels: Mapping[str, str]) -> str:
    if name is None:
        return declared
    if name in labels:
        return labelled(declared, labels[name])
    _, mark, label = present.partition(LABELLED)
    return declared + mark + label
