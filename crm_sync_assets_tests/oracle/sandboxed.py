"""What the machines of all CRMs in the sandbox have in common: its clock, its faults, its knobs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, ClassVar

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.faults import Action, Rule
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.told import ToldMachine

SLOW_DOWN = st.sampled_from(["0.01", "7", "86400", None]).map(
    lambda after: {"status": 429, "retry_after": after}
)
MOVE = st.builds(
    lambda n, seed: {"mutate": {"op": "move", "n": n, "seed": seed}}, st.integers(1, 4), NUMBER
)
BROKEN = st.one_of(
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from(["html", "empty", "{}"]).map(lambda body: {"status": 200, "body": body}),
)
"""Answers that are none."""


def statuses(*codes: int, body: str | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """An answer with one of these, as the source words it, or with this body."""
    rest = {} if body is None else {"body": body}
    return st.sampled_from(codes).map(lambda code: {"status": code} | rest)


def script(
    matches: Sequence[str], *actions: st.SearchStrategy[dict[str, Any]], most: int = 12
) -> st.SearchStrategy[dict[str, Any]]:
    """One line of the fault script: where, at which requests, and what.

    Beside `actions` the source may send what is no answer, and records may move.
    """
    places = st.one_of(st.integers(1, most), st.sampled_from(["2-", "4-", "3-5", "every 3"]))
    action = st.one_of(*actions, BROKEN, MOVE)
    return st.fixed_dictionaries(
        {"match": st.sampled_from(matches), "on": places, "action": action}
    )


def disturbing(
    script: st.SearchStrategy[dict[str, Any]], knobs: st.SearchStrategy[dict[str, Any]]
) -> tuple[Any, Any]:
    """Steps of a machine that note a line of `script`, and turn `knobs`, for its next sync."""

    @step(line=script)
    def go_wrong(self: SandboxMachine, line: dict[str, Any]) -> None:
        self.script.append(line)

    @step(knobs=knobs)
    def be_odd(self: SandboxMachine, knobs: dict[str, Any]) -> None:
        self.odd |= knobs

    return go_wrong, be_odd


class SandboxMachine(ToldMachine):
    """`script` are faults and `odd` are knobs, both of the next sync alone.

    The clock stands still unless it is moved, so that ties are the rule.
    """

    began_at: ClassVar[datetime]

    def prepare(self, opened: ExitStack) -> None:
        self.sandbox = self.bench.sandbox
        self.sandbox.reset()
        self.sandbox.clock.freeze(self.began_at)
        self.sandbox.faults.clear()
        self.world = getattr(self.sandbox, self.crm_name)
        self.script: list[dict[str, Any]] = []
        self.odd: dict[str, Any] = {}
        self.listen(opened)

    def source_now(self) -> datetime:
        return self.sandbox.clock.now()

    def advance(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)
        # Remembered for minutes: of hours that the clock has jumped nothing is remembered.
        self.client._remembered.clear()  # type: ignore[attr-defined]

    def is_quiet(self) -> bool:
        return not self.script and not self.odd

    @contextmanager
    def misbehaving(self, *, moving: bool = True) -> Iterator[None]:
        lines = [line for line in self.script if moving or "mutate" not in line["action"]]
        rules = [Rule(line["match"], line["on"], Action(**line["action"])) for line in lines]
        self.sandbox.faults.rules[:] = rules
        self.sandbox.knobs.turn(self.odd)
        self.script, self.odd = [], {}
        try:
            yield
        finally:
            self.sandbox.faults.clear()
            self.sandbox.knobs.reset()

    def mend(self) -> None:
        self.script, self.odd = [], {}
        self.advance(2_000)
        self.look()

    def last_syncs(self) -> None:
        for name in self.names:
            self.settle(name, full=True)

    def set_aside(self, entity: Entity) -> set[str]:
        """Names of its records in quarantine."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT record_id FROM ingestion_quarantine WHERE sync_type = %s",
                (entity.sync_type,),
            ).fetchall()
        return {row[0] for row in rows}


class SettlingMachine(SandboxMachine):
    """A delta of this source finds whatever was changed, as soon as nothing changes any more."""

    def prepare(self, opened: ExitStack) -> None:
        super().prepare(opened)
        self._changed: datetime | None = None
        self._counted = -1

    def changes(self) -> int:
        """How often something has changed at the source."""
        return sum(table.changes for table in self.world.tables.values())

    @abstractmethod
    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        """How a table differs from the source, `complete` when all deletions are known."""

    def look(self) -> None:
        counted = self.changes()
        if self._counted != counted:
            self._changed = self.source_now() if self._counted >= 0 else None
            self._counted = counted

    def stale(self, entity: Entity, watermark: datetime) -> Iterator[str]:
        """Once nothing has changed since the watermark, the table has it all."""
        if self._changed is None or self._changed < watermark:
            yield from self.wrong(entity, complete=False)

    def differences(self, *, complete: bool) -> list[str]:
        return [one for entity in self.entities for one in self.wrong(entity, complete=complete)]

    def not_aside(self, entity: Entity, problems: Iterable[str]) -> Iterator[str]:
        """Problems of other records than those in quarantine."""
        aside = self.set_aside(entity)
        for problem in problems:
            if not any(f"('{one}',)" in problem for one in aside):
                yield problem
