from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity, Part, Resweep
from crm_sync_assets.errors import UsageError


def test_every_crm_is_found_by_its_folder() -> None:
    assert "hubspot" in registry.names()
    assert set(registry.crms()) == set(registry.names())


def test_a_whole_run_takes_entities_in_the_order_the_crm_gives(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ZIPCODES_OWNER", "acme")
    names = [entity.sync_type for entity in registry.selection("hubspot")]
    assert names[:6] == [
        "divisions",
        "contacts",
        "appointments",
        "deals",
        "zipcodes",
        "genius_users",
    ]
    assert all(name.startswith("associations_") for name in names[-6:])
    assert not any("removal" in name for name in names)


def test_an_entity_comes_after_the_ones_it_needs() -> None:
    for crm in registry.names():
        seen: set[str] = set()
        for entity in registry.entities(crm):
            assert seen.issuperset(entity.after), entity
            seen.add(entity.name)


def test_no_two_entities_share_a_table() -> None:
    own = [e for e in registry.all_entities().values() if not e.tombstones_of]
    assert len({entity.table for entity in own}) == len(own)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("contacts", ["contacts"]),
        ("contacts_removal", ["contacts_removal"]),
        ("contacts-removal", ["contacts_removal"]),
        ("sync_hubspot_contacts", ["contacts"]),
        ("genius_users", ["genius_users"]),
    ],
)
def test_a_selection_by_name(name: str, expected: list[str]) -> None:
    assert [entity.sync_type for entity in registry.selection("hubspot", name)] == expected


def test_a_group_selects_all_its_entities() -> None:
    found = registry.selection("hubspot", "associations")
    assert {entity.sync_type for entity in found} == set(
        registry.crm("hubspot").groups["associations"]
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: registry.entity("hubspot.contcts"), "did you mean 'contacts'"),
        (lambda: registry.entity("hubspt.contacts"), "did you mean 'hubspot'"),
        (lambda: registry.entity("contacts"), "crm.entity"),
        (lambda: registry.selection("hubspot", "association"), "did you mean 'associations'"),
        (lambda: registry.command("sync_hubspot_contcts"), "did you mean 'contacts'"),
        (lambda: registry.command("sync_hubspt_contacts"), "did you mean 'sync_hubspot_contacts'"),
    ],
    ids=["entity", "crm", "no dot", "group", "command", "command's crm"],
)
def test_a_wrong_name_is_answered_with_the_nearest(call: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("command", "crm", "selection"),
    [
        ("sync_hubspot_all", "hubspot", "all"),
        ("sync_hubspot_contacts", "hubspot", "contacts"),
        ("sync_hubspot_associations", "hubspot", "associations"),
    ],
)
def test_old_commands_keep_their_meaning(command: str, crm: str, selection: str) -> None:
    found, name = registry.command(command)
    assert (found.name, name) == (crm, selection)


def broken(**changes: object) -> Entity:
    contacts = registry.entity("hubspot.owners")
    return replace(contacts, **changes)  # type: ignore[arg-type]


LEFT = Part(("told",))


def of_parts(*parts: Part, **changes: object) -> Entity:
    columns = (
        text("id", key=True),
        *(timestamp("at"), timestamp("told")),
        *(text("a"), text("b"), integer("number"), text("secret", sensitive=True)),
    )
    return broken(columns=columns, parts=parts, indexes=(), **changes)


@pytest.mark.parametrize(
    ("entity", "problem"),
    [
        (broken(columns=(text("id", key=True), text("a"), text("a"))), "two columns are called a"),
        (broken(columns=(text("id"),)), "no column is a key"),
        (broken(indexes=("nowhere",)), "no column for the index on nowhere"),
        (broken(merged_ids="nowhere"), "merged ids"),
        (broken(name="elsewhere.owners"), "the name must be"),
        (
            broken(source=Rest("/a", filters={"company": "c"})),
            "filters by company, which is no flag",
        ),
        (broken(resweeps=(Resweep("weekly"), Resweep("weekly"))), "the same cadence"),
        (broken(resweeps=(Resweep("weekly", timedelta(days=9)),)), "it has no windows"),
        (
            replace(
                registry.entity("hubspot.deals"), resweeps=(Resweep("weekly", timedelta(hours=36)),)
            ),
            "goes back whole days, not 1 day, 12:00:00",
        ),
        (
            replace(registry.entity("hubspot.deals"), columns=(text("id", key=True),), indexes=()),
            "merged ids",
        ),
        (
            replace(
                registry.entity("hubspot.deals"),
                columns=(text("id", key=True), timestamp("x")),
                indexes=(),
                merged_ids=None,
            ),
            "no column holds the modified field properties.hs_lastmodifieddate",
        ),
        (
            replace(
                registry.entity("hubspot.deals"),
                columns=(text("id", key=True), text("hs_lastmodifieddate")),
                indexes=(),
                merged_ids=None,
            ),
            "must be a timestamp",
        ),
        (
            of_parts(Part(("at",), ("nowhere",)), LEFT),
            "nowhere is no column, or is in two parts",
        ),
        (of_parts(Part(("at",), ("told",)), LEFT), "told is no column, or is in two parts"),
        (of_parts(Part(("at",), ("a",))), "one of its parts, and only one, has what no other"),
        (of_parts(Part(("id",), ("a",)), LEFT), "a key of one column, which is in none"),
        (of_parts(Part(("a",), ("b",)), LEFT), "is a moment, and texts"),
        (of_parts(Part(("at", "number"), ("a",)), LEFT), "is a moment, and texts"),
        (of_parts(Part(("at", "secret"), ("a",)), LEFT), "cannot be encrypted"),
        (
            of_parts(Part(("at",), ("a",)), LEFT, tombstones="found"),
            "neither merged nor compared",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_declaration_that_cannot_work_names_its_file(entity: Entity, problem: str) -> None:
    module = ModuleType("broken")
    module.__file__ = "crms/hubspot/entities/broken.py"
    with pytest.raises(ValueError, match=rf"broken\.py: .*{problem}"):
        registry._check(entity, registry.crm("hubspot"), module)


def test_a_part_that_refuses_to_be_built_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "declared" / "hubspot" / "entities"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "deals.py").write_text(
        "from crm_sync_assets.clients.rest.paging import Cursor\n"
        "PAGING = Cursor('next', 'cursor', 'limit', most=0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "FOLDER", "declared")
    with pytest.raises(ValueError, match=r"entities/deals\.py: Cursor: a page of 0 records"):
        list(registry._modules(registry.crm("hubspot")))


@pytest.mark.parametrize("crm", registry.names())
def test_declarations_load_without_a_client_or_an_orchestrator(crm: str) -> None:
    """The command line asks for names and columns long before it needs the network."""
    code = (
        "import sys; from crm_sync_assets.declarations import registry; "
        f"registry.entities({crm!r}); "
        "print([m for m in ('dagster', 'httpx', 'psycopg', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
