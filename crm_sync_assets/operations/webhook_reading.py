"""The records of events, read by their keys: one that cannot be had must not keep out the others.

Where a source refuses a request for what is in it, the request is halved until the record is found.
Where it fails, as servers do, nobody can tell whose fault that is: such records are asked for again
in groups that grow from one on. One that fails alone while the source answers for another is to
blame; where it answers for none, none is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from psycopg import sql

from crm_sync_assets.declarations.contract import Client, Page, Read, Usage, Verifiable
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.errors import (
    BadRequest,
    Closed,
    FatalError,
    Gone,
    SyncError,
    TooLarge,
    TooLong,
    TransientError,
)
from crm_sync_assets.warehouse.connection import Connection
from crm_sync_assets.warehouse.deletions import key_array

DIVISIBLE: Final = (BadRequest, Gone, TooLarge, TooLong)
"""What one record among many may cause."""

OTHERS: Final = 2
"""So many stored records are asked for, until the source answers for one."""


class TooManyAtOnce(Exception):
    """One of these is to blame, or none: fewer have to be asked for at once."""


class Reading:
    """The records of one turn; `read` is what the client is told of it."""

    def __init__(self, client: Client, read: Read, usage: Usage) -> None:
        self._client = cast(Verifiable, client)
        self._read = read
        self._usage = usage
        self._has_answered = False

    def fetched(self, keys: Sequence[Key]) -> tuple[list[Page], dict[Key, str]]:
        """The pages of these keys, and why some cannot be had. Raises what the client raises."""
        if not keys:
            return [], {}
        try:
            pages = list(self._client.by_key(self._read, keys, self._usage))
        except DIVISIBLE as error:
            if len(keys) == 1:
                return [], {keys[0]: str(error)}
        else:
            self._has_answered = True
            return pages, {}
        half = len(keys) // 2
        pages, refused = self.fetched(keys[:half])
        others, also = self.fetched(keys[half:])
        return pages + others, refused | also

    def suspected(
        self, connection: Connection, keys: Sequence[Key]
    ) -> tuple[list[Page], dict[Key, str]]:
        """As `fetched`, of records that could not be read before.

        Raises TooManyAtOnce where several fail together, and what the client raises where the
        source answers for no other record either.
        """
        try:
            return self.fetched(keys)
        except SyncError as error:
            if not _may_be_its_own(error):
                raise
            if len(keys) > 1:
                raise TooManyAtOnce from error
            if not self._answers_for_another(connection, keys[0]):
                raise
            return [], {keys[0]: f"{error} The source answers for other records"}

    def _answers_for_another(self, connection: Connection, key: Key) -> bool:
        others = [] if self._has_answered else _stored(connection, self._read.entity, key)
        for other in others:
            try:
                self.fetched([other])
            except SyncError:
                continue
            if self._has_answered:
                break
        return self._has_answered


def _may_be_its_own(error: SyncError) -> bool:
    """Whether a single record may cause it: not what is wrong with credentials or settings."""
    return isinstance(error, TransientError | Closed) or type(error) is FatalError


def _stored(connection: Connection, entity: Entity, key: Key) -> list[Key]:
    """Keys of some other live rows. Commits."""
    rows = connection.execute(
        sql.SQL("SELECT {key} FROM {} AS t WHERE deleted_at IS NULL AND {key} <> %s LIMIT %s")
        .format(sql.Identifier(entity.table), key=key_array(entity, "t")),
        (list(key), OTHERS),
    ).fetchall()  # fmt: skip
    connection.commit()
    return [tuple(row[0]) for row in rows]
