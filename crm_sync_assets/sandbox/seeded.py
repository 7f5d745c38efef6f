"""The records a CRM begins with, computed from (seed, kind, number) whenever asked for.

Nothing is stored per record: ids, dates and values all follow from the number, so that a million
records cost no memory until somebody changes one. Values come in blocks: a block is a handful of
fields with some dozens of variants, and a record picks one variant of each block.
"""

import re
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.people import BEGIN_MS, END_MS, Pools, pools

_MASK = (1 << 64) - 1
_SIZES = (37, 41, 43, 47)
_BLOCK = 12

Maker = Callable[[int, int, Pools], Any]
"""The value of one field, of a record's number and its 64 well-mixed bits."""


def digits(record_id: str) -> int | None:
    """The number an id of up to 18 digits says."""
    return int(record_id) if re.fullmatch(r"\d{1,18}", record_id, re.ASCII) else None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: the fields that hold its id and dates, and the shape of its ids.

    Ids are numbers from `first_id` up, `id_step` apart with gaps that vary, and texts on the wire:
    `write_id` and `read_id` turn one into the other. `moment` writes the dates, out of epoch ms.
    Of the records of the beginning each `archived_every`-th is archived; 0: none is.
    """

    name: str
    singular: str
    created: str
    modified: str
    first_id: int = 1
    id_step: int = 1
    id_field: str = "id"
    write_id: Callable[[int], str] = str
    read_id: Callable[[str], int | None] = digits
    moment: Callable[[int], str] = iso
    archived_every: int = 51

    @property
    def system(self) -> frozenset[str]:
        """The fields nobody writes to."""
        return frozenset((self.id_field, self.created, self.modified))

    def enough_for(self, live: int) -> int:
        """How many records there must be so that so many of them are not archived."""
        return live + (live // (self.archived_every - 1) if self.archived_every else 0)


@dataclass(frozen=True, slots=True)
class Block:
    """Names of fields and what each variant says for them, in the same order."""

    names: tuple[str, ...]
    variants: tuple[tuple[Any, ...], ...]


def blocks_of(
    names: Sequence[str], sample: Callable[[str], Any], before: Sequence[Block] = ()
) -> tuple[Block, ...]:
    """Blocks of all these fields, their variants made of samples, after those `before`."""
    blocks = list(before)
    for start in range(0, len(names), _BLOCK):
        some = tuple(names[start : start + _BLOCK])
        size = _SIZES[len(blocks) % len(_SIZES)]
        blocks.append(Block(some, tuple(tuple(map(sample, some)) for _ in range(size))))
    return tuple(blocks)


class Base:
    """The `count` records of one kind that exist from the start, numbered from 0.

    `unique` makes the fields whose values follow from the record's number.
    """

    def __init__(
        self,
        seed: int,
        kind: Kind,
        count: int,
        unique: Mapping[str, Maker],
        blocks: Sequence[Block],
    ) -> None:
        self.kind = kind
        self.count = count
        self.unique = unique
        self.blocks = blocks
        self.pools = pools(seed)
        self._first, self._step = kind.first_id, kind.id_step
        # Never reached where nothing is archived.
        self.archived_every = kind.archived_every or 1 << 62
        self._salt = zlib.crc32(f"{seed}/{kind.name}".encode()) << 20
        self._gap = max(1, (END_MS - BEGIN_MS) // max(1, count))
        self._modified: array[int] | None = None
        self._order: array[int] | None = None

    def mix(self, k: int) -> int:
        """64 well-mixed bits of a record's number."""
        h = ((k + self._salt) * 0x9E3779B97F4A7C15) & _MASK
        h ^= h >> 31
        h = (h * 0xBF58476D1CE4E5B9) & _MASK
        return h ^ (h >> 29)

    def id_of(self, k: int) -> int:
        """The record id of a number, also of numbers yet to be created."""
        return self._first + k * self._step + (k * 2_654_435_761 >> 7) % self._step

    def number_from(self, record_id: int) -> int:
        """The lowest number whose id is at least `record_id`."""
        k = max(0, (record_id - self._first) // self._step)
        return k if self.id_of(k) >= record_id else k + 1

    def created(self, k: int) -> int:
        """Epoch ms; ascends with the number."""
        return BEGIN_MS + k * self._gap + self.mix(k) % self._gap

    def modified(self, k: int) -> int:
        """Epoch ms, between creation and the end of the history."""
        h = self.mix(k)
        created = BEGIN_MS + k * self._gap + h % self._gap
        share = (h >> 40) & 0xFFFF
        return created + (END_MS - created) * share * share // 0xFFFF_FFFF

    def archived(self, k: int) -> bool:
        """Whether the record begins archived."""
        return k % self.archived_every == self.archived_every - 1

    def by_modified(self) -> tuple[Sequence[int], Sequence[int]]:
        """Numbers in the order of modification, and the modified ms by number."""
        if self._order is None or self._modified is None:
            times = array("q", map(self.modified, range(self.count)))
            self._modified = times
            self._order = array("i", sorted(range(self.count), key=times.__getitem__))
        return self._order, self._modified

    def variant(self, block: int, k: int, h: int) -> int:  # noqa: ARG002  for who knows more
        """Which variant of a block a record shows."""
        return (h >> (3 * block)) % len(self.blocks[block].variants)

    def values(self, k: int) -> dict[str, Any]:
        """All fields."""
        h, kind = self.mix(k), self.kind
        found: dict[str, Any] = {
            kind.created: kind.moment(self.created(k)),
            kind.modified: kind.moment(self.modified(k)),
            kind.id_field: kind.write_id(self.id_of(k)),
        }
        for name, make in self.unique.items():
            found[name] = make(k, h, self.pools)
        for n, block in enumerate(self.blocks):
            found.update(zip(block.names, block.variants[self.variant(n, k, h)], strict=True))
        return found

    def names(self) -> list[str]:
        """The fields, without those of the system."""
        return [*self.unique, *(name for block in self.blocks for name in block.names)]

    def reader(self, name: str) -> Callable[[int], Any]:
        """A quick way to one field of many records; None throughout for an unknown one."""
        if name in self.unique:
            make, p = self.unique[name], self.pools
            return lambda k: make(k, self.mix(k), p)
        kind = self.kind
        if name == kind.id_field:
            return lambda k: kind.write_id(self.id_of(k))
        if name == kind.created:
            return lambda k: kind.moment(self.created(k))
        if name == kind.modified:
            return lambda k: kind.moment(self.modified(k))
        for n, block in enumerate(self.blocks):
            if name in block.names:
                column = [variant[block.names.index(name)] for variant in block.variants]
                return lambda k, n=n, column=column: column[  # type: ignore[misc]
                    self.variant(n, k, self.mix(k))
                ]
        return lambda _k: None
