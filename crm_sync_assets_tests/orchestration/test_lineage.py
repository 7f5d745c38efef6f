"""Lineage and freshness show, and neither orders nor blocks a sync."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.definitions import build
from crm_sync_assets.orchestration.lineage import (
    column_lineage,
    freshness,
    references,
    surroundings,
    table_key,
)
from crm_sync_assets_tests.runs import Runs, instance_in, this_month
from crm_sync_assets_tests.scripted import CRM, PEOPLE, PEOPLE_REMOVAL, THINGS, FakeClient, person

PAIRS = replace(
    THINGS,
    after=("test.people",),
    refers={"name": "people.id"},
)
ENTITIES = list(registry.all_entities().values())


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        # The tables between them are defined, as they are in the project.
        tables = surroundings(CRM, (PEOPLE, PAIRS))
        yield Runs(instance, entities=(PEOPLE, PAIRS), more_assets=tables)  # type: ignore[arg-type]


class Refusing(FakeClient):
    """Refuses people, and has the rest."""

    def pages(self, read, usage):  # type: ignore[no-untyped-def]
        if read.entity.name == PEOPLE.name:
            raise RuntimeError("no people today")
        return super().pages(read, usage)


@pytest.mark.parametrize("how", ["latest", "range", "none"])
def test_what_fails_upstream_skips_nobody(runs: Runs, how: str) -> None:
    """Dagster skips a step whose upstream failed, wherever a run has both."""
    runs.source.client = Refusing([person(1), person(2)])
    result = runs.run(
        PEOPLE,
        PAIRS,
        key=this_month() if how == "latest" else None,
        days=("2026-01-01", this_month()) if how == "range" else None,
    )
    assert {event.step_key for event in result.get_step_failure_events()} == {"test__people"}
    succeeded = {event.step_key for event in result.get_step_success_events()}
    assert succeeded == {"test__things", "test__things_checks"}


def test_the_graph_leads_from_the_source_to_what_refers_to_it() -> None:
    graph = build().resolve_asset_graph()
    pairs = dg.AssetKey(["hubspot", "associations_contact_deal"])
    contacts = dg.AssetKey(["hubspot", "contacts"])
    assert graph.get(pairs).parent_keys == {
        dg.AssetKey(["hubspot_api", "associations_contact_deal"]),
        table_key("hubspot", "contacts"),
        table_key("hubspot", "deals"),
    }
    assert graph.get(table_key("hubspot", "contacts")).parent_keys == {contacts}
    assert dg.AssetKey(["hubspot_api", "contacts"]) in graph.get(contacts).parent_keys
    appointments = graph.get(dg.AssetKey(["genius", "appointments"]))
    assert dg.AssetKey(["genius_mysql", "appointments"]) in appointments.parent_keys
    assert table_key("genius", "prospects") in appointments.parent_keys


def test_no_entity_hangs_on_one_that_a_run_executes() -> None:
    graph = build().resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        assert not graph.get(key).parent_keys & graph.materializable_asset_keys, key


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_what_a_column_refers_to_is_there(entity: Entity) -> None:
    crm = registry.crm(entity.crm)
    assert set(entity.refers) <= {column.name for column in entity.columns}
    for to, its_column in references(crm, entity).values():
        other = registry.entity(f"{crm.name}.{to}")
        assert [column.name for column in other.key] == [its_column]


@pytest.mark.parametrize("name", registry.names())
def test_what_a_crm_says_of_columns_is_said_of_some(name: str) -> None:
    named = {c.name for entity in registry.entities(name) for c in entity.columns}
    assert set(registry.crm(name).refers) <= named


def test_a_materialization_tells_the_lineage_of_its_columns(runs: Runs) -> None:
    runs.source.client = FakeClient([person(1)])
    (event,) = runs.run(PAIRS).asset_materializations_for_node("test__things")
    told = event.metadata["dagster/column_lineage"]
    expected = {"name": [dg.TableColumnDep(dg.AssetKey(["test", "people"]), "id")]}
    assert told.value == dg.TableColumnLineage(expected) == column_lineage(CRM, PAIRS)
    assert column_lineage(CRM, PEOPLE) is None


def test_it_is_stale_after_its_fresh_hours(environment: pytest.MonkeyPatch) -> None:
    def window(entity: Entity) -> object:
        policy = freshness(CRM, entity)
        return policy and policy.fail_window.to_timedelta()  # type: ignore[attr-defined]

    removal = replace(PEOPLE_REMOVAL, in_all=False)
    assert (window(PEOPLE), window(removal)) == (timedelta(hours=26), None)
    environment.setenv("CRM_SYNC_TEST__PEOPLE__FRESH_HOURS", "3")
    environment.setenv("CRM_SYNC_TEST__PEOPLE_REMOVAL__FRESH_HOURS", "0.001")
    assert (window(PEOPLE), window(removal)) == (timedelta(hours=3), timedelta(minutes=1))
    environment.setenv("CRM_SYNC_TEST__PEOPLE__FRESH_HOURS", "soon")
    assert window(PEOPLE) is None
