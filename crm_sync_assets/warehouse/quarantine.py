"""Records that could not be stored: kept whole, with the reason, until they can be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from typing import Any

from psycopg import sql

from crm_sync_assets.declarations.entity import Entity, Record
from crm_sync_assets.declarations.parsing import MAX_DEPTH
from crm_sync_assets.errors import FatalError
from crm_sync_assets.keyring import VARIABLE
from crm_sync_assets.redaction import redact
from crm_sync_assets.rows.processor import Failure, cut
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.vault import Context, Vault, looks_encrypted

MOST_TRIES = 3
"""A record refused this often is left alone by `replay` unless it is asked for by its id."""

LONGEST_ID = 1_000
"""Bytes of a record's id. An index entry of PostgreSQL holds some 2,700."""


MARK = "@"
"""In the id of a record that makes a row with others: between the row's key and a digest."""

_ENTRY = (
    "q.id, q.crm_source, q.sync_type, q.record_id, q.stage, q.field, q.reason, q.payload, q.url, "
    "q.tries, q.first_seen, q.last_seen, q.sync_id"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One quarantined record; `stage` is parse, validate or load."""

    id: int
    crm: str
    sync_type: str
    record_id: str
    stage: str
    field: str | None
    reason: str
    record: Record = dataclass_field(repr=False)
    url: str | None
    tries: int
    first_seen: datetime
    last_seen: datetime
    sync_id: int | None


def add(
    connection: Connection,
    entity: Entity,
    sync_id: int | None,
    failures: Sequence[Failure],
    vault: Vault | None = None,
) -> None:
    """Keep these records, in the caller's transaction; one seen again counts another try.

    With a vault a record is kept encrypted, as a whole.
    """
    connection.cursor().executemany(
        "INSERT INTO ingestion_quarantine AS q (crm_source, sync_type, record_id, stage, field, "
        "reason, payload, url, sync_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (crm_source, sync_type, record_id) DO UPDATE SET stage = excluded.stage, "
        "field = excluded.field, reason = excluded.reason, payload = excluded.payload, "
        "url = excluded.url, sync_id = excluded.sync_id, tries = q.tries + 1, "
        "last_seen = now()",
        [
            (
                entity.crm,
                entity.sync_type,
                _id_of(entity, failure),
                failure.stage,
                failure.field,
                _clean(redact(failure.reason)),
                _encrypted(vault, entity, failure),
                failure.url,
                sync_id,
            )
            for failure in failures
        ],
    )


def has_any(connection: Connection, entity: Entity) -> bool:
    found = connection.execute(
        "SELECT EXISTS (SELECT FROM ingestion_quarantine WHERE crm_source = %s AND sync_type = %s)",
        (entity.crm, entity.sync_type),
    ).fetchone()
    return bool(found and found[0])


def forget_staged(connection: Connection, entity: Entity, stage: sql.Composable) -> None:
    """Drop the entries of records that are being stored after all."""
    key = sql.SQL(" || '/' || ").join(
        sql.SQL("s.{}::text").format(sql.Identifier(column.name)) for column in entity.key
    )
    connection.execute(
        sql.SQL(
            "DELETE FROM ingestion_quarantine AS q USING {stage} AS s "
            "WHERE q.crm_source = {crm} AND q.sync_type = {type} AND q.record_id = {key}"
        ).format(
            stage=stage, crm=sql.Literal(entity.crm), type=sql.Literal(entity.sync_type), key=key
        )
    )


def beside_staged(
    connection: Connection,
    entity: Entity,
    stage: sql.Composable,
    columns: Sequence[str],
    vault: Vault | None,
) -> list[tuple[Entry, Sequence[Any]]]:
    """Entries of the rows that are staged, each with these columns of such a row."""
    rows = connection.execute(
        sql.SQL(
            "SELECT {entry}, {columns} FROM ingestion_quarantine AS q JOIN {stage} AS s "
            "ON q.record_id = s.{key}::text OR starts_with(q.record_id, s.{key}::text || {mark}) "
            "WHERE q.crm_source = {crm} AND q.sync_type = {type}"
        ).format(
            entry=sql.SQL(_ENTRY),
            columns=sql.SQL(", ").join(sql.Identifier("s", name) for name in columns),
            stage=stage,
            key=sql.Identifier(entity.key[0].name),
            mark=sql.Literal(MARK),
            crm=sql.Literal(entity.crm),
            type=sql.Literal(entity.sync_type),
        )
    ).fetchall()
    return [(_entry(vault, row[: -len(columns)]), row[-len(columns) :]) for row in rows]


def forget_before(connection: Connection, entity: Entity, sync_id: int) -> None:
    """Drop what syncs before this one have set aside."""
    connection.execute(
        "DELETE FROM ingestion_quarantine WHERE crm_source = %s AND sync_type = %s "
        "AND coalesce(sync_id, 0) < %s",
        (entity.crm, entity.sync_type, sync_id),
    )


def entries(
    connection: Connection,
    *,
    crm: str | None = None,
    sync_type: str | None = None,
    record_id: str | None = None,
    limit: int = 100,
    vault: Vault | None = None,
) -> list[Entry]:
    """The newest entries first; filters are exact. An encrypted record needs the vault."""
    rows = connection.execute(
        f"SELECT {_ENTRY} FROM ingestion_quarantine AS q "  # noqa: S608
        "WHERE (%(crm)s::text IS NULL OR crm_source = %(crm)s) "
        "AND (%(type)s::text IS NULL OR sync_type = %(type)s) "
        "AND (%(record)s::text IS NULL OR record_id = %(record)s) "
        "ORDER BY last_seen DESC, id DESC LIMIT %(limit)s",
        {"crm": crm, "type": sync_type, "record": record_id, "limit": limit},
    ).fetchall()
    connection.commit()
    return [_entry(vault, row) for row in rows]


def _entry(vault: Vault | None, row: Sequence[Any]) -> Entry:
    return Entry(*(*row[:7], _decrypted(vault, row), *row[8:]))


def numbered_entry(connection: Connection, number: int) -> str | None:
    """The record's id of the entry with this number; None where there is none."""
    found = connection.execute(
        "SELECT record_id FROM ingestion_quarantine WHERE id::numeric = %s", [number]
    ).fetchone()
    return str(found[0]) if found else None


def remove(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute("DELETE FROM ingestion_quarantine WHERE id = ANY(%s)", (list(ids),))


def _payload(record: Any) -> str:
    """ASCII JSON: what PostgreSQL's text cannot hold is kept as an escape.

    What is nested too deep to be a row's is cut there: nobody could read it back.
    """
    return json.dumps(cut(record, MAX_DEPTH + 2), default=str)


def context(crm: str, sync_type: str, record_id: str) -> Context:
    """Where an encrypted record of the quarantine lives."""
    return ("ingestion_quarantine", crm, sync_type, record_id)


def _encrypted(vault: Vault | None, entity: Entity, failure: Failure) -> str:
    payload = _payload(failure.record)
    if vault is None:
        return payload
    return vault.encrypt(context(entity.crm, entity.sync_type, _id_of(entity, failure)), payload)


def _decrypted(vault: Vault | None, row: Sequence[Any]) -> Record:
    _, crm, sync_type, record_id, _, _, _, payload, *_ = row
    if looks_encrypted(payload):
        if vault is None:
            raise FatalError(f"the quarantine is encrypted: set {VARIABLE}")
        payload = vault.decrypt(context(crm, sync_type, record_id), payload, "text")
    record: Record = json.loads(payload)
    return record


def _id_of(entity: Entity, failure: Failure) -> str:
    """The record's id; a hash of the record that has none, or of an id too long for an index.

    Of several records that make a row each has its own.
    """
    if failure.record_id and len(failure.record_id.encode()) <= LONGEST_ID:
        if not entity.parts:
            return failure.record_id
        digest = MARK + hashlib.sha256(_payload(failure.record).encode()).hexdigest()[:12]
        return failure.record_id.removesuffix(digest) + digest
    told = failure.record_id or _payload(failure.record)
    return "sha256:" + hashlib.sha256(told.encode()).hexdigest()[:32]


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:2_000]
