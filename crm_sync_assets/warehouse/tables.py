"""Entity tables, made and widened from the declarations; core tables come from Alembic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError
from crm_sync_assets.keyring import VARIABLE
from crm_sync_assets.log import logger
from crm_sync_assets.warehouse import comments, locks, readers, views
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.vault import Vault, encrypted_columns, index_column

log = logger(__name__)

STAMPS = (
    ("sync_created_at", "timestamptz", "when the row was first stored"),
    ("sync_updated_at", "timestamptz", "when the row last changed here"),
)
"""Set by the load, untouched when nothing changed; no watermark is ever read from them."""


def system_columns(entity: Entity) -> dict[str, tuple[str, str]]:
    """Name → (SQL type, meaning) of the columns the engine adds to every entity table."""
    columns = {
        "deleted_at": ("timestamptz", "when the record was deleted or archived at the source"),
        "sync_issues": ("jsonb", "what parsing, checks and business rules found odd, else NULL"),
    }
    if entity.merges:
        columns["merged_into"] = ("text", "the record this one was merged into")
    columns |= {name: (kind, about) for name, kind, about in STAMPS}
    declared = {column.name for column in entity.columns}
    return {name: column for name, column in columns.items() if name not in declared}


def stored_columns(entity: Entity, *, encrypted: bool) -> dict[str, str]:
    """Name → SQL type of all columns; an encrypted one is text and has a blind index."""
    columns: dict[str, str] = {column.name: column.sql for column in entity.columns}
    columns |= {name: kind for name, (kind, _) in system_columns(entity).items()}
    if encrypted:
        for column in encrypted_columns(entity.columns):
            columns |= {column.name: "text", column.index: "text"}
    return columns


def ensure_table(connection: Connection, entity: Entity, vault: Vault | None = None) -> list[str]:
    """Create the entity's table, or add the columns it lacks; the names of columns added.

    With a vault, sensitive columns are made to hold encrypted values. Table and columns say what
    they hold, unless that is refused, and the view of its live rows has all columns. Runs in the
    caller's transaction. Raises FatalError when a column has another type than the declaration, or
    is not as encrypted as it should be: nothing is converted behind anybody's back.
    """
    encrypted = vault is not None
    wanted = stored_columns(entity, encrypted=encrypted)
    existing = _existing(connection, entity.table)
    if existing is None or not wanted.keys() <= existing.columns.keys():
        # Two processes may meet here; the second finds the work done.
        locks.take_until_commit(connection, locks.table(entity.table))
        existing = _existing(connection, entity.table)
    if existing is None:
        _create(connection, entity, wanted)
        _comment(connection, entity, wanted, {})
        readers.admit(connection, entity.table)
        _view(connection, entity)
        return []
    _refuse_mixture(entity, existing.columns, encrypted=encrypted)
    refuse_other_types(entity, wanted, existing.columns)
    added = [name for name in wanted if name not in existing.columns]
    for name in added:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(
                sql.Identifier(entity.table), _definition(entity, name, wanted[name])
            )
        )
    _comment(connection, entity, wanted, existing.comments)
    _view(connection, entity)
    if added:
        log.warning(
            "%s: added columns %s to %s; rows stored before keep them empty until a full sync",
            entity,
            ", ".join(added),
            entity.table,
        )
    return added


def _view(connection: Connection, entity: Entity) -> None:
    if views.keep(connection, entity.table):
        readers.admit(connection, views.live_view(entity.table))


@dataclass(frozen=True, slots=True)
class _Existing:
    """A table that is there: its columns' types, and its comments; its own is under None."""

    columns: dict[str, str]
    comments: dict[str | None, str]


def _existing(connection: Connection, table: str) -> _Existing | None:
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, NULL), description, "
        "(SELECT obj_description(to_regclass(quote_ident(%(table)s)), 'pg_class')) "
        "FROM pg_attribute LEFT JOIN pg_description ON objoid = attrelid AND objsubid = attnum "
        "AND classoid = 'pg_class'::regclass "
        "WHERE attrelid = to_regclass(quote_ident(%(table)s)) AND attnum > 0 AND NOT attisdropped",
        {"table": table},
    ).fetchall()
    if not rows:
        return None
    told = [(None, rows[0][3]), *((name, text) for name, _, text, _ in rows)]
    return _Existing(
        {name: kind for name, kind, *_ in rows}, {name: text for name, text in told if text}
    )


def existing_columns(connection: Connection, table: str) -> dict[str, str] | None:
    """Name → type, as PostgreSQL spells it, of a table's columns; None if it is not there."""
    existing = _existing(connection, table)
    return existing.columns if existing is not None else None


def refuse_half_encrypted(connection: Connection, entity: Entity) -> None:
    """Raises FatalError when the table is there, and not all it should encrypt can be encrypted."""
    existing = existing_columns(connection, entity.table)
    if existing is not None:
        _refuse_mixture(entity, existing, encrypted=True)


def _refuse_mixture(entity: Entity, existing: dict[str, str], *, encrypted: bool) -> None:
    declared = {column.name for column in entity.columns}
    for column in entity.columns:
        if column.name not in existing:
            continue
        where = f"{entity}: column {entity.table}.{column.name}"
        index = index_column(column.name)
        holds_encrypted = index in existing and index not in declared
        if holds_encrypted and not column.sensitive:
            raise FatalError(
                f"{where} is encrypted in the warehouse but no longer declared sensitive. Declare "
                "it sensitive again, or rename the table aside and run a full sync"
            )
        if holds_encrypted and not encrypted:
            raise FatalError(f"{where} is encrypted, and this process has no key: set {VARIABLE}")
        if encrypted and column.sensitive and not holds_encrypted:
            raise FatalError(
                f"{where} is sensitive but not encrypted yet, and {VARIABLE} is set: run "
                "`crm-sync rotate-keys` once to encrypt what is stored"
            )


_SAME_TYPE = {
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "character varying": "text",
}


def refuse_other_types(entity: Entity, wanted: dict[str, str], existing: dict[str, str]) -> None:
    for name, kind in wanted.items():
        if name not in existing:
            continue
        stored = _SAME_TYPE.get(existing[name], existing[name])
        if stored != kind:
            raise FatalError(
                f"{entity}: column {entity.table}.{name} is {stored} in the warehouse but "
                f"{kind} in the declaration. Convert it with ALTER TABLE (DROP VIEW "
                f"{views.live_view(entity.table)} before; the next sync makes it again), or rename "
                "the table aside and run a full sync."
            )


def _create(connection: Connection, entity: Entity, wanted: dict[str, str]) -> None:
    table = sql.Identifier(entity.table)
    definitions = [_definition(entity, name, kind) for name, kind in wanted.items()]
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in entity.key)
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(key))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({})").format(table, sql.SQL(", ").join(definitions))
    )
    # Nobody looks an encrypted value up but by its blind index.
    indexed = [
        index_column(name) if _is_encrypted(entity, name, wanted) else name
        for name in entity.indexes
    ]
    names = [index_name(entity.table, column) for column in (*indexed, "survivors")]
    _free(connection, entity.table, names)
    for column in indexed:
        connection.execute(create_index(entity.table, entity.table, column))
    if entity.merges:
        # What is merged is rare: the few rows that say so are looked for at the end of each sync.
        said_in = sql.Identifier(entity.merged_ids or "merged_into")
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} ({}) WHERE {} IS NOT NULL").format(
                sql.Identifier(index_name(entity.table, "survivors")),
                table,
                key if entity.merged_ids else said_in,
                said_in,
            )
        )


def _free(connection: Connection, table: str, names: Sequence[str]) -> None:
    """A table that was renamed aside has kept the names of its indexes, which this one needs."""
    own = sql.Identifier(table).as_string()
    found = connection.execute(
        "SELECT i.relname, i.oid FROM pg_class AS i JOIN pg_class AS t USING (relnamespace) "
        "WHERE t.oid = to_regclass(%s) AND i.relkind = 'i' AND i.relname = ANY (%s)",
        (own, list(names)),
    ).fetchall()
    for name, number in found:
        aside = f"{name.encode()[:40].decode(errors='ignore')}_{number}"
        connection.execute(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(aside)
            )
        )


def label(connection: Connection, entity: Entity, labels: Mapping[str, str]) -> None:
    """Let the columns of a table that is there say what the source calls them, by column."""
    existing = _existing(connection, entity.table)
    if existing is not None and labels:
        there = {column: text for column, text in labels.items() if column in existing.columns}
        _comment(connection, entity, existing.columns, existing.comments, there)


def _comment(
    connection: Connection,
    entity: Entity,
    names: Iterable[str],
    present: comments.Texts,
    labels: Mapping[str, str] = MappingProxyType({}),
) -> None:
    about = {column.name: column.described(entity.source.root) for column in entity.columns}
    about |= {name: text for name, (_, text) in system_columns(entity).items()}
    about |= {
        column.index: f"blind index of {column.name}"
        for column in encrypted_columns(entity.columns)
    }
    declared: dict[str | None, str] = {None: entity.about}
    declared |= {name: about[name] for name in names if name in about}
    comments.say(connection, entity, declared, present, labels)


def create_index(table: str, named_after: str, column: str) -> sql.Composed:
    return sql.SQL("CREATE INDEX {} ON {} ({})").format(
        sql.Identifier(index_name(named_after, column)),
        sql.Identifier(table),
        sql.Identifier(column),
    )


def _is_encrypted(entity: Entity, name: str, wanted: dict[str, str]) -> bool:
    sensitive = any(column.name == name and column.sensitive for column in entity.columns)
    return sensitive and index_column(name) in wanted


def _definition(entity: Entity, name: str, kind: str) -> sql.Composed:
    default: Any = None
    for column in entity.columns:
        if column.name == name and column.default is not None:
            default = Jsonb(column.default) if column.sql == "jsonb" else column.default
    definition = sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
    if default is not None:
        definition += sql.SQL(" NOT NULL DEFAULT {}").format(sql.Literal(default))
    return definition


def index_name(table: str, column: str) -> str:
    """At most 63 bytes, and never the same for two columns: a hash stands for what is cut."""
    name = f"ix_{table}_{column}"
    if len(name.encode()) <= 63:
        return name
    head = name.encode()[:54].decode(errors="ignore")
    return f"{head}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
