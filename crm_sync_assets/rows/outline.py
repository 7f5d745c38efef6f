"""What a client needs to be verifiable: entities cut down to their keys, records chosen by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Told:
    """Which records an answer has: the `keys` of those that can be read, the names of those to be
    set `aside`; `has_nameless` where one does not say which it is: that may be any."""

    keys: frozenset[Key]
    aside: frozenset[str]
    has_nameless: bool

    @classmethod
    def by(cls, processor: Processor, records: Sequence[Any]) -> Told:
        """`processor` is one of an outline."""
        batch = processor.process(records)
        names = {failure.record_id for failure in batch.failures}
        aside = frozenset(name for name in names if name)
        return cls(frozenset(keys_of(processor, batch)), aside, None in names)

    def has(self, key: Key) -> bool:
        return key in self.keys or "/".join(key) in self.aside


def asked_for(pages: Iterator[Page], entity: Entity, keys: Sequence[Key]) -> Iterator[Page]:
    """For sources that are read whole: of these pages the records of these keys, and no others.

    What did not come by the end is gone, unless a page keeps it, or a record had no key: that may
    be any of them.
    """
    wanted = set(keys)
    processor = Processor(outline_of(entity), validate=False)
    seen, kept = set[Key](), set[Key]()
    has_nameless = False
    for page in pages:
        kept |= wanted.intersection(page.kept)
        records = []
        for record in page.records:
            told = Told.by(processor, [record])
            has_nameless |= told.has_nameless
            found = {key for key in wanted if told.has(key)} if told.aside else wanted & told.keys
            seen |= found
            records += [record] if found else []
        if records:
            yield Page(records, page.cursor)
    unseen = [key for key in keys if key not in seen]
    stay = [key for key in unseen if has_nameless or key in kept]
    gone = [Tombstone(key) for key in unseen if not has_nameless and key not in kept]
    if stay or gone:
        yield Page([], {}, gone, kept=stay)
