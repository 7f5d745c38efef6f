"""Properties and columns that appear, become readable, vanish: nothing stored is lost or missed."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from crm_sync_assets.clients import gaining
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import text
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.sync import Sync
from crm_sync_assets.errors import TransientError
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets_tests.crms.genius.truth import differences
from crm_sync_assets_tests.crms.genius.worlds import (
    Start,
    clock,
    genius_environment,
    mariadb,
    mysql_database,
    start,
    world,
)
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences

__all__ = [
    "clock",
    "genius_environment",
    "mariadb",
    "mysql_database",
    "start",
    "world",
]

Hide = Callable[..., None]

TEN = ("address", "city", "country", "division", "email", "firstname", "lastname", "phone", "tier",
       "zip")  # fmt: skip


class Syncs(HubSpotSyncs):
    """HubSpot's syncs; each asks the account anew which properties it shows."""

    def begin(self, name: str, **flags: Any) -> Sync:
        self.forget()
        return super().begin(name, **flags)

    def forget(self) -> None:
        client: Any = self.client
        client._remembered.clear()

    def of(self, entity: Entity, **flags: Any) -> Sync:
        """A sync of a declaration that is in no registry."""
        self.forget()
        settings = settings_for(self.crm, entity)
        begun = begin(
            Request(self.crm, entity, Flags(**flags), settings), self.client, self.warehouse
        )
        drain(begun)
        return begun


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[Syncs]:
    syncs = Syncs()
    yield syncs
    syncs.close()


@pytest.fixture
def hide(sandbox: Sandbox) -> Hide:
    """Keeps properties of contacts out of what the account shows; none shows all again."""

    def hide(*names: str) -> None:
        def shortened(body: bytes) -> bytes:
            shown = json.loads(body)
            return json.dumps(
                {"results": [one for one in shown["results"] if one["name"] not in names]}
            ).encode()

        sandbox.faults.clear()
        if names:
            sandbox.faults.add("GET .*/properties/contacts", on="all", rewrite=shortened)

    return hide


def wrong(sandbox: Sandbox, hubspot: Syncs) -> list[str]:
    entity = registry.entity("hubspot.contacts")
    return list(entity_differences(sandbox, hubspot.warehouse, entity, True))


def cities(hubspot: Syncs) -> list[tuple[Any, ...]]:
    return rows(hubspot.warehouse, "SELECT id, city FROM hubspot_contact ORDER BY id")


def searches(sandbox: Sandbox) -> int:
    return sum(entry.path.endswith("/search") for entry in sandbox.ledger.entries)


# A property is taken away


@pytest.mark.parametrize(
    "flags", [{}, {"full": True}, {"force": True}, {"full": True, "force": True}], ids=str
)
def test_a_property_the_account_no_longer_shows_keeps_its_values(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide, caplog: pytest.LogCaptureFixture, flags: Any
) -> None:
    hubspot.sync("contacts")
    before = cities(hubspot)
    assert any(city for _, city in before)
    sandbox.clock.advance(3600)
    touched = sandbox.hubspot.bulk_touch("contacts", count=200, properties={"tier": "Z"})
    new = sandbox.hubspot.create("contacts", {"city": "Unseen"})
    hide("city", "lead_city")
    with caplog.at_level("WARNING"):
        begun = hubspot.sync("contacts", **flags)
        hubspot.sync("contacts")
    assert begun.counts.updated == len(touched), "other columns arrive"
    assert [row for row in cities(hubspot) if row[0] != new] == before
    assert (new, None) in cities(hubspot)
    told = [line for line in caplog.messages if "the account shows no city, lead_city" in line]
    assert len(told) == 1, "said once"
    row = history(hubspot.warehouse)[1]
    assert row["configuration"]["hidden_columns"] == ["city", "lead_city"]
    assert hubspot.sync("contacts").counts.updated == 0
    hide()
    hubspot.sync("contacts")
    assert wrong(sandbox, hubspot) == [], "shown again, it is read again"
    assert "hidden_columns" not in history(hubspot.warehouse)[-1]["configuration"]


def test_a_value_that_is_cleared_is_still_cleared(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide
) -> None:
    """Only what the account does not show is kept: an empty property is empty."""
    hubspot.sync("contacts")
    (record_id,) = sandbox.hubspot.ids("contacts")[5:6]
    hide("lead_city")
    sandbox.clock.advance(60)
    sandbox.hubspot.edit("contacts", record_id, {"city": None})
    hubspot.sync("contacts")
    assert (record_id, None) in cities(hubspot)


def test_a_repair_keeps_what_it_cannot_read(hubspot: Syncs, sandbox: Sandbox, hide: Hide) -> None:
    hubspot.sync("contacts")
    before = cities(hubspot)
    hide("city")
    hubspot.forget()
    with hubspot.warehouse.connection() as connection:
        connection.execute(
            "UPDATE hubspot_contact SET lastmodifieddate = lastmodifieddate - interval '1 day' "
            "WHERE NOT archived"
        )
        connection.commit()
    entity = registry.entity("hubspot.contacts")
    settings = settings_for(hubspot.crm, entity)
    mended = verify(hubspot.warehouse, entity, hubspot.client, settings, repair=True)
    assert mended.count("stale") == mended.repaired > 200
    assert cities(hubspot) == before


# A property comes


def test_a_property_that_becomes_readable_is_filled_by_the_next_delta(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody edits these records: their modified date is old."""
    hide("city", "favourite_color")
    hubspot.sync("contacts")
    assert not any(city for _, city in cities(hubspot))
    sandbox.clock.advance(86_400)
    hubspot.sync("contacts")
    hide()
    sandbox.clock.advance(3600)
    with caplog.at_level("INFO"):
        begun = hubspot.sync("contacts")
    assert begun.strategy.name == "incremental"
    assert "a value in city, favourite_color, new since the last sync" in caplog.text
    assert wrong(sandbox, hubspot) == []
    live = "FROM hubspot_contact WHERE NOT archived"
    ((filled,),) = rows(hubspot.warehouse, f"SELECT count(city) {live}")
    assert filled > 100
    ((kept,),) = rows(
        hubspot.warehouse,
        f"SELECT count(*) {live} AND properties ->> 'favourite_color' IS NOT NULL",
    )
    assert kept > 50, "what has no column is in the rest"
    sandbox.clock.advance(3600)
    before = searches(sandbox)
    hubspot.sync("contacts")
    assert searches(sandbox) - before == 1, "once is enough"


def test_a_new_column_for_an_old_property_is_filled_by_the_next_delta(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    contacts = registry.entity("hubspot.contacts")
    before = replace(contacts, columns=tuple(c for c in contacts.columns if c.name != "city"))
    hubspot.of(before)
    sandbox.clock.advance(86_400)
    hubspot.of(before)
    sandbox.clock.advance(86_400)
    begun = hubspot.of(contacts)
    assert begun.strategy.name == "incremental"
    assert begun.counts.updated > 100
    assert wrong(sandbox, hubspot) == []


def filled(log: pytest.LogCaptureFixture) -> list[str]:
    """The properties that the syncs so far set out to fill, sync by sync."""
    found = [re.search("a value in (.*), new since", line) for line in log.messages]
    log.clear()
    return [match[1] for match in found if match]


def test_many_new_properties_are_filled_some_at_a_time(
    hubspot: Syncs,
    sandbox: Sandbox,
    hide: Hide,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(gaining, "MOST_AT_ONCE", 6)
    caplog.set_level("INFO")
    hide(*TEN)
    hubspot.sync("contacts")
    hide()
    for _ in range(3):
        sandbox.clock.advance(86_400)
        hubspot.sync("contacts")
    assert filled(caplog) == [", ".join(TEN[:6]), ", ".join(TEN[6:])]
    assert wrong(sandbox, hubspot) == []


def test_a_sync_killed_while_it_fills_goes_on_and_forgets_none(
    hubspot: Syncs,
    sandbox: Sandbox,
    hide: Hide,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(gaining, "MOST_AT_ONCE", 6)
    caplog.set_level("INFO")
    hide(*TEN)
    hubspot.sync("contacts")
    hide()
    sandbox.clock.advance(86_400)
    client: Any = hubspot.client
    for http in client._opened:
        http.sleep = lambda _: None
    sandbox.faults.add("POST .*/contacts/search", on="3-", status=500)
    with pytest.raises(TransientError):
        hubspot.sync("contacts")
    sandbox.faults.clear()
    assert filled(caplog) == [", ".join(TEN[:6])]
    resumed = hubspot.sync("contacts")
    assert resumed.resumed
    assert resumed.counts.processed - history(hubspot.warehouse)[1]["records_processed"] < 600
    sandbox.clock.advance(86_400)
    hubspot.sync("contacts")
    assert filled(caplog) == [", ".join(TEN[6:])]
    assert wrong(sandbox, hubspot) == []


def test_a_property_that_cannot_be_searched_by_is_filled_all_the_same(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide, caplog: pytest.LogCaptureFixture
) -> None:
    hide("city", "zip")
    hubspot.sync("contacts")
    hide()
    sandbox.clock.advance(86_400)

    refusal = '{"status": "error", "category": "VALIDATION_ERROR", "message": "not searchable"}'
    # The delta itself, then the two names together, then all.
    sandbox.faults.add("POST .*/contacts/search", on=2, status=400, body=refusal)
    with caplog.at_level("WARNING"):
        assert hubspot.sync("contacts").status == "success"
    assert "cannot search by all of city, zip (not searchable)" in caplog.text
    assert wrong(sandbox, hubspot) == []


# A property comes back


def clear_and_edit(hubspot: Syncs, sandbox: Sandbox, name: str) -> None:
    """What had a value has another one, or none, and each such row is touched meanwhile."""
    records = sandbox.hubspot.ids("contacts")
    having = [i for i in records if sandbox.hubspot.get("contacts", i)["properties"].get(name)]
    cleared, changed = having[:20], having[20:40]
    assert changed
    sandbox.clock.advance(3600)
    for one in cleared:
        sandbox.hubspot.edit("contacts", one, {name: None, "tier": "Z"})
    for one in changed:
        sandbox.hubspot.edit("contacts", one, {name: "Other", "tier": "Z"})
    sandbox.clock.advance(3600)


@pytest.mark.parametrize("name", ["city", "favourite_color"])
@pytest.mark.parametrize("beside", [(), ("zip",)], ids=["alone", "beside another"])
def test_a_property_that_comes_back_is_as_it_is_by_now(
    hubspot: Syncs,
    sandbox: Sandbox,
    hide: Hide,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    beside: tuple[str, ...],
) -> None:
    """Whoever has none by now has had one, and is found by no search for a value."""
    monkeypatch.setattr(gaining, "MOST_AT_ONCE", 1)
    hubspot.sync("contacts")
    hide(name, *beside)
    clear_and_edit(hubspot, sandbox, name)
    hubspot.sync("contacts")
    assert wrong(sandbox, hubspot) != []
    hide()
    sandbox.clock.advance(3600)
    hubspot.sync("contacts")
    assert wrong(sandbox, hubspot) == []
    sandbox.clock.advance(3600)
    before = searches(sandbox)
    hubspot.sync("contacts")
    assert searches(sandbox) - before == 1, "once is enough"


def colours(hubspot: Syncs) -> list[tuple[Any, ...]]:
    return rows(
        hubspot.warehouse,
        "SELECT id, properties ->> 'favourite_color' FROM hubspot_contact ORDER BY id",
    )


def test_a_hidden_property_without_a_column_keeps_its_values(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide
) -> None:
    hubspot.sync("contacts")
    before = colours(hubspot)
    assert any(colour for _, colour in before)
    hide("favourite_color")
    for flags in ({}, {}, {"full": True}, {"full": True, "force": True}):
        sandbox.clock.advance(3600)
        sandbox.hubspot.bulk_touch("contacts", count=200, properties={"tier": f"Z{len(flags)}"})
        sandbox.clock.advance(3600)
        hubspot.sync("contacts", **flags)
        assert colours(hubspot) == before
    hubspot.forget()
    entity = registry.entity("hubspot.contacts")
    with hubspot.warehouse.connection() as connection:
        connection.execute(
            "UPDATE hubspot_contact SET lastmodifieddate = lastmodifieddate - interval '1 day' "
            "WHERE NOT archived"
        )
        connection.commit()
    settings = settings_for(hubspot.crm, entity)
    assert verify(hubspot.warehouse, entity, hubspot.client, settings, repair=True).repaired > 200
    assert colours(hubspot) == before


def interrupted(hubspot: Syncs, sandbox: Sandbox, path: str, on: str) -> None:
    """A sync of contacts that fails after its first pages."""
    client: Any = hubspot.client
    for http in client._opened:
        http.sleep = lambda _: None
    sandbox.faults.add(path, on=on, status=500)
    with pytest.raises(TransientError):
        hubspot.sync("contacts")
    assert rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_contact") != [(0,)]


def test_a_first_sync_that_is_resumed_with_more_properties_has_them_everywhere(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide
) -> None:
    hide("city", "favourite_color")
    interrupted(hubspot, sandbox, r"GET .*objects/contacts\?.*after=", "2-")
    hide()
    assert hubspot.sync("contacts").resumed
    assert wrong(sandbox, hubspot) == []


def test_a_delta_that_is_resumed_once_a_property_is_back_has_it_everywhere(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide
) -> None:
    hubspot.sync("contacts")
    hide("city", "favourite_color")
    sandbox.clock.advance(3600)
    for name in ("city", "favourite_color"):
        clear_and_edit(hubspot, sandbox, name)
    sandbox.hubspot.bulk_touch("contacts", count=250, properties={"tier": "Z"})
    sandbox.clock.advance(3600)
    interrupted(hubspot, sandbox, "POST .*/contacts/search", "2-")
    hide()
    assert hubspot.sync("contacts").resumed
    assert wrong(sandbox, hubspot) == []


def test_what_was_read_and_hidden_before_a_first_sync_is_resumed_is_mended_once_it_is_back(
    hubspot: Syncs, sandbox: Sandbox, hide: Hide
) -> None:
    """No complete sync remembers that some rows have it."""
    interrupted(hubspot, sandbox, r"GET .*objects/contacts\?.*after=", "2-")
    before = [row for row in colours(hubspot) if row[1]]
    assert before
    hide("city", "favourite_color")
    hubspot.sync("contacts")
    assert set(before) <= set(colours(hubspot))
    for name in ("city", "favourite_color"):
        clear_and_edit(hubspot, sandbox, name)
    hubspot.sync("contacts")
    hide()
    sandbox.clock.advance(3600)
    hubspot.sync("contacts")
    assert wrong(sandbox, hubspot) == []


def test_before_there_is_anything_to_remember_nothing_is_new(
    hubspot: Syncs, sandbox: Sandbox
) -> None:
    """A history written before there was a memory costs no more than it did."""
    hubspot.sync("contacts")
    with hubspot.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET configuration = configuration - 'source_memory'"
        )
        connection.commit()
    sandbox.clock.advance(3600)
    before = searches(sandbox)
    hubspot.sync("contacts")
    assert searches(sandbox) - before == 1
    assert "source_memory" in history(hubspot.warehouse)[-1]["configuration"]


# Genius


def execute(world: World, *statements: str) -> None:
    with world.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def test_a_column_dropped_in_genius_keeps_its_values(world: World, start: Start) -> None:
    genius = start()
    genius.sync("leads")
    query = "SELECT lead_id, city FROM genius_lead ORDER BY 1"
    before = rows(genius.warehouse, query)
    assert any(city for _, city in before)
    execute(world, "ALTER TABLE lead RENAME COLUMN city TO town")
    execute(world, "UPDATE lead SET first_name = 'Ann', updated_at = updated_at + INTERVAL 1 DAY")
    for flags in ({}, {"full": True}, {"full": True, "force": True}):
        start().sync("leads", **flags)
        assert rows(genius.warehouse, query) == before
    first = rows(genius.warehouse, "SELECT DISTINCT first_name FROM genius_lead")
    assert first == [("Ann",)]
    assert history(genius.warehouse)[-1]["configuration"]["hidden_columns"] == [
        "carpentry_followup_notes",
        "city",
    ]


def test_a_column_that_comes_back_in_genius_is_filled_by_the_next_delta(
    world: World, start: Start
) -> None:
    execute(world, "ALTER TABLE lead RENAME COLUMN city TO town")
    genius = start()
    genius.sync("leads")
    execute(world, "ALTER TABLE lead RENAME COLUMN town TO city")
    again = start()
    begun = again.sync("leads")
    assert begun.strategy.name == "incremental"
    assert begun.counts.updated > 10
    assert differences(world, again.warehouse, "leads") == []
    assert again.sync("leads").counts.updated == 0


def test_what_was_remembered_by_names_is_remembered_after_an_upgrade(
    world: World, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    real = gaining.memory

    def memory(read: Any, names: list[str], **options: Any) -> dict[str, Any]:
        asked.append(names)
        return real(read, names, **options)

    monkeypatch.setattr(gaining, "memory", memory)
    execute(world, "ALTER TABLE lead RENAME COLUMN city TO town")
    genius = start()
    genius.sync("leads")
    names = json.dumps({"columns": asked[-1]})
    assert "city" not in asked[-1]
    with genius.warehouse.connection() as connection:
        connection.execute(
            "UPDATE ingestion_sync_history SET configuration = "
            "jsonb_set(configuration, '{source_memory}', %s::jsonb)",
            (names,),
        )
        connection.commit()
    execute(world, "ALTER TABLE lead RENAME COLUMN town TO city")
    again = start()
    assert again.sync("leads").counts.updated > 10
    assert differences(world, again.warehouse, "leads") == []
    assert again.sync("leads").counts.processed < 10, "nothing else was taken for new"


def test_a_column_that_comes_back_in_genius_is_as_it_is_by_now(world: World, start: Start) -> None:
    genius = start()
    genius.sync("leads")
    rename = "ALTER TABLE lead RENAME COLUMN {} TO {}"
    execute(world, rename.format("city", "town"))
    start().sync("leads")
    # Without touching the rows' time.
    cleared = "UPDATE lead SET town = NULL, updated_at = updated_at WHERE lead_id % 2 = 0"
    execute(world, cleared, rename.format("town", "city"))
    again = start()
    begun = again.sync("leads")
    assert begun.strategy.name == "incremental"
    assert begun.counts.updated > 5
    assert differences(world, again.warehouse, "leads") == []
    assert again.sync("leads").counts.processed < begun.counts.processed, "once is enough"


@pytest.mark.parametrize("first", ["initial_full", "incremental"])
def test_a_genius_sync_that_is_resumed_once_a_column_is_back_has_it_everywhere(
    world: World, start: Start, first: str
) -> None:
    if first == "incremental":
        start().sync("leads")
    execute(
        world,
        "ALTER TABLE lead RENAME COLUMN city TO town",
        "UPDATE lead SET town = 'Elsewhere', updated_at = NOW() + INTERVAL 2 HOUR",
    )
    genius = start()
    many = genius.client.database.rows
    calls = itertools.count()

    def some(statement: Any, *about: Any) -> Any:
        found = many(statement, *about)
        if "AS first_name" in str(statement) and next(calls) == 4:
            raise TransientError("the connection is lost")
        return found

    genius.client.database.rows = some
    with pytest.raises(TransientError):
        genius.sync("leads", batch_size=5)
    assert history(genius.warehouse)[-1]["records_processed"] > 0
    execute(world, "ALTER TABLE lead RENAME COLUMN town TO city")
    again = start()
    resumed = again.sync("leads", batch_size=5)
    assert (resumed.strategy.name, resumed.resumed) == (first, True)
    assert differences(world, again.warehouse, "leads") == []


def test_a_column_newly_declared_is_filled_by_the_next_delta(world: World, start: Start) -> None:
    genius = start()
    entity = registry.entity("genius.quotes")
    settings = settings_for(genius.crm, entity)
    execute(world, "ALTER TABLE quote ADD COLUMN remark TEXT", "UPDATE quote SET remark = 'x', "
            "updated_at = updated_at WHERE id < 5")  # fmt: skip
    genius.sync("quotes")
    wider = replace(entity, columns=(*entity.columns, text("remark")))
    begun = begin(Request(genius.crm, wider, Flags(), settings), genius.client, genius.warehouse)
    drain(begun)
    found = rows(genius.warehouse, "SELECT id FROM genius_quote WHERE remark = 'x' ORDER BY id")
    assert found == [(1,), (2,), (3,), (4,)]
