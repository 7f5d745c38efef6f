"""Records that belong to one another."""

from collections.abc import Iterator
from typing import Any

from crm_sync_assets.sandbox.crms.hubspot.associations import Associations
from crm_sync_assets.sandbox.crms.hubspot.properties import ObjectType, object_type
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.life import Life


class Related(Life[Table]):
    """Records of object types with their associations; whoever is purged or merged away takes none
    along."""

    associations: Associations

    def table(self, type_name: str) -> Table:
        """The records of a type, by any of its names. LookupError when there is none."""
        kind = object_type(type_name)
        if kind is None:
            raise LookupError(f"no object type {type_name!r}")
        return self.tables[kind.name]

    def let_go(self, table: Table, gone: int, heir: int | None) -> None:
        """The heir takes over the associations."""
        kind = table.kind.name
        for other, partner in list(self.associations.partners(kind, gone)):
            self.associations.remove(kind, gone, other, partner)
            if heir is not None and (other, partner) != (kind, heir):
                self.associations.add(kind, heir, other, partner)

    def associate(self, a_type: str, a_id: str, b_type: str, b_id: str) -> None:
        """Make a pair; neither record's modified date moves."""
        with self.lock:
            (left, a), (right, b) = self.find(a_type, a_id), self.find(b_type, b_id)
            self.associations.add(left.kind.name, a, right.kind.name, b)

    def dissociate(self, a_type: str, a_id: str, b_type: str, b_id: str) -> bool:
        """Undo a pair; False when there was none."""
        with self.lock:
            (left, a), (right, b) = self.find(a_type, a_id), self.find(b_type, b_id)
            return self.associations.remove(left.kind.name, a, right.kind.name, b)

    def associated(self, a_type: str, a_id: str, b_type: str) -> list[str]:
        """The ids of type b that belong to one record; both sides live, in truth; ascending."""
        with self.lock:
            (left, a), right = self.find(a_type, a_id), self.table(b_type)
            if left.state(a, None)[0] != "live":
                return []
            numbers = self.associations.of(left.kind.name, a, right.kind.name)
            return [right.id_of(b) for b in numbers if right.state(b, None)[0] == "live"]

    def true_pairs(self, a: ObjectType, b: ObjectType) -> Iterator[dict[str, Any]]:
        """All pairs of live records of two types, as {"from", "to"} of ids."""
        left, right = self.tables[a.name], self.tables[b.name]
        with self.lock:
            pairs = sorted(set(self.associations.pairs(a.name, b.name)))
            for n, m in pairs:
                if left.state(n, None)[0] == "live" and right.state(m, None)[0] == "live":
                    yield {"from": left.id_of(n), "to": right.id_of(m)}
