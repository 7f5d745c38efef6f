"""What happens to the portal as a whole, and the truth about it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crms.hubspot.catalogue import CALCULATED
from crm_sync_assets.sandbox.crms.hubspot.contents import Contents, Moment
from crm_sync_assets.sandbox.crms.hubspot.mover import move
from crm_sync_assets.sandbox.crms.hubspot.properties import (
    ObjectType,
)


class World(Contents):
    """A portal that lives, and whose truth can be asked for."""

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """Every record that ever existed, as it finally is, whatever lists and search show yet.

        `what` is an object type, "owners", "pipelines", "pipeline_stages" or
        "associations/{a}/{b}". A record is {"id", "state", "merged_into", "archivedAt",
        "properties", "createdAt", "updatedAt"}; a pair {"from", "to"} of ids, both live.
        LookupError on anything else.
        """
        head, _, rest = what.partition("/")
        if head == "associations":
            a, _, b = rest.partition("/")
            yield from self._true_pairs(self.table(a).kind, self.table(b).kind)
        elif rows := self.directory.truth(what):
            yield from rows
        else:
            table = self.table(what)
            for number in range(table.next_number):
                with self.lock:
                    record = self._true(table, number)
                yield record

    def _true_pairs(self, a: ObjectType, b: ObjectType) -> Iterator[dict[str, Any]]:
        left, right = self.tables[a.name], self.tables[b.name]
        with self.lock:
            pairs = sorted(set(self.associations.pairs(a.name, b.name)))
            for n, m in pairs:
                if left.state(n, None)[0] == "live" and right.state(m, None)[0] == "live":
                    yield {"from": left.id_of(n), "to": right.id_of(m)}

    def bulk_touch(
        self,
        type: str,
        ids: Sequence[str] | None = None,
        count: int | None = None,
        timestamp: Moment | None = None,
        properties: Mapping[str, str | None] | None = None,
    ) -> list[str]:
        """Give many live records one exact modified date (default: the clock); their ids.

        The records are `ids`, or the first `count` live ones, or all.
        """
        with self.lock:
            table = self.table(type)
            stamp = self.clock.now_ms() if timestamp is None else epoch_ms(timestamp)
            chosen = list(ids) if ids is not None else self.ids(type)[:count]
            changes = self._checked(table, properties or {})
            for record_id in chosen:
                _, record, latest = self._live_record(type, record_id)
                merged = {**latest.changes, **changes}
                self._write(table, record, replace(latest, modified=stamp, changes=merged))
            return chosen

    def recalculate(
        self, type: str, ids: Sequence[str], properties: Mapping[str, str | None]
    ) -> None:
        """Give calculated properties of records, of archived ones too, what a change elsewhere
        makes of them, such as an edit of their parent; the modified date stays."""
        with self.lock:
            table = self.table(type)
            if own := [name for name in properties if name not in CALCULATED]:
                raise ValueError(f"{own} of {table.kind.name} are not calculated")
            changes = self._checked(table, properties)
            for record_id in ids:
                record = table.record(self.find(type, record_id)[1])
                merged = {**record.latest.changes, **changes}
                self._write(table, record, replace(record.latest, changes=merged))

    def move(self, n: int = 1, seed: int = 0, types: Sequence[str] | None = None) -> list[str]:
        """`n` random believable mutations over all object types; what they were, one line each."""
        with self.lock:
            return list(move(self, n, random.Random(f"{self.seed}/{seed}"), types))
