"""Encrypted values: a sensitive value is kept as ciphertext, and found again by a blind index.

Nothing here reads a clock, a file or a database; `encryption` keeps the keys' registry.
"""

from __future__ import annotations

import decimal
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from crm_sync_assets.declarations.columns import Column, SqlType
from crm_sync_assets.errors import FatalError

if TYPE_CHECKING:
    from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.keyring import ID_LENGTH, VARIABLE, key_id
from crm_sync_assets.rows.processor import Row

TYPES: Mapping[SqlType, Any] = {
    "text": str,
    "timestamptz": datetime,
    "date": date,
    "time": time,
    "numeric": Decimal,
    "bigint": int,
    "boolean": bool,
    "jsonb": Any,
}
"""What an encrypted value of an SQL type is in Python. An interval cannot be encrypted."""
_DIGEST_BYTES = 16
_INDEX_LENGTH = 32
_ENCRYPTED = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}:")

Context = tuple[str, ...]
"""Where a value lives: (table, column, *key of the row). It opens nowhere else."""


def new_index_key() -> bytes:
    return secrets.token_bytes(32)


def looks_encrypted(text: str) -> bool:
    """Whether this begins like an encrypted value. JSON never does."""
    return _ENCRYPTED.match(text) is not None


def wrap(key: str, index_key: bytes) -> str:
    """The index key, encrypted under a key."""
    return Fernet(key).encrypt(index_key).decode()


def unwrap(key: str, wrapped: str) -> bytes:
    """Raises FatalError when it was wrapped under another key, or changed since."""
    try:
        return Fernet(key).decrypt(wrapped)
    except InvalidToken:
        raise FatalError(
            f"the index key kept under key {key_id(key)} in ingestion_encryption_key cannot be "
            "opened: that row was changed. Restore it from a backup of the warehouse"
        ) from None


class Vault:
    """Encrypts under the newest of its keys, decrypts under any.

    An encrypted value is `<key id>:<token>`; the token holds a digest of the context and the value.
    """

    def __init__(self, keys: Sequence[str], index_key: bytes) -> None:
        self._keys = {key_id(key): Fernet(key) for key in keys}
        self.newest = key_id(keys[0])
        """The id of the key that values are encrypted under."""
        self._encrypt = self._keys[self.newest].encrypt
        self._index_key = index_key

    def encrypt(self, context: Context, value: Any) -> str:
        """Raises TypeError or ValueError for what JSON cannot hold."""
        encrypted = self._encrypt(_digest(context) + msgspec.json.encode(value))
        return f"{self.newest}:{encrypted.decode()}"

    def decrypt(self, context: Context, encrypted: str, kind: SqlType) -> Any:
        """The value. Raises FatalError when the key is missing or the text was moved or changed."""
        return msgspec.json.decode(self._decrypted(context, encrypted), type=TYPES[kind])

    def reencrypt(self, context: Context, encrypted: str) -> str:
        """The same value under the newest key. Raises FatalError as `open`."""
        again = self._encrypt(_digest(context) + self._decrypted(context, encrypted))
        return f"{self.newest}:{again.decode()}"

    def index(self, kind: str, value: Any) -> str:
        """The blind index: equal for equal values of one kind of column, wherever they are."""
        said = msgspec.json.encode((kind, _canonical(value)), order="deterministic")
        return hmac.digest(self._index_key, said, "sha256").hex()[:_INDEX_LENGTH]

    def _decrypted(self, context: Context, encrypted: str) -> bytes:
        where = "/".join(context)
        name, _, token = encrypted.partition(":")
        key = self._keys.get(name)
        if key is None:
            raise FatalError(
                f"{where} is encrypted under key {name[:ID_LENGTH]}, which is not among the keys "
                f"of {VARIABLE}: add that key"
                if looks_encrypted(encrypted)
                else f"{where} holds a value that is not encrypted: something else wrote it"
            )
        try:
            opened = key.decrypt(token)
        except InvalidToken:
            raise FatalError(f"{where} cannot be opened: it was tampered with") from None
        if not hmac.compare_digest(opened[:_DIGEST_BYTES], _digest(context)):
            raise FatalError(
                f"{where} cannot be opened: it was moved there from another row or column"
            )
        return opened[_DIGEST_BYTES:]


def _digest(context: Context) -> bytes:
    return hashlib.sha256(msgspec.json.encode(context)).digest()[:_DIGEST_BYTES]


_EXACT = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


def _canonical(value: Any) -> Any:
    """One form for what PostgreSQL takes to be the same value."""
    if isinstance(value, Decimal):
        return str(value.normalize(_EXACT)) if value else "0"
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return _canonical_json(value) if isinstance(value, float | dict | list) else value


def _canonical_json(value: Any) -> Any:
    """A JSON number has one form, whether it was written 1, 1.0 or 1e0."""
    if isinstance(value, dict):
        return {name: _canonical_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_canonical_json(one) for one in value]
    # The float's shortest text is what jsonb keeps, not its exact binary value.
    return int(Decimal(repr(value))) if isinstance(value, float) and value.is_integer() else value


# Columns

SUFFIX = "_bidx"


def index_column(name: str) -> str:
    """The name of a column's blind index, at most 63 bytes: a hash stands for what is cut."""
    if len(name.encode()) + len(SUFFIX) <= 63:
        return name + SUFFIX
    head = name.encode()[: 63 - len(SUFFIX) - 9].decode(errors="ignore")
    return f"{head}_{hashlib.sha256(name.encode()).hexdigest()[:8]}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A sensitive column as an encrypted table keeps it: text, with a blind index beside it."""

    name: str
    kind: str
    sql: SqlType

    @property
    def index(self) -> str:
        return index_column(self.name)


def encrypted_columns(columns: Sequence[Column]) -> tuple[EncryptedColumn, ...]:
    return tuple(EncryptedColumn(one.name, one.kind, one.sql) for one in columns if one.sensitive)


def encryptor(vault: Vault, entity: Entity) -> Callable[[Row], Row]:
    """Makes what the table keeps of a row: sensitive values encrypted, their indexes at its end.

    A row is the entity's values in order, and whatever follows them.
    """
    keys = [i for i, column in enumerate(entity.columns) if column.key]
    sensitive = [(i, c.name, c.kind) for i, c in enumerate(entity.columns) if c.sensitive]
    table, encrypt, index = entity.table, vault.encrypt, vault.index

    def encrypted(row: Row) -> Row:
        key = tuple(str(row[i]) for i in keys)
        kept = list(row)
        for i, name, kind in sensitive:
            value = row[i]
            if value is None:
                kept.append(None)
            else:
                kept[i] = encrypt((table, name, *key), value)
                kept.append(index(kind, value))
        return tuple(kept)

    return encrypted


def decryptor(
    vault: Vault,
    table: str,
    key: Sequence[str],
    encrypted: Sequence[EncryptedColumn],
    names: Sequence[str],
) -> Callable[[Row], list[Any]]:
    """Makes plain values of a stored row; `names` are its columns, with the key's and the indexes.

    A value without a blind index waits for its first encryption and is read as it is.
    """
    keys = [names.index(name) for name in key]
    places = [(names.index(c.name), names.index(c.index), c) for c in encrypted]

    def decrypted(row: Row) -> list[Any]:
        values = list(row)
        parts = tuple(str(row[i]) for i in keys)
        for place, mark, column in places:
            if row[place] is None:
                continue
            if row[mark] is None:
                values[place] = plain(row[place], column.sql)
            else:
                values[place] = vault.decrypt((table, column.name, *parts), row[place], column.sql)
        return values

    return decrypted


def plain(stored: str, kind: SqlType) -> Any:
    """A value of a table that has room for encrypted values, but does not have it encrypted yet.

    Text is as it was; anything else is the JSON that PostgreSQL made of it.
    """
    return stored if kind == "text" else msgspec.json.decode(stored, type=TYPES[kind])
