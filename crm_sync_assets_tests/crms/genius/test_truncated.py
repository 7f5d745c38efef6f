"""Results that are cut short on their way, as a proxy in front of the database may do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import GeniusSyncs, differences
from crm_sync_assets_tests.crms.genius.worlds import Start
from crm_sync_assets_tests.scripted import history

Rows = Sequence[Any]
Lie = Callable[[Rows], Rows]

LIES: dict[str, Lie] = {
    "empty": lambda rows: rows[:0],
    "one short": lambda rows: rows[:-1],
    "half": lambda rows: rows[: len(rows) // 2],
}


class Cut:
    """Cuts the `on`-th of the chunks that a client reads from now on, or each from there.

    With `keys_alone` only of those that list keys.
    """

    def __init__(
        self,
        genius: GeniusSyncs,
        lie: Lie,
        on: int,
        *,
        always: bool = False,
        keys_alone: bool = False,
    ) -> None:
        self._lie, self._on, self._always, self._keys_alone = lie, on, always, keys_alone
        self._honest = genius.client.database.rows
        self.seen = 0
        genius.client.database.rows = self

    def __call__(self, statement: Any, subject: str, usage: Any) -> Rows:
        rows: Rows = self._honest(statement, subject, usage)
        if getattr(statement, "_limit_clause", None) is None:
            return rows
        if self._keys_alone != (len(statement.selected_columns) == 1):
            return rows
        self.seen += 1
        due = self.seen >= self._on if self._always else self.seen == self._on
        return self._lie(rows) if due else rows


@pytest.fixture
def genius(postgres_world: World, start: Start) -> GeniusSyncs:
    return start()


@pytest.mark.parametrize("flags", [{}, {"full": True}, {"full": True, "force": True}], ids=str)
@pytest.mark.parametrize("on", [1, 3, 9])
@pytest.mark.parametrize("lie", LIES)
def test_a_result_cut_short_is_not_the_end_of_the_table(
    postgres_world: World, genius: GeniusSyncs, lie: str, on: int, flags: dict[str, Any]
) -> None:
    if flags:
        genius.sync("prospects", batch_size=7)
    cut = Cut(genius, LIES[lie], on)
    told = genius.sync("prospects", batch_size=7, **flags)
    assert cut.seen >= on
    assert (told.status, told.counts.deleted) == ("success", 0)
    assert differences(postgres_world, genius.warehouse, "prospects") == []


def test_a_table_that_is_counted_and_not_given_is_a_short_read(
    postgres_world: World, genius: GeniusSyncs
) -> None:
    count = len(postgres_world.rows("prospect"))
    Cut(genius, LIES["empty"], 3, always=True)
    with pytest.raises(FatalError, match=rf"short read: the database counts {count - 14} rows"):
        genius.sync("prospects", batch_size=7)
    assert history(genius.warehouse)[-1]["watermark"] is None


@pytest.mark.parametrize("lie", ["one short", "half"])
def test_changes_cut_short_are_read_to_their_end(
    postgres_world: World, genius: GeniusSyncs, lie: str
) -> None:
    genius.sync("prospects", batch_size=7)
    postgres_world.move(80, seed=3)
    Cut(genius, LIES[lie], 1)
    assert genius.sync("prospects", batch_size=7).status == "success"
    assert differences(postgres_world, genius.warehouse, "prospects") == []


@pytest.mark.parametrize("on", [1, 3])
@pytest.mark.parametrize("lie", LIES)
def test_a_listing_of_text_keys_cut_short_goes_on(
    postgres_world: World, genius: GeniusSyncs, lie: str, on: int
) -> None:
    name = "marketsharp_marketing_source_maps"
    genius.sync(name, batch_size=4)
    with genius.warehouse.connection() as connection:
        connection.execute(
            "DELETE FROM genius_marketsharp_marketing_source_map WHERE marketsharp_id IN "
            "(SELECT max(marketsharp_id) FROM genius_marketsharp_marketing_source_map)"
        )
        connection.commit()
    cut = Cut(genius, LIES[lie], on, keys_alone=True)
    assert genius.sync(name, batch_size=4).counts.deleted == 0
    assert cut.seen >= 7
    assert differences(postgres_world, genius.warehouse, name) == []


def test_a_listing_that_is_counted_and_not_given_is_a_short_read(
    postgres_world: World, genius: GeniusSyncs
) -> None:
    name = "marketsharp_marketing_source_maps"
    genius.sync(name)
    Cut(genius, LIES["empty"], 1, always=True, keys_alone=True)
    count = len(postgres_world.rows("marketsharp_marketing_source_map"))
    with pytest.raises(FatalError, match=rf"counts {count} rows after None and gives none"):
        genius.sync(name)
