"""Arrivy's tasks, whose windows are about when they take place, and its entities, read whole."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from crm_sync_assets_tests.crms.arrivy.truth import differences
from crm_sync_assets_tests.promises.driver import NOON, Fault, Key, Reading
from crm_sync_assets_tests.promises.http import HttpSubject

NOTHING_MERGES = "Arrivy merges nothing: what is one too many is deleted or disabled"
NO_LATE = "lists show what was written at once"


class Arrivy(HttpSubject):
    crm = "arrivy"
    count = 60
    column = "details"
    token, base_url = "ARRIVY_AUTH_TOKEN", "ARRIVY_BASE_URL"
    tasks: ClassVar[int] = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"arrivy_tasks": 0, "arrivy_others": cls.count}

    def refuse(self, absence: Fault) -> None:
        self.sandbox.faults.add(rf"/{self.entity}", on="all", **absence.action)

    def read_by(self, pages: int, reading: Reading) -> int:
        """Each page begins before the one before it ends."""
        return (0, 10, 18, 24, 30, 36, 42)[pages]

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        since = None if everything else NOON - timedelta(days=45)
        return differences(self.world, self.warehouse, self.declared, exact_from=since)

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids(self.entity)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit(self.entity, key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch(self.entity, ids, properties={self.column: value})

    def vanish(self, key: Key) -> None:
        self.world.purge(self.entity, key[0])


class Tasks(Arrivy):
    entity = "tasks"
    values: ClassVar = {
        "title": "Roof",
        "duration": 45,
        "actual_start_time": "2026-11-02T10:00:00Z",
    }
    # All of them are in one slice, of a full read and of a delta.
    pages: ClassVar = {
        "full": r"/api/tasks\?.*from=2026-11-(18|19|20)",
        "delta": r"/api/tasks\?.*from=2026-10-0\d",
    }
    lacks: ClassVar = {
        "delete": "no list tells of a deleted task: a full read finds it",
        "restore": "a deleted task comes back only to those who saw that it was gone",
        "compare": "a delta reads some weeks: what is not in them may be in others",
        "versions": "windows are about when a task takes place, not about when it was changed",
        "merge": NOTHING_MERGES,
        "late": NO_LATE,
    }

    def fill(self) -> None:
        for number in range(self.count):
            self.world.book(NOON + timedelta(days=4, hours=10 * number))

    def create(self, count: int = 1) -> list[Key]:
        at = NOON + timedelta(days=30)
        return [(self.world.book(at),) for _ in range(count)]


class Entities(Arrivy):
    entity = "entities"
    values: ClassVar = {"color": "#123", "joined_datetime": "2026-11-02T10:00:00Z"}
    pages: ClassVar = {"full": r"/api/entities\?", "delta": r"never"}
    lacks: ClassVar = {
        "delta": "this list cannot be asked for what changed",
        "compare": "every sync of this list is a full read, none is a delta",
        "merge": NOTHING_MERGES,
        "late": NO_LATE,
    }
    restores = ("put back",)

    def create(self, count: int = 1) -> list[Key]:
        made = self.world.create
        return [(made("entities", {"name": f"New {n}"}),) for n in range(count)]

    def delete(self, key: Key) -> None:
        self.vanish(key)

    def restore(self, key: Key, how: str) -> None:
        self.world.put_back("entities", key[0])
