"""Who belongs to whom: computed for the records of the beginning, plus what was changed since."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Link:
    """Every child has at most one parent, a parent has many children; nothing is stored.

    Child c belongs to parent (c mod active) spread evenly over `parents`; each `skip`-th child
    belongs to nobody. `active` is how many parents have children at all.
    """

    children: int
    parents: int
    active: int
    skip: int

    def parent_of(self, child: int) -> int | None:
        """The parent's number."""
        if not self.active or not 0 <= child < self.children or child % self.skip == self.skip - 1:
            return None
        return child % self.active * self.parents // self.active

    def children_of(self, parent: int) -> Iterator[int]:
        """The children's numbers, ascending."""
        if not self.active or not 0 <= parent < self.parents:
            return
        slot = -(-parent * self.active // self.parents)
        if slot >= self.active or slot * self.parents // self.active != parent:
            return
        for child in range(slot, self.children, self.active):
            if child % self.skip != self.skip - 1:
                yield child


# child, parent, share of the parents that have children (percent), every n-th child is alone
_LINKS = (
    ("appointments", "contacts", 40, 29),
    ("contacts", "divisions", 100, 10),
    ("deals", "contacts", 25, 31),
    ("contacts", "companies", 90, 3),
    ("line_items", "deals", 60, 1_000_003),
    ("deals", "companies", 70, 4),
    ("calls", "contacts", 20, 37),
    ("emails", "contacts", 20, 37),
    ("meetings", "contacts", 20, 37),
    ("notes", "contacts", 20, 37),
    ("tasks", "contacts", 20, 37),
)

# HubSpot's own type ids, from the first object to the second; others are user defined.
TYPE_IDS = {
    ("contacts", "companies"): (279, 1),
    ("companies", "contacts"): (280, 2),
    ("contacts", "deals"): (4,),
    ("deals", "contacts"): (3,),
    ("deals", "companies"): (341, 5),
    ("companies", "deals"): (342, 6),
    ("deals", "line_items"): (19,),
    ("line_items", "deals"): (20,),
    ("calls", "contacts"): (194,),
    ("contacts", "calls"): (193,),
    ("emails", "contacts"): (198,),
    ("contacts", "emails"): (197,),
    ("meetings", "contacts"): (200,),
    ("contacts", "meetings"): (199,),
    ("notes", "contacts"): (202,),
    ("contacts", "notes"): (201,),
    ("tasks", "contacts"): (204,),
    ("contacts", "tasks"): (203,),
    ("contacts", "appointments"): (907,),
    ("appointments", "contacts"): (906,),
}


class Relation:
    """All pairs between two object types, seen from the first; numbers, not ids."""

    def __init__(self, link: Link | None) -> None:
        self._link = link
        self._added: set[Pair] = set()
        self._removed: set[Pair] = set()
        self._right: defaultdict[int, set[int]] = defaultdict(set)
        self._left: defaultdict[int, set[int]] = defaultdict(set)

    def _in_base(self, a: int, b: int) -> bool:
        return self._link is not None and self._link.parent_of(a) == b

    def right_of(self, a: int) -> list[int]:
        """The second objects of a first one, ascending."""
        parent = self._link.parent_of(a) if self._link else None
        found = set(self._right.get(a, ()))
        if parent is not None and (a, parent) not in self._removed:
            found.add(parent)
        return sorted(found)

    def left_of(self, b: int) -> list[int]:
        """The first objects of a second one, ascending."""
        found = set(self._left.get(b, ()))
        if self._link:
            found.update(a for a in self._link.children_of(b) if (a, b) not in self._removed)
        return sorted(found)

    def add(self, a: int, b: int) -> None:
        """Make a pair; nothing happens when it exists."""
        self._removed.discard((a, b))
        if not self._in_base(a, b):
            self._added.add((a, b))
            self._right[a].add(b)
            self._left[b].add(a)

    def remove(self, a: int, b: int) -> bool:
        """Undo a pair; False when there is none."""
        if (a, b) in self._added:
            self._added.discard((a, b))
            self._right[a].discard(b)
            self._left[b].discard(a)
            return True
        if self._in_base(a, b) and (a, b) not in self._removed:
            self._removed.add((a, b))
            return True
        return False

    def pairs(self) -> Iterator[Pair]:
        """All pairs."""
        if self._link:
            for a in range(self._link.children):
                b = self._link.parent_of(a)
                if b is not None and (a, b) not in self._removed:
                    yield a, b
        yield from sorted(self._added)


class Associations:
    """The relations of a world, made on first use; any two types can be related."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._relations: dict[tuple[str, str], Relation] = {}
        for child, parent, share, skip in _LINKS:
            active = -(-counts[parent] * share // 100)
            link = Link(counts[child], counts[parent], min(active, counts[parent]), skip)
            self._relations[child, parent] = Relation(link)

    def relation(self, a: str, b: str) -> tuple[Relation, bool]:
        """The relation of two types, and whether it is stored the other way round."""
        if (b, a) in self._relations and a != b:
            return self._relations[b, a], True
        return self._relations.setdefault((a, b), Relation(None)), False

    def of(self, a_type: str, a: int, b_type: str) -> list[int]:
        """Numbers of type b that belong to one record of type a, ascending."""
        relation, turned = self.relation(a_type, b_type)
        if a_type == b_type:
            return sorted({*relation.right_of(a), *relation.left_of(a)})
        return relation.left_of(a) if turned else relation.right_of(a)

    def add(self, a_type: str, a: int, b_type: str, b: int) -> None:
        """Associate."""
        relation, turned = self.relation(a_type, b_type)
        relation.add(*((b, a) if turned else (a, b)))

    def remove(self, a_type: str, a: int, b_type: str, b: int) -> bool:
        """Dissociate; False when they were not associated."""
        relation, turned = self.relation(a_type, b_type)
        removed = relation.remove(*((b, a) if turned else (a, b)))
        return relation.remove(b, a) or removed if a_type == b_type else removed

    def pairs(self, a_type: str, b_type: str) -> Iterator[Pair]:
        """All pairs of two types, from a to b."""
        relation, turned = self.relation(a_type, b_type)
        for a, b in relation.pairs():
            yield (b, a) if turned else (a, b)
            if a_type == b_type:
                yield b, a

    def partners(self, kind: str, number: int) -> Iterator[tuple[str, int]]:
        """Everything one record is associated with."""
        for a, b in list(self._relations):
            if kind in (a, b):
                other = b if kind == a else a
                for partner in self.of(kind, number, other):
                    yield other, partner
