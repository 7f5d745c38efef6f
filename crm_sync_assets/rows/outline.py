"""What a client needs to be verifiable: entities cut down to their keys, records chosen by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from crm_sync_assets.declarations.contract import Page, Tombstone
from crm_sync_assets.declarations.entity import Entity, Key
from crm_sync_assets.rows.processor import Batch, Processor


def outline_of(entity: Entity) -> Entity:
    """The same entity with nothing but its key, its modified moment and when it was deleted."""
    modified = entity.modified
    columns = tuple(
        column
        for column in entity.columns
        if column.key or column is modified or column.name == "deleted_at"
    )
    return replace(
        entity, columns=columns, indexes=(), rules=(), merged_ids=None, merges_told=False
    )


def keys_of(processor: Processor, batch: Batch) -> list[Key]:
    """The keys of the rows that a processor of an outline made."""
    places = [place for place, column in enumerate(processor.entity.columns) if column.key]
    return [tuple(str(row[place]) for place in places) for row in batch.rows]


def asked_for(pages: Iterator[Page], entity: Entity, keys: Sequence[Key]) -> Iterator[Page]:
    """For sources that are read whole: of these pages the records of these keys, and no others.

    What did not come by the end is gone.
    """
    wanted = set(keys)
    processor = Processor(outline_of(entity), validate=False)
    seen: set[Key] = set()
    for page in pages:
        records = []
        for record in page.records:
            for key in keys_of(processor, processor.process([record])):
                if key in wanted:
                    seen.add(key)
                    records.append(record)
        if records:
            yield Page(records, page.cursor)
    gone = [Tombstone(key) for key in keys if key not in seen]
    if gone:
        yield Page([], {}, gone)
