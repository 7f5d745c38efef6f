"""What seems to differ, asked for once more by key: only what still differs is a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from crm_sync_assets.declarations.contract import Read, Tombstone, Usage, Verifiable
from crm_sync_assets.declarations.entity import Key, Record
from crm_sync_assets.errors import FatalError
from crm_sync_assets.operations.suspects import Suspect
from crm_sync_assets.operations.verified import Difference
from crm_sync_assets.rows.processor import Failure, Processor
from crm_sync_assets.warehouse.loading import Row, Table


@dataclass(frozen=True, slots=True)
class Seen:
    """What the source said about some suspects, and by key the `findings` that this makes.

    Their `records` became `rows`, several of a key where those make one, or `failures`;
    `tombstones` are for those that are gone.
    """

    records: Sequence[Record]
    rows: Mapping[Key, Sequence[Row]]
    failures: Sequence[Failure]
    tombstones: Mapping[Key, Tombstone]
    findings: Mapping[Key, Difference]


class SecondLook:
    """Asks for suspects by key and judges them. What changed after `through` is no finding."""

    def __init__(
        self,
        client: Verifiable,
        read: Read,
        processor: Processor,
        table: Table,
        through: datetime,
        usage: Usage,
    ) -> None:
        self._client = client
        self._read = read
        self._processor = processor
        self._table = table
        self._through = through
        self._usage = usage

    def at(self, suspects: Sequence[Suspect]) -> Seen:
        """Raises FatalError when the source says nothing about one it was asked for."""
        keys = [suspect.key for suspect in suspects]
        pages = list(self._client.by_key(self._read, keys, self._usage))
        self._table.note_shown(pages)
        records = [record for page in pages for record in page.records]
        batch = self._processor.process(records)
        rows: dict[Key, list[Row]] = {}
        for row in self._table.newest_per_key(batch.rows):
            rows.setdefault(self._table.key_of(row), []).append(row)
        tombstones = {tombstone.key: tombstone for page in pages for tombstone in page.tombstones}
        newest = {key: self._newest(made) for key, made in rows.items()}
        findings = {
            s.key: f
            for s in suspects
            if (f := self._judged(s, newest.get(s.key), tombstones.get(s.key))) is not None
        }
        refused = {failure.record_id for failure in batch.failures}
        answered = {*rows, *tombstones, *(key for page in pages for key in page.kept)}
        for key in keys:
            if key not in answered and "/".join(key) not in refused:
                raise FatalError(
                    f"{self._read.entity}: short read: the source said nothing about "
                    f"{'/'.join(key)}, which it was asked for; nothing is proven. Run it again."
                )
        return Seen(records, rows, batch.failures, tombstones, findings)

    def _judged(
        self, suspect: Suspect, row: Row | None, tombstone: Tombstone | None
    ) -> Difference | None:
        """What a suspect comes to, now that its record was read; None if it is as it should be."""
        if row is not None:
            gone_at = self._table.value_of(row, "deleted_at")
            modified = self._table.entity.modified
            sent = self._table.value_of(row, modified.name) if modified else None
            if suspect.kind != "extra":
                if gone_at is not None or self._is_new(sent):
                    return None
                # A record that came back is dated by when it was last edited, not by when it came.
                dated = sent is not None and not suspect.deleted
                return Difference(
                    suspect.kind, suspect.key, dated, stored=suspect.stored, sent=sent
                )
            if gone_at is None or self._is_new(gone_at):
                return None
            return Difference("extra", suspect.key, dated=True, stored=suspect.stored, sent=sent)
        if tombstone is None or suspect.kind != "extra" or self._is_new(tombstone.deleted_at):
            return None
        return Difference(
            "extra", suspect.key, tombstone.deleted_at is not None, stored=suspect.stored
        )

    def _newest(self, rows: Sequence[Row]) -> Row:
        modified = self._table.entity.modified
        if modified is None:
            return rows[-1]
        place = self._table.names.index(modified.name)
        dated = [row for row in rows if row[place] is not None]
        return max(dated, key=lambda row: row[place]) if dated else rows[-1]

    def _is_new(self, moment: datetime | None) -> bool:
        return moment is not None and moment > self._through
