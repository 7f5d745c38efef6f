"""Pipedrive's deals, which have a bin; its notes, paged by offset; its stages, read whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import pytest

from crm_sync_assets_tests.crms.pipedrive.truth import wrong
from crm_sync_assets_tests.promises.driver import PAGE, Key, Reading, Subject
from crm_sync_assets_tests.promises.http import HttpSubject

NO_MERGE = "only webhooks say into what a record was merged; the loser is deleted"
NO_LATE = "lists show what was written at once"
NO_LIE = "no list says how many records there are, to hold its pages against"


class Pipedrive(HttpSubject):
    crm = "pipedrive"
    kind: ClassVar[str]
    token, base_url = "PIPEDRIVE_TOKEN", "PIPEDRIVE_BASE_URL"

    overlap_seconds = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        return {"pipedrive_deals": cls.deals(), "pipedrive_archived_every": 0}

    @classmethod
    def deals(cls) -> int:
        return cls.count

    def wrong(self) -> list[str]:
        strategy = self.running.strategy if self.running else None
        everything = strategy is not None and strategy.reads_everything
        return list(wrong(self.sandbox, self.warehouse, self.declared, everything))

    def keys(self) -> list[Key]:
        return [(one,) for one in self.world.ids(self.kind)]

    def create(self, count: int = 1) -> list[Key]:
        return [(self.world.create(self.kind, {self.column: "New"}),) for _ in range(count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self.world.edit(self.kind, key[0], changes)

    def touch(self, keys: list[Key], value: str) -> None:
        ids = [key[0] for key in keys]
        self.world.bulk_touch(self.kind, ids, properties={self.column: value})

    def delete(self, key: Key) -> None:
        self.world.archive(self.kind, key[0])

    def restore(self, key: Key, how: str) -> None:
        self.world.restore(self.kind, key[0])


class Deals(Pipedrive):
    entity = kind = "deals"
    column = "title"
    values: ClassVar = {
        "lost_reason": "Price",
        "probability": 75,
        "won_time": "2026-11-02T10:00:00Z",
    }
    count = 60
    lie_at = Subject.lie_at
    pages: ClassVar = {
        "full": r"GET /pipedrive/api/v2/deals(/archived)?\?",
        "delta": r"GET /pipedrive/api/v2/deals(/archived)?\?.*updated_since=",
    }
    lacks: ClassVar = {
        "compare": "a bin tells of what was deleted; what has left it, a full read finds",
        "merge": NO_MERGE,
        "late": NO_LATE,
        "lie": NO_LIE,
    }
    restores = ("out of the bin",)

    def vanish(self, key: Key) -> None:
        self.world.purge(self.kind, key[0])


class Notes(Pipedrive):
    entity = kind = "notes"
    column = "content"
    values: ClassVar = {"deal_id": 501, "last_update_user_id": 12}
    count = 60
    lie_at = Subject.lie_at
    pages: ClassVar = {
        "full": r"GET /pipedrive/api/v1/notes\?",
        "delta": r"GET /pipedrive/api/v1/notes\?.*updated_since=",
    }
    lacks: ClassVar = Deals.lacks
    restores = ("undeleted",)

    @classmethod
    def deals(cls) -> int:
        return 86

    def read_by(self, pages: int, reading: Reading) -> int:
        """A page begins with the last record of the page before."""
        return 1 + (PAGE - 1) * pages

    def vanish(self, key: Key) -> None:
        self.world.purge(self.kind, key[0])


class Stages(Pipedrive):
    """A list that cannot be asked for what changed, and is read whole every time."""

    entity = kind = "stages"
    column = "name"
    values: ClassVar = {"days_to_rotten": 5, "deal_probability": 75}
    count = 60
    pages: ClassVar = {
        "full": r"GET /pipedrive/api/v2/stages\?.*limit=(10|3|11|100)\b",
        "delta": r"never",
    }
    lacks: ClassVar = {
        "delta": "this list cannot be asked for what changed",
        "compare": "every sync of this list is a full read, none is a delta",
        "merge": "nobody merges stages: one too many is deleted",
        "late": NO_LATE,
    }
    restores = ("put back",)

    @classmethod
    @contextmanager
    def opened(
        cls, environment: pytest.MonkeyPatch, fixture: Callable[[str], Any]
    ) -> Iterator[Self]:
        with super().opened(environment, fixture) as subject:
            subject._gone: dict[Key, dict[str, Any]] = {}
            subject.create(cls.count - len(subject.keys()))
            yield subject

    @classmethod
    def deals(cls) -> int:
        return 3

    @property
    def stages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.world.directory.tables["stages"]
        return found

    def keys(self) -> list[Key]:
        return [(str(row["id"]),) for row in sorted(self.stages, key=lambda row: row["id"])]

    def create(self, count: int = 1) -> list[Key]:
        first = max(row["id"] for row in self.stages) + 1
        for number in range(first, first + count):
            self._put((str(number),), {"name": f"Stage {number}"})
        return [(str(number),) for number in range(first, first + count)]

    def edit(self, key: Key, changes: Mapping[str, Any]) -> None:
        self._put(key, changes)

    def touch(self, keys: list[Key], value: str) -> None:
        for key in keys:
            self._put(key, {"name": value})

    def delete(self, key: Key) -> None:
        (self._gone[key],) = [row for row in self.stages if str(row["id"]) == key[0]]
        self.world.directory.remove("stages", int(key[0]))

    def restore(self, key: Key, how: str) -> None:
        self._put(key, self._gone.pop(key))
        self.stages.sort(key=lambda row: row["id"])

    def vanish(self, key: Key) -> None:
        self.delete(key)

    def _put(self, key: Key, values: Mapping[str, Any]) -> None:
        now = f"{self.now():%Y-%m-%dT%H:%M:%SZ}"
        self.world.directory.put("stages", int(key[0]), **{**values, "update_time": now})
