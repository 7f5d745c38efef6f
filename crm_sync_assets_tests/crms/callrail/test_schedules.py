"""Random lives of accounts, synced as the schedules do it: deltas, and what is read again weekly
and monthly. After each the warehouse is the truth as far back as it promises.

CRM_SYNC_TEST_LIVES says how many lives.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets_tests.crms.callrail.conftest import DAY, ENTITIES, Bench
from crm_sync_assets_tests.crms.callrail.truth import differences

LIVES = int(os.environ.get("CRM_SYNC_TEST_LIVES", "6"))
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"drop": True},
    {"truncate": 0.4},
    {"lie": "short"},
    {"lie": "empty"},
    {"status": 429, "retry_after": "2"},
    {"status": 429},
)
WINDOWED = [entity.sync_type for entity in ENTITIES if entity.tracks_changes]


class Life:
    """What happens to one account, at random, and what is synced of it."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.world = bench, bench.world
        self.rng = random.Random(seed)
        self.happened: list[str] = []

    def now(self) -> datetime:
        return self.bench.sandbox.clock.now()

    def act(self) -> None:
        """One change of those that CallRail tells nobody of, or of those it does."""
        acts: tuple[Callable[[World], str | None], ...] = (
            self._call, self._call, self._note, self._note, self._note, self._tag, self._spam,
            self._disable, self._delete, self._create, self._text, self._text, self._form,
        )  # fmt: skip
        act = self.rng.choice(acts)
        self.happened.append(act.__name__)
        act(self.world)

    def _some(self, kind: str) -> str | None:
        ids = self.world.ids(kind)
        # Mostly a new one, now and then any.
        return self.rng.choice(ids[-12:] if self.rng.random() < 0.6 else ids) if ids else None

    def _call(self, world: World) -> str:
        return world.begin_call(
            duration=self.rng.choice((None, 30)), _company=self.rng.randrange(9)
        )

    def _note(self, world: World) -> None:
        if one := self._some("calls"):
            value = {
                "note": f"noted {self.rng.randrange(99)}",
                "lead_status": self.rng.choice(("good_lead", "not_a_lead", None)),
                "value": self.rng.choice(("$1,250.00", None)),
                "customer_name": f"Name {self.rng.randrange(99)}",
            }
            name = self.rng.choice(sorted(value))
            world.edit("calls", one, {name: value[name]})

    def _tag(self, world: World) -> None:
        one, tag = self._some("calls"), self._some("tags")
        if one and tag:
            world.tag("calls", one, tag)

    def _spam(self, world: World) -> None:
        if one := self._some("calls"):
            world.spam(one)

    def _disable(self, world: World) -> None:
        kind = self.rng.choice(("companies", "trackers"))
        if one := self._some(kind):
            world.disable(kind, one)

    def _delete(self, world: World) -> None:
        kind = self.rng.choice(("users", "tags"))
        # More than a fifth at once would be refused, and rightly.
        if len(world.ids(kind)) > 25:
            world.purge(kind, self.rng.choice(world.ids(kind)))

    def _create(self, world: World) -> None:
        world.create("tags", {"name": f"New {self.rng.randrange(99)}", "_account": 1})
        world.create("users", {"first_name": "New", "role": "analyst"})

    def _text(self, world: World) -> None:
        if self.rng.random() < 0.2:
            world.create("conversations", {"state": "active"})
        elif one := self._some("conversations"):
            world.say(one, f"text {self.rng.randrange(4)}")

    def _form(self, world: World) -> None:
        world.create("form_submissions", {"form_data": {"n": self.rng.randrange(99)}})

    def trouble(self) -> None:
        """Something for the next syncs to meet: a fault, or a change between two pages."""
        faults, path = self.bench.sandbox.faults, self.rng.choice((r"calls\.json", r"\.json"))
        for _ in range(self.rng.randrange(3)):
            action = self.rng.choice(FAULTS)
            faults.add(path, self.rng.randrange(1, 60), **action)
        if self.rng.random() < 0.7:
            faults.add(path, self.rng.randrange(1, 60), callback=lambda _: self.act())

    def sync_all(self, cadence: str | None = None) -> None:
        """A delta of everything; or of what is read again at a cadence, as its schedule says."""
        for entity in ENTITIES:
            flags: dict[str, Any] = {}
            if cadence is not None:
                found = [one for one in entity.resweeps if one.cadence == cadence]
                if not found:
                    continue
                back = found[0].back
                day = f"{self.now().date() - back:%Y-%m-%d}" if back else None
                flags = {"start_date": day} if day else {"full": True}
            told = self.bench.sync(entity.sync_type, batch_size=self.rng.choice((7, 250)), **flags)
            assert (told.status, told.counts.failed) == ("success", 0)

    def judge(self, back: timedelta | None) -> None:
        since = self.now() - back if back else None
        for entity in ENTITIES:
            wrong = differences(self.world, self.bench.warehouse, entity, exact_from=since)
            assert wrong == [], (entity, wrong[:5], self.happened)


def schedules(life: Life) -> Iterator[tuple[str | None, timedelta | None]]:
    """Some months: days between deltas, every week and every month what they read again."""
    weekly = monthly = life.now()
    for _ in range(6):
        life.bench.pass_time(life.rng.choice((900, 3_600, DAY, 3 * DAY, 9 * DAY)))
        yield None, timedelta(days=30)
        if life.now() - weekly > timedelta(days=7):
            weekly = life.now()
            yield "weekly", timedelta(days=90)
        if life.now() - monthly > timedelta(days=14):
            monthly = life.now()
            yield "monthly", None


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_life_is_the_truth_as_far_back_as_is_promised(bench: Bench, seed: int) -> None:
    life = Life(bench, seed)
    bench.sandbox.clock.freeze("2026-11-20T17:00:00Z")
    life.sync_all()
    life.judge(None)
    for cadence, back in schedules(life):
        for _ in range(life.rng.randrange(2, 9)):
            life.act()
        life.trouble()
        life.sync_all(cadence)
        # What happened between two pages is found by the next.
        bench.sandbox.faults.clear()
        bench.pass_time(60)
        life.sync_all(cadence)
        if cadence is not None:
            life.sync_all()
        life.judge(back)
    assert {registry.entity(f"callrail.{name}").absent for name in WINDOWED} == {"kept"}


def test_what_changes_beyond_30_days_waits_for_a_week_or_a_month(bench: Bench) -> None:
    """Else the lives would prove nothing of what is read again."""
    life = Life(bench, 0)
    life.sync_all()
    old = {
        days: bench.world.begin_call(life.now() - timedelta(days=days)) for days in (20, 60, 200)
    }
    life.sync_all("monthly")
    for one in old.values():
        bench.world.edit("calls", one, {"note": "late"})

    def arrived() -> list[int]:
        rows = bench.rows("calls")
        return [days for days, one in old.items() if rows[one]["note"] == "late"]

    life.sync_all()
    assert arrived() == [20]
    life.sync_all("weekly")
    assert arrived() == [20, 60]
    life.sync_all("monthly")
    assert arrived() == [20, 60, 200]
    life.judge(None)
