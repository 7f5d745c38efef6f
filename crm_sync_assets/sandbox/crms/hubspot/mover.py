"""Random believable mutations: the life of a portal, compressed."""

import random
from collections.abc import Callable, Iterator, Sequence

from crm_sync_assets.sandbox.crms.hubspot.contents import Contents
from crm_sync_assets.sandbox.crms.hubspot.properties import READ_ONLY, TYPES, properties
from crm_sync_assets.sandbox.crms.hubspot.values import sample
from crm_sync_assets.sandbox.people import pools

_MERGEABLE = ("contacts", "companies", "deals", "tickets")
_PAIRS = (
    ("contacts", "appointments"),
    ("contacts", "divisions"),
    ("contacts", "deals"),
    ("contacts", "companies"),
    ("deals", "line_items"),
    ("calls", "contacts"),
    ("notes", "contacts"),
)
_BUSY = {"contacts": 8, "appointments": 5, "deals": 4, "divisions": 1, "genius_users": 1}


class _Mover:
    def __init__(self, world: Contents, rng: random.Random, types: Sequence[str]) -> None:
        self.world = world
        self.rng = rng
        self.types = types
        self._weights = [_BUSY.get(name, 2) for name in types]

    def kind(self, among: Sequence[str] = ()) -> str | None:
        if among:
            usable = [name for name in among if name in self.types]
            return self.rng.choice(usable) if usable else None
        return self.rng.choices(self.types, self._weights)[0]

    def pick(self, kind: str | None, state: str = "live") -> str | None:
        """A random record in that state, if one turns up."""
        if kind is None:
            return None
        table = self.world.tables[kind]
        for _ in range(400 if state == "archived" else 60):
            if not table.next_number:
                break
            number = self.rng.randrange(table.next_number)
            if table.state(number, None)[0] == state:
                return table.id_of(number)
        return None

    def values(self, kind: str, count: int) -> dict[str, str | None]:
        names = [n for n in properties(kind) if n not in READ_ONLY]
        chosen = self.rng.sample(names, min(count, len(names)))
        p = pools(self.world.seed)
        return {name: sample(kind, name, self.rng, p) for name in chosen}

    def create(self) -> str:
        kind = self.kind() or "contacts"
        return f"create {kind} {self.world.create(kind, self.values(kind, 12))}"

    def edit(self) -> str:
        kind = self.kind() or "contacts"
        if (one := self.pick(kind)) is None:
            return ""
        self.world.edit(kind, one, self.values(kind, self.rng.choice((1, 1, 2, 4))))
        return f"edit {kind} {one}"

    def clear(self) -> str:
        kind = self.kind() or "contacts"
        if (one := self.pick(kind)) is None:
            return ""
        values = self.world.get(kind, one)["properties"]
        full = [n for n, v in values.items() if v is not None and n not in READ_ONLY]
        if not full:
            return ""
        name = self.rng.choice(full)
        self.world.edit(kind, one, {name: None})
        return f"clear {kind} {one} {name}"

    def archive(self) -> str:
        kind = self.kind() or "contacts"
        if (one := self.pick(kind)) is None:
            return ""
        self.world.archive(kind, one)
        return f"archive {kind} {one}"

    def restore(self) -> str:
        for _ in range(40):
            kind = self.kind() or "contacts"
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
        kind = self.kind() or "contacts"
        if (one := self.pick(kind, self.rng.choice(("live", "archived")))) is None:
            return ""
        self.world.purge(kind, one)
        return f"purge {kind} {one}"

    def merge(self) -> str:
        kind = self.kind(_MERGEABLE)
        a, b = self.pick(kind), self.pick(kind)
        if kind is None or a is None or b is None or a == b:
            return ""
        return f"merge {kind} {a} {b} {self.world.merge(kind, a, b)}"

    def associate(self) -> str:
        a, b = self.rng.choice(_PAIRS)
        left, right = self.pick(a), self.pick(b)
        if left is None or right is None:
            return ""
        self.world.associate(a, left, b, right)
        return f"associate {a} {left} {b} {right}"

    def dissociate(self) -> str:
        a, b = self.rng.choice(_PAIRS)
        for _ in range(40):
            left = self.pick(a)
            others = self.world.associated(a, left, b) if left else []
            if left and others:
                right = self.rng.choice(others)
                self.world.dissociate(a, left, b, right)
                return f"dissociate {a} {left} {b} {right}"
        return ""


def move(world: Contents, n: int, rng: random.Random, types: Sequence[str] | None) -> Iterator[str]:
    """`n` mutations, described one line each. Caller holds the world's lock."""
    mover = _Mover(world, rng, list(types or TYPES))
    dice: list[tuple[Callable[[], str], int]] = [
        (mover.edit, 40),
        (mover.create, 15),
        (mover.clear, 12),
        (mover.archive, 8),
        (mover.restore, 6),
        (mover.associate, 7),
        (mover.dissociate, 5),
        (mover.merge, 4),
        (mover.purge, 3),
    ]
    acts, weights = [act for act, _ in dice], [weight for _, weight in dice]
    for _ in range(n):
        done = ""
        for _ in range(20):
            if done := rng.choices(acts, weights)[0]():
                break
        yield done
