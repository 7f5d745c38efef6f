"""MarketSharp's records, what happens to them, and how its service fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets_tests.crms.compared import problems_of
from crm_sync_assets_tests.crms.marketsharp.truth import true_rows
from crm_sync_assets_tests.oracle.bench import pick
from crm_sync_assets_tests.oracle.machine import NUMBER, step
from crm_sync_assets_tests.oracle.sandboxed import (
    SLOW_DOWN,
    SettlingMachine,
    disturbing,
    script,
    statuses,
)
from crm_sync_assets_tests.truth import stored_rows

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
TEXTS = {"Contacts": "firstName", "ProductInterests": "priceQuoted", "CustomFields": "value"}
VALUES = st.sampled_from(["1", "2.50", None])
SETS = st.sampled_from(sorted(TEXTS))

SCRIPT = script(
    ["/marketsharp/", "orderby", "metadata", "filter"],
    SLOW_DOWN,
    statuses(400, 401, 403, 404, 500, 503),
    statuses(403, 404, 502, body="html"),
)
KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"marketsharp_page_cap": 4},
        {"marketsharp_rounds": True},
        {"marketsharp_plain_names": True},
        {"marketsharp_hides_schema": True},
        {"page_shrink": 1},
    ]
)


class MarketSharpMachine(SettlingMachine):
    crm_name = "marketsharp"
    began_at = NOON
    names = ("contacts", "customers", "leads", "product_interests", "custom_fields")

    # Steps

    @step(name=SETS, value=VALUES)
    def create(self, name: str, value: str | None) -> None:
        self.world.create(name, {TEXTS[name]: value})

    @step(name=SETS, number=NUMBER, value=VALUES)
    def edit(self, name: str, number: int, value: str | None) -> None:
        if one := pick(self.world.ids(name), number):
            self.world.edit(name, one, {TEXTS[name]: value})

    @step(name=SETS, value=VALUES)
    def touch_all(self, name: str, value: str | None) -> None:
        """All in one moment, more than a page has."""
        self.world.bulk_touch(name, properties={TEXTS[name]: value})

    @step(number=NUMBER, type=st.sampled_from("123"))
    def convert(self, number: int, type: str) -> None:
        if one := pick(self.world.ids("Contacts"), number):
            self.world.convert(one, type)

    @step(name=SETS, number=NUMBER)
    def delete(self, name: str, number: int) -> None:
        if one := pick(self.world.ids(name), number):
            self.world.purge(name, one)

    go_wrong, be_odd = disturbing(SCRIPT, KNOBS)

    # Truth

    def wrong(self, entity: Entity, *, complete: bool) -> Iterator[str]:
        stored, aside = stored_rows(self.warehouse, entity), self.set_aside(entity)
        for key, state, values in true_rows(self.world, entity):
            if "/".join(key) not in aside:
                row = stored.get(key)
                yield from problems_of(entity, key, state, values, row, deletions=complete)
