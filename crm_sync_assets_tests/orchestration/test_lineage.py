"""Lineage and freshness show, and neither orders nor blocks a sync."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.definitions import build
from crm_sync_assets.orchestration.columns import column_lineage
from crm_sync_assets.orchestration.keys import asset_key, source_key, table_key
from crm_sync_assets.orchestration.lineage import (
    freshness,
    group_of,
    references,
    surroundings,
)
from crm_sync_assets_tests.runs import Runs, instance_in, this_month, told
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
        tables = tuple(surroundings(CRM, (PEOPLE, PAIRS)))
        yield Runs(instance, entities=(PEOPLE, PAIRS), more_assets=tables)


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
        table_key("hubspot.contacts"),
        table_key("hubspot.deals"),
    }
    assert graph.get(table_key("hubspot.contacts")).parent_keys == {contacts}
    assert dg.AssetKey(["hubspot_api", "contacts"]) in graph.get(contacts).parent_keys
    appointments = graph.get(dg.AssetKey(["genius", "appointments"]))
    assert dg.AssetKey(["genius_mysql", "appointments"]) in appointments.parent_keys
    assert table_key("genius.prospects") in appointments.parent_keys


def test_the_graph_does_not_run_in_a_circle() -> None:
    """Dagster's backfills sort it, and would fail again and again."""
    graph = build().resolve_asset_graph()
    assert len(graph.toposorted_asset_keys) == len(graph.get_all_asset_keys())
    genius, hubspot = map(registry.crm, ("genius", "hubspot"))
    theirs, ours = map(registry.entity, ("genius.appointments", "hubspot.appointments"))
    assert references(genius, theirs)["hubspot_appointment_id"] == (ours.name, "id")
    assert references(hubspot, ours)["genius_appointment_id"] == (theirs.name, "id")


def test_no_entity_hangs_on_one_that_a_run_executes() -> None:
    graph = build().resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        assert not graph.get(key).parent_keys & graph.materializable_asset_keys, key


@pytest.mark.parametrize("entity", ENTITIES, ids=str)
def test_what_a_column_refers_to_is_there(entity: Entity) -> None:
    assert set(entity.refers) <= {column.name for column in entity.columns}
    for to, its_column in references(registry.crm(entity.crm), entity).values():
        assert [column.name for column in registry.entity(to).key] == [its_column]


@pytest.mark.parametrize("name", registry.names())
def test_what_a_crm_says_of_columns_is_said_of_some(name: str) -> None:
    named = {c.name for entity in registry.entities(name) for c in entity.columns}
    assert set(registry.crm(name).refers) <= named


def test_the_parts_of_a_large_crm_leave_nobody_out() -> None:
    """A smaller one is shown whole."""
    for name, crm in registry.crms().items():
        members = [one for those in crm.groups.values() for one in those]
        assert len(members) == len(set(members)), name
        if members:
            shown = {e.sync_type for e in registry.entities(name) if not e.tombstones_of}
            assert set(members) == shown, name
    contacts, removal = map(registry.entity, ("hubspot.contacts", "hubspot.contacts_removal"))
    assert group_of(registry.crm("hubspot"), contacts) == "hubspot_crm"
    assert group_of(registry.crm("hubspot"), removal) == "hubspot_crm"
    assert group_of(registry.crm("arrivy"), registry.entity("arrivy.tasks")) == "arrivy"


def test_what_is_switched_off_leaves_its_table_to_those_that_refer_to_it(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("CRM_SYNC_HUBSPOT__EXCLUDE", "contacts")
    graph = build().resolve_asset_graph()
    table = graph.get(table_key("hubspot.contacts"))
    assert (table.group_name, table.parent_keys) == ("hubspot_crm", set())
    assert "switched off" in (table.description or "")
    assert not graph.has(dg.AssetKey(["hubspot", "contacts"]))
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} & {"default"} == set()


def test_a_materialization_tells_the_lineage_of_its_columns(runs: Runs) -> None:
    runs.source.client = FakeClient([person(1)])
    (event,) = told(runs.run(PAIRS), PAIRS)
    lineage = event.metadata["dagster/column_lineage"]
    expected = {"name": [dg.TableColumnDep(dg.AssetKey(["test", "people"]), "id")]}
    assert lineage.value == dg.TableColumnLineage(expected) == column_lineage(CRM, PAIRS)
    assert column_lineage(CRM, PEOPLE) is None


# Freshness


def test_a_table_is_stale_after_its_fresh_hours(environment: pytest.MonkeyPatch) -> None:
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


def test_only_a_complete_sync_is_news_of_the_table(runs: Runs) -> None:
    """A backfill of an old month stores something, and leaves the table as stale as it was."""
    runs.source.client = FakeClient([person(1)])
    table = table_key(PEOPLE.name)
    no_news: list[dict[str, Any]] = [
        {"key": "2026-01-01"},
        {"config": {"dry_run": True}},
        {"config": {"max_records": 1}},
    ]
    for how in no_news:
        assert runs.run(**how).success
        assert runs.instance.get_latest_materialization_event(table) is None, how
    for how in ({}, {"key": this_month()}, {"days": ("2026-01-01", this_month())}):
        result = runs.run(**how)  # type: ignore[arg-type]
        event = runs.instance.get_latest_materialization_event(table)
        assert event is not None, how
        assert event.run_id == result.run_id, how


def test_a_failed_sync_and_a_removal_are_no_news_of_the_table(runs: Runs) -> None:
    removal = replace(PEOPLE_REMOVAL, source=PEOPLE_REMOVAL.source)
    runs.source.client = Refusing([person(1)])
    assert not runs.run(PEOPLE).success
    assert runs.instance.get_latest_materialization_event(table_key(PEOPLE.name)) is None
    assert list(surroundings(CRM, (removal,))) == [
        one for one in surroundings(CRM, (removal,)) if one.key == source_key(CRM, removal)
    ]


def test_news_of_a_table_puts_nothing_out_of_sync(runs: Runs) -> None:
    """What refers to a table is not outdated because the table has changed."""
    runs.source.client = FakeClient([person(1)])
    for entity in (PAIRS, PEOPLE, PAIRS, PEOPLE):
        assert runs.run(entity).success
    graph = runs.definitions().resolve_asset_graph()
    seen = CachingStaleStatusResolver(runs.instance, graph, LoadingContextForTest(runs.instance))
    assert seen.get_stale_causes(asset_key(PAIRS)) == []
    assert seen.get_status(asset_key(PAIRS)) == StaleStatus.FRESH
    assert seen.get_stale_causes(asset_key(PEOPLE), this_month()) == []
