"""What the machines of all CRMs in the sandbox have in common: its clock, its faults, its knobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, ClassVar

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.sandbox.faults import Action, Rule
from crm_sync_assets_tests.oracle.machine import EngineMachine, step


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


class SandboxMachine(EngineMachine):
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

    def set_aside(self, entity: Entity) -> set[str]:
        """Names of its records in quarantine."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT record_id FROM ingestion_quarantine WHERE sync_type = %s",
                (entity.sync_type,),
            ).fetchall()
        return {row[0] for row in rows}
