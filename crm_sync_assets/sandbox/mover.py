"""A random believable life of any records."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.store import Table

Dice = list[tuple[Callable[[], str], int]]
"""Acts and how often they come up."""


class Mover:
    """Changes records of these kinds at random. Whoever calls it holds the world's lock.

    `busy` says how often a kind comes up, 2 where it says nothing; records of the `mergeable` ones
    are merged. An act that finds nothing to do says "".
    """

    busy: ClassVar[Mapping[str, int]] = {}
    mergeable: ClassVar[Sequence[str]] = ()

    def __init__(self, world: Life[Any], rng: random.Random, kinds: Sequence[str]) -> None:
        self.world = world
        self.rng = rng
        self.kinds = kinds
        self._weights = [self.busy.get(name, 2) for name in kinds]

    @classmethod
    def life(cls, world: Life[Any], n: int, seed: int, kinds: Sequence[str]) -> list[str]:
        """`n` changes of a world, the same for the same seeds; what they were, one line each."""
        with world.lock:
            return cls(world, random.Random(f"{world.seed}/{seed}"), kinds).move(n)

    def move(self, n: int) -> list[str]:
        """`n` changes, described one line each."""
        dice = self.dice()
        acts, weights = [act for act, _ in dice], [weight for _, weight in dice]
        return [self._act(acts, weights) for _ in range(n)]

    def _act(self, acts: Sequence[Callable[[], str]], weights: Sequence[int]) -> str:
        for _ in range(20):
            if done := self.rng.choices(acts, weights)[0]():
                return done
        return ""

    def dice(self) -> Dice:
        """What may happen to a record."""
        return [
            (self.edit, 40),
            (self.create, 15),
            (self.clear, 12),
            (self.archive, 8),
            (self.restore, 6),
            (self.merge, 4),
            (self.purge, 3),
        ]

    def kind(self) -> str:
        """A random kind."""
        return self.rng.choices(self.kinds, self._weights)[0]

    def values(self, kind: str, count: int) -> dict[str, Any]:
        """Values to write to a record."""
        return self.world.sample(self.world.table(kind), count, self.rng)

    def pick(self, kind: str | None, state: str = "live") -> str | None:
        """A random record in that state, if one turns up."""
        if kind is None:
            return None
        table: Table = self.world.tables[kind]
        for _ in range(400 if state == "archived" else 60):
            if not table.next_number:
                break
            number = self.rng.randrange(table.next_number)
            if table.state(number, None)[0] == state:
                return table.id_of(number)
        return None

    def create(self) -> str:
        """A new record."""
        kind = self.kind()
        return f"create {kind} {self.world.create(kind, self.values(kind, 12))}"

    def edit(self) -> str:
        """Some other values."""
        kind = self.kind()
        if (one := self.pick(kind)) is None:
            return ""
        self.world.edit(kind, one, self.values(kind, self.rng.choice((1, 1, 2, 4))))
        return f"edit {kind} {one}"

    def clear(self) -> str:
        """One value less."""
        kind = self.kind()
        if (one := self.pick(kind)) is None:
            return ""
        values = self.world.get(kind, one)["properties"]
        fixed = self.world.read_only(self.world.table(kind))
        full = [n for n, v in values.items() if v is not None and n not in fixed]
        if not full:
            return ""
        name = self.rng.choice(full)
        self.world.edit(kind, one, {name: None})
        return f"clear {kind} {one} {name}"

    def archive(self) -> str:
        """Into the recycle bin."""
        kind = self.kind()
        if (one := self.pick(kind)) is None:
            return ""
        self.world.archive(kind, one)
        return f"archive {kind} {one}"

    def restore(self) -> str:
        """Out of it."""
        for _ in range(40):
            kind = self.kind()
            one = self.pick(kind, "archived")
            if one is None:
                continue
            try:
                self.world.restore(kind, one)
            except ValueError:  # Too long in the recycle bin.
                continue
            return f"restore {kind} {one}"
        return ""

    def purge(self) -> str:
        """Gone for good."""
        kind = self.kind()
        if (one := self.pick(kind, self.rng.choice(("live", "archived")))) is None:
            return ""
        self.world.purge(kind, one)
        return f"purge {kind} {one}"

    def merge(self) -> str:
        """Two become one."""
        usable = [name for name in self.mergeable if name in self.kinds]
        kind = self.rng.choice(usable) if usable else None
        a, b = self.pick(kind), self.pick(kind)
        if kind is None or a is None or b is None or a == b:
            return ""
        return f"merge {kind} {a} {b} {self.world.merge(kind, a, b)}"
