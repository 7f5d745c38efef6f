"""What the demo says of the warehouse is true: it sees what is missing, old, or too much."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.cli import demo, main
from crm_sync_assets.cli.world import World, left_in
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.truth import Live, live
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.process import Running
from crm_sync_assets_tests.truth import HubSpotSyncs

HUBSPOT = [registry.crm("hubspot")]


@pytest.fixture
def running(sandbox: Sandbox) -> Running:
    no_process: Any = None
    return Running(sandbox.url, sandbox.env(), no_process)


def test_what_is_missing_old_or_too_much_is_told_and_nothing_else(running: Running) -> None:
    syncs = HubSpotSyncs()
    syncs.all()
    found = {
        e.sync_type: wrong for e, _, wrong in demo._differences(syncs.warehouse, running, HUBSPOT)
    }
    assert set(found.values()) == {None}
    assert {"contacts", "deals", "tasks", "associations_contact_deal"} <= found.keys()
    with syncs.warehouse.connection() as connection:
        for statement in (
            "UPDATE hubspot_contact SET deleted_at = now() WHERE id = (SELECT min(id) FROM "
            "hubspot_contact WHERE deleted_at IS NULL)",
            "UPDATE hubspot_deal SET hs_lastmodifieddate = hs_lastmodifieddate - interval '1 ms' "
            "WHERE id = (SELECT min(id) FROM hubspot_deal WHERE deleted_at IS NULL)",
            "INSERT INTO hubspot_contact_company_assoc (contact_id, company_id) VALUES ('1', '2')",
        ):
            assert connection.execute(statement).rowcount == 1
        connection.commit()
    wrong = {
        e.sync_type: w for e, _, w in demo._differences(syncs.warehouse, running, HUBSPOT) if w
    }
    assert {name: text.split()[0] for name, text in wrong.items()} == {
        "contacts": "1",
        "deals": "1",
        "associations_contact_company": "0",
    }
    assert "0 rows there" in wrong["contacts"]
    assert "1 rows there are not what HubSpot has" in wrong["deals"]
    assert "1 rows there" in wrong["associations_contact_company"]
    syncs.close()


def test_what_no_delta_can_know_about_is_excused(sandbox: Sandbox, running: Running) -> None:
    syncs = HubSpotSyncs()
    syncs.all()
    one = sandbox.hubspot.ids("contacts")[0]
    sandbox.hubspot.purge("contacts", one)
    syncs.sync("contacts")
    left = {e.sync_type for e, _, w in demo._differences(syncs.warehouse, running, HUBSPOT) if w}
    assert "contacts" in left
    excused = demo._purged([f"purge contacts {one}", "edit contacts 7"])
    assert excused == {one}
    told = demo._differences(syncs.warehouse, running, HUBSPOT, excused=excused)
    assert [wrong for _, _, wrong in told if wrong] == []
    syncs.close()


@pytest.mark.parametrize("name", registry.names())
def test_every_crm_says_what_of_its_truth_its_tables_must_hold(name: str) -> None:
    told = [live(entity, lambda _: []) for entity in registry.entities(name)]
    assert any(isinstance(one, Live) for one in told)


def test_keys_of_several_columns_are_found_whatever_case_the_database_has() -> None:
    entity = registry.entity("genius.appointment_services")
    names = [column.path("") for column in entity.key]

    def ask(what: str) -> Iterable[dict[str, Any]]:
        assert what == str(entity.source).removeprefix("table ")
        return [dict.fromkeys([name.upper() for name in names], 7)]

    assert live(entity, ask) == Live({(("7",) * len(names), None)}, dated=False)


def test_the_story_is_the_one_in_the_readme(
    running: Running, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line by line, whatever the numbers; and its question to the warehouse has an answer."""
    syncs = demo._Syncs(HUBSPOT, bars=False)
    assert demo._problems(running, syncs, World((), {"hubspot": 40}, 100), details=False) == []
    told = capsys.readouterr().out
    story = demo._opening(6, 300) + "\n" + told + demo._closing(9, ".crm_sync/demo/env.sh")
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (page,) = [part for part in re.findall(r"```text\n(.*?)```", readme, re.S) if "delta" in part]
    assert shape(story) == shape(page)
    assert max(map(len, page.splitlines())) <= 92
    assert main(["sql", demo.QUESTION]) == 0
    assert "customer" in capsys.readouterr().out


def shape(text: str) -> list[str]:
    return re.sub(r"\d[\d,]*", "N", text).strip().splitlines()


def test_details_show_every_sync_and_every_table(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    syncs = demo._Syncs(HUBSPOT, bars=False)
    outcomes = syncs.all("one")
    demo._print_table("the first sync", outcomes)
    out = capsys.readouterr().out
    assert all(outcome.entity.name in out for outcome in outcomes)
    syncs.close()


def test_a_world_is_played_again_as_it_was(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each record that the first one's changes touched is touched again, later, and no other."""
    world = World(["--contacts", "300"], {"hubspot": 60}, 100.0)
    world.save(tmp_path)
    assert left_in(tmp_path) == world
    assert left_in(tmp_path / "nothing") is None
    no_process: Any = None
    first = Running(sandbox.url, sandbox.env(), no_process)
    done = world.move(first)
    live_then = set(sandbox.hubspot.ids("contacts"))
    with Sandbox(seed=7, contacts=300) as fresh:
        again = Running(fresh.url, fresh.env(), no_process)
        world.play_again(again)
        assert set(fresh.hubspot.ids("contacts")) == live_then
        assert len(done) >= 60
