"""`crm-sync all`: every CRM that the environment names, and one that is closed stops no other."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.genius.crm import beside
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.commands import Run, run

__all__ = ["run"]

SMALL = {"deals": 3, "appointments": 3, "companies": 3, "tickets": 3, "line_items": 3}


@pytest.fixture
def both(database_url: str, environment: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """HubSpot and Genius; the environment names both."""
    head, _, options = database_url.partition("?")
    database = f"{head.rpartition('/')[2]}_genius"
    with Sandbox(
        seed=7, contacts=20, counts=SMALL, genius_url=beside(database_url, database)
    ) as both:
        # The sandbox plays others too, which nobody names here.
        for name in ("hubspot", "github", "genius"):
            for variable, value in both.crms[name].env(both.url).items():
                environment.setenv(variable, value)
        environment.setenv("CRM_SYNC_HUBSPOT__RATE_WINDOWS", "[]")
        yield both
    with psycopg.connect(f"{head}?{options}", autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database))
        )


def synced(warehouse: Warehouse) -> dict[str, set[str]]:
    """Per CRM how its syncs ended, by entity."""
    with warehouse.connection() as connection:
        rows = connection.execute(
            "SELECT crm_source, sync_type FROM ingestion_sync_history WHERE status = 'success'"
        ).fetchall()
    return {crm: {entity for of, entity in rows if of == crm} for crm, _ in rows}


def everything(crm: str) -> set[str]:
    return {entity.sync_type for entity in registry.selection(crm)}


def test_all_syncs_every_crm_that_is_named_and_again_finds_nothing_new(
    run: Run, both: Sandbox, warehouse: Warehouse
) -> None:
    status, out, err = run("all", "--no-progress")
    assert (status, "failed:" in err) == (exits.SUCCESS, False), err
    assert synced(warehouse) == {crm: everything(crm) for crm in ("hubspot", "genius")}
    assert len(out.splitlines()) == len(everything("hubspot")) + len(everything("genius"))
    status, out, _ = run("all", "--no-progress")
    assert status == exits.SUCCESS
    lines = [line for line in out.splitlines() if " incremental " in line]
    assert lines
    changes = (" created", " updated", " deleted", " failed")
    assert not any(word in line for line in lines for word in changes), out


def test_a_crm_that_is_closed_is_named_and_the_others_are_synced(
    run: Run, both: Sandbox, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-revoked-0000")
    status, _, err = run("all", "--quiet")
    assert status == exits.FAILED
    assert any(
        line.startswith("crm-sync: hubspot: ") and "HUBSPOT_TOKEN" in line
        for line in err.splitlines()
    ), err
    assert synced(warehouse) == {"genius": everything("genius")}


def test_when_every_crm_is_closed_each_of_them_is_named(
    run: Run, both: Sandbox, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-revoked-0000")
    environment.setenv("GENIUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    status, _, err = run("all", "--quiet")
    assert (status, synced(warehouse)) == (exits.FAILED, {})
    told = [line.split(": ")[1] for line in err.splitlines() if line.startswith("crm-sync: ")]
    assert sorted(told) == ["genius", "hubspot"], err


def test_a_crm_nobody_names_is_left_alone(
    run: Run, both: Sandbox, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    for name in both.env():
        if name.startswith("GENIUS_"):
            environment.delenv(name)
    assert run("all", "--quiet") == (exits.SUCCESS, "", "")
    assert synced(warehouse) == {"hubspot": everything("hubspot")}


def test_crms_nobody_names_are_told_in_one_line(
    run: Run, both: Sandbox, environment: pytest.MonkeyPatch
) -> None:
    for name in both.env():
        if name.startswith("GENIUS_"):
            environment.delenv(name)
    status, _, err = run("all", "--no-progress")
    assert status == exits.SUCCESS
    [line] = [line for line in err.splitlines() if "left out" in line]
    others = [name for name in registry.names() if name != "hubspot"]
    assert line == f"crm-sync: left out, for no variable of theirs is set: {', '.join(others)}"


def test_a_crm_that_is_named_by_half_is_refused_before_anything_is_read(
    run: Run, both: Sandbox, warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("HUBSPOT_TOKEN")
    status, _, err = run("all")
    assert (status, synced(warehouse)) == (exits.USAGE, {})
    assert "HUBSPOT_TOKEN" in err


def test_without_any_crm_there_is_nothing_to_sync(run: Run) -> None:
    status, _, err = run("all")
    assert status == exits.USAGE
    assert "there is nothing to sync" in err
