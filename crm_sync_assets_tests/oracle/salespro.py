"""SalesPro's tables, what is done to them without a word, and how Athena fails.

Its files are not among them: whoever reads nothing but a file knows no clock of the source's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.salespro.truth import TABLES, problems_of, true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import SettlingMachine, disturbing, script, statuses
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = ("customers", "lead_results", "lead_result_line_items", "user_activities")
KINDS = st.sampled_from(["customer", "lead_results"])
FORMS = st.sampled_from(
    [
        '[{"title": "Job Type 1", "value": "Roof"}, {"title": "Job Type 1 Amount", "value": "5"}]',
        '[{"title": "Job Type 2", "value": "Doors"}, {"title": "Job Type 2 Amount", "value": "7"}]',
        '[{"title": "Result", "value": "[HRE] Demo"}]',
        "no form",
        None,
    ]
)

SCRIPT = script(
    ["/salespro/", "StartQuery", "GetQueryExecution", "GetQueryResults"],
    statuses(400, 401, 403, 404, 429, 500, 503),
    st.sampled_from(["limit", "busy", "lost", "denied", "closed"]).map(
        lambda body: {"status": 400, "body": body}
    ),
    statuses(403, 404, 502, body="html"),
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"salespro_polls": 12},
        {"salespro_requeued": True, "salespro_polls": 3},
        {"salespro_failing": 1},
        {"salespro_failing": 1, "salespro_failure": "flagged"},
        {"salespro_failing": 9, "salespro_failure": "slow"},
        {"salespro_failing": 1, "salespro_failure": "syntax"},
        {"salespro_cancelled": 1},
        {"salespro_lost": 1},
        {"salespro_throttles": 3},
    ]
)


class SalesProMachine(SettlingMachine):
    crm_name = "salespro"
    began_at = NOON
    names = NAMES

    def changes(self) -> int:
        return int(self.world.changes)

    # Steps

    @step(kind=st.sampled_from(["customer", "lead_results", "user_activity"]))
    def create(self, kind: str) -> None:
        self.world.create(kind)

    @step(number=NUMBER, value=st.sampled_from(["one", "", None, "ünï ☃", "nul \x00 here"]))
    def edit(self, number: int, value: str | None) -> None:
        if one := pick(self.world.keys("customer"), number):
            self.world.edit("customer", one, {"company_name": value})

    @step(number=NUMBER, form=FORMS)
    def fill_in(self, number: int, form: str | None) -> None:
        if one := pick(self.world.keys("lead_results"), number):
            self.world.edit("lead_results", one, {"lead_results": form})

    @step(kind=KINDS, number=NUMBER)
    def delete(self, kind: str, number: int) -> None:
        if one := pick(self.world.keys(kind), number):
            self.world.delete(kind, one)

    @step(kind=KINDS, number=NUMBER, seconds=st.sampled_from([-60, -86_400, 0]))
    def copy(self, kind: str, number: int, seconds: int) -> None:
        """A row of before beside the one that counts."""
        if one := pick(self.world.keys(kind), number):
            self.world.copy(kind, one, seconds=seconds)

    @step(n=st.integers(1, 8), seed=NUMBER)
    def move(self, n: int, seed: int) -> None:
        self.sandbox.crms["salespro"].move(n, seed)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        known = set()
        for key, values in true_rows(self.world, entity):
            known.add(key)
            if "/".join(key) not in aside:
                yield from problems_of(key, values, stored.get(key))
        parents = {str(row["estimate_id"]) for row in self.world.truth("lead_results")}
        for key, row in stored.items():
            if row["deleted_at"] is not None or key in known or entity.absent == "kept":
                continue
            # What a form lists no more is gone with the next delta; what is gone with its form is
            # not, and of a form that cannot be read nobody knows.
            is_item = TABLES[entity.sync_type] == "lead_results" and len(key) > 1
            if complete and (not is_item or key[0] not in parents):
                yield f"{key} is live here, and nowhere else"
