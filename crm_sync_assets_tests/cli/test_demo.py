"""What the demo says of the warehouse is true: it sees what is missing, old, or too much."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_sync_assets.cli import demo, main, story
from crm_sync_assets.cli.beside import Failed
from crm_sync_assets.cli.compared import compared, purged
from crm_sync_assets.cli.story import Plot, Told
from crm_sync_assets.cli.world import World, left_in, move
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.truth import Live, live
from crm_sync_assets.operations.opening import open_warehouse
from crm_sync_assets.orchestration.instance import open_instance
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.process import Control
from crm_sync_assets.settings import environment as current
from crm_sync_assets_tests.truth import HubSpotSyncs

HUBSPOT = registry.crm("hubspot")


@pytest.fixture
def control(sandbox: Sandbox) -> Control:
    return Control(sandbox.url)


def test_what_is_missing_old_or_too_much_is_told_and_nothing_else(control: Control) -> None:
    syncs = HubSpotSyncs()
    syncs.all()
    found = {one.entity.sync_type: one.wrong for one in compared(syncs.warehouse, control, HUBSPOT)}
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
    again = {one.entity.sync_type: one for one in compared(syncs.warehouse, control, HUBSPOT)}
    wrong = {name: one.wrong for name, one in again.items() if one.wrong}
    assert {name: text.split()[0] for name, text in wrong.items()} == {
        "contacts": "1",
        "deals": "1",
        "associations_contact_company": "0",
    }
    assert "0 rows there" in wrong["contacts"]
    assert "1 rows there are not what HubSpot has" in wrong["deals"]
    assert "1 rows there" in wrong["associations_contact_company"]
    gone = {name: one.gone for name, one in again.items() if one.gone}
    assert gone == {"associations_contact_company": 1}, "what is old is there all the same"
    syncs.close()


def test_what_no_delta_can_know_about_is_excused(sandbox: Sandbox, control: Control) -> None:
    syncs = HubSpotSyncs()
    syncs.all()
    one = sandbox.hubspot.ids("contacts")[0]
    sandbox.hubspot.purge("contacts", one)
    syncs.sync("contacts")
    left = {
        one.entity.sync_type for one in compared(syncs.warehouse, control, HUBSPOT) if one.wrong
    }
    assert "contacts" in left
    excused = purged([f"purge contacts {one}", "edit contacts 7"])
    assert excused == {one}
    told = compared(syncs.warehouse, control, HUBSPOT, excused=excused)
    assert [one.wrong for one in told if one.wrong] == []
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


def teller(name: str, control: Control) -> story.Teller:
    instance = open_instance(current(), to_run=True)
    return story.Teller(registry.crm(name), control, open_warehouse(), instance)


def test_a_story_ends_as_the_source_is_and_says_what_happened(
    control: Control, sandbox: Sandbox
) -> None:
    told = teller("hubspot", control).tell(Plot("hubspot", 40, 100))
    assert (told.problems, told.forced) == ([], [])
    assert told.rows > len(sandbox.hubspot.ids("contacts"))
    assert told.changed > 20
    assert {*told.tables} == {story.FIRST, story.DELTA, story.FULL}
    assert all(len(rows) == told.entities for rows in told.tables.values())
    assert {what for _, _, what in told.compared} == {"the same in both"}


@pytest.fixture
def sheets(environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(seed=7, contacts=1, gsheet_leads=5, gsheet_spends=40) as sandbox:
        for name, value in sandbox.crms["gsheet"].env(sandbox.url).items():
            environment.setenv(name, value)
        yield sandbox


def moved_by(monkeypatch: pytest.MonkeyPatch, what: Any) -> None:
    def moves(*_: object) -> list[str]:
        what()
        return []

    monkeypatch.setattr(story, "move", moves)


def test_what_is_really_gone_is_forced_however_small_the_world_is(
    sheets: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of a table is refused, and people are told to force it if it is so."""

    def delete() -> None:
        for one in sheets.gsheet.ids("marketing_spends")[:15]:
            sheets.gsheet.delete(one)

    moved_by(monkeypatch, delete)
    told = teller("gsheet", Control(sheets.url)).tell(Plot("gsheet", 1, 100))
    assert told.problems == []
    assert told.forced == ["gsheet.marketing_spends (delta)"]
    assert told.rows == 35


def test_what_is_refused_for_something_else_is_wrong(
    sheets: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throw_away() -> None:
        sheets.gsheet.delete(sheets.gsheet.ids("marketing_spends")[0])
        for name in ("spends", "2024"):
            sheets.gsheet.set(name, is_trashed=True)

    moved_by(monkeypatch, throw_away)
    told = teller("gsheet", Control(sheets.url)).tell(Plot("gsheet", 1, 100))
    said = "\n".join(told.problems)
    assert "delta: gsheet.marketing_spends ended as failed" in said
    assert "delta: gsheet.marketing_leads ended as failed" in said
    assert "in the trash" in said
    assert "gsheet.marketing_leads (delta)" not in told.forced, "nothing of it is gone"


def test_the_table_and_what_is_around_it_are_those_in_the_readme(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the numbers."""
    crms = registry.crms().values()
    found = {crm.name: Told(crm.title, 2, 8.5, 3_000, 40) for crm in crms}
    assert demo._report(found, verbose=False) == []
    table = capsys.readouterr().out
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    (page,) = [part for part in re.findall(r"```text\n(.*?)```", readme, re.S) if "delta" in part]
    assert max(map(len, page.splitlines())) <= 92
    opening, ending = demo._opening(6, 300), demo._closing(9, ".crm_sync/demo/env.sh")
    lines = shape(page)
    assert lines[: len(shape(opening))] == shape(opening)
    assert lines[-len(shape(ending)) :] == shape(ending)
    header, *rows = table.splitlines()
    there = [line for line in page.splitlines() if re.search(r" (yes|no) +\d+\.\d$", line)]
    assert header.split() == page.splitlines()[page.splitlines().index(there[0]) - 1].split()
    titles = [re.split(r"  +", line)[0] for line in rows]
    assert titles == [crm.title for crm in crms]
    assert {re.split(r"  +", line)[0] for line in there} <= {*titles}


def shape(text: str) -> list[str]:
    return re.sub(r"\d[\d,]*", "N", text).strip().splitlines()


def test_the_question_of_the_closing_has_an_answer(
    control: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    syncs = HubSpotSyncs()
    syncs.sync("contacts")
    syncs.close()
    assert control.url
    assert main(["sql", demo.QUESTION]) == 0
    assert "customer" in capsys.readouterr().out


def test_one_story_that_went_wrong_makes_the_demo_fail_and_says_no(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = Told("Arrivy", 5), Told("CallRail", 8, problems=["delta: callrail.calls: 1 …"])
    found = {"arrivy": good, "callrail": bad, "genius": Failed("its process ended")}
    assert demo._report(found, verbose=False) == [*bad.problems, "genius: its process ended"]
    out = capsys.readouterr().out
    said = [re.search(r"\b(yes|no)\b", line) for line in out.splitlines()[1:]]
    assert [one and one[0] for one in said] == ["yes", "no", "no"]
    assert demo._report({}, verbose=False) == ["nothing was synced"]


def test_details_show_every_sync_and_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("arrivy.tasks", "success", 9, 8, 1, 0, 0, 0, 0.5, "incremental")
    told = Told("Arrivy", 1, tables={story.DELTA: [line]}, compared=[("arrivy.tasks", 9, "same")])
    told.forced.append("arrivy.tasks (delta)")
    demo._report({"arrivy": told}, verbose=True)
    out = capsys.readouterr().out
    assert out.count("arrivy.tasks") == 3
    assert "Arrivy: delta" in out
    assert "Refused first" in out


def test_changes_fit_the_size_of_the_world(environment: pytest.MonkeyPatch) -> None:
    for name in ("HUBSPOT_TOKEN", "ARRIVY_AUTH_KEY", "CALLRAIL_API_KEY"):
        environment.setenv(name, "x")

    def moves(contacts: int, given: int | None = None) -> dict[str, int]:
        return {plot.crm: plot.moves for plot in demo._plots(contacts, given, debug=False)}

    assert moves(500) == {"hubspot": 100, "callrail": 25, "arrivy": 25}
    assert moves(3) == {"hubspot": 1, "callrail": 25, "arrivy": 25}
    assert moves(500, 2) == {"hubspot": 2, "callrail": 1, "arrivy": 1}
    assert [*moves(1)] == ["hubspot", "callrail", "arrivy"], "those with the most entities begin"


def test_a_world_is_played_again_as_it_was(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each record that the first one's changes touched is touched again, later, and no other."""
    world = World(["--contacts", "300"], {"hubspot": 60}, 100.0)
    world.save(tmp_path)
    assert left_in(tmp_path) == world
    assert left_in(tmp_path / "nothing") is None
    done = move(Control(sandbox.url), "hubspot", 60)
    live_then = set(sandbox.hubspot.ids("contacts"))
    with Sandbox(seed=7, contacts=300) as fresh:
        world.play_again(Control(fresh.url))
        assert set(fresh.hubspot.ids("contacts")) == live_then
        assert len(done) >= 60
