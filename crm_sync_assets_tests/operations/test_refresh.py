"""What a source calculates changes without a modified date: a refresh stores that, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import dagster as dg
import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.crms.hubspot import listing
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.columns import rest
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.definitions import build
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import abandon, begin, drain
from crm_sync_assets.errors import AlreadyRunning, Fenced, SyncError, UsageError
from crm_sync_assets.keyring import new_key
from crm_sync_assets.operations.health import _violations
from crm_sync_assets.operations.refresh import Refreshed, refresh
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.orchestration.asset_checks import last_sync
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import properties as definitions
from crm_sync_assets.sandbox.crms.hubspot import world
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.kinds import REAL
from crm_sync_assets_tests.runs import instance_in
from crm_sync_assets_tests.scripted import history, rows
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences, stored_rows

CONTACTS = registry.entity("hubspot.contacts")
COLUMN, IN_REST = "hs_predictivecontactscore_v2", "custom_score"


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def refreshed(hubspot: HubSpotSyncs, entity: Entity = CONTACTS, **options: Any) -> Refreshed:
    settings = settings_for(hubspot.crm, entity)
    found = refresh(hubspot.warehouse, entity, hubspot.client, settings, **options)
    assert found is not None
    assert found.counts.add_up
    return found


def wrong(sandbox: Sandbox, hubspot: HubSpotSyncs) -> set[str]:
    """The contacts' columns that differ from the truth."""
    found = entity_differences(sandbox, hubspot.warehouse, CONTACTS, True)
    return {line.partition(" is ")[0].partition(").")[2] for line in found}


def changed(before: dict[Any, Any], after: dict[Any, Any]) -> dict[str, set[str]]:
    """Per id the columns of its row that differ."""
    assert before.keys() == after.keys()
    found = {
        key[0]: {name for name, value in row.items() if before[key][name] != value}
        for key, row in after.items()
    }
    return {record_id: names for record_id, names in found.items() if names}


def versions(warehouse: Warehouse) -> set[Any]:
    """Where every row lies: another place once it is rewritten."""
    return set(rows(warehouse, "SELECT id, ctid::text FROM hubspot_contact"))


def recalculate(sandbox: Sandbox, ids: Sequence[str], score: str | None = "42") -> None:
    sandbox.hubspot.recalculate("contacts", ids, {COLUMN: score, IN_REST: score})


def test_what_a_delta_does_not_see_is_refreshed_and_nothing_else(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    first = hubspot.sync("contacts")
    ids = sandbox.hubspot.ids("contacts")[20:150:10]
    sandbox.clock.advance(3600)
    recalculate(sandbox, ids)
    assert hubspot.sync("contacts").counts.updated == 0
    assert wrong(sandbox, hubspot) == {COLUMN, f"properties.{IN_REST}"}
    mark = hubspot.sync("contacts").watermark
    before, places = stored_rows(hubspot.warehouse, CONTACTS), versions(hubspot.warehouse)

    found = refreshed(hubspot)
    assert set(found.names) >= {COLUMN, IN_REST}
    assert (found.status, found.counts.updated, found.counts.created) == ("success", len(ids), 0)
    assert found.counts.processed == len(sandbox.hubspot.ids("contacts"))
    assert wrong(sandbox, hubspot) == set()
    after = stored_rows(hubspot.warehouse, CONTACTS)
    only = {COLUMN, "properties", "sync_updated_at"}
    assert changed(before, after) == dict.fromkeys(ids, only)
    for record_id in ids:
        rest_before, rest_after = (all_[record_id,]["properties"] for all_ in (before, after))
        assert rest_after == rest_before | {IN_REST: "42"}
    assert len(places & versions(hubspot.warehouse)) == len(places) - len(ids)

    row = history(hubspot.warehouse)[-1]
    assert (row["status"], row["watermark"], row["checkpoint"]) == ("success", None, None)
    assert row["configuration"]["refresh"] is row["configuration"]["trial"] is True
    assert row["kind"] == "refresh"
    assert row["records_updated"] == len(ids)
    with hubspot.warehouse.connection() as connection:
        assert sync_history.past(connection, CONTACTS).watermark == mark
        assert _violations(connection, registry.all_entities(), None) == []
        assert "success" in last_sync(connection, registry.crm("hubspot"), CONTACTS).finding
    places = versions(hubspot.warehouse)
    assert refreshed(hubspot).counts.updated == 0
    assert versions(hubspot.warehouse) == places
    assert first.watermark is not None


def test_a_value_that_was_cleared_is_cleared(hubspot: HubSpotSyncs, sandbox: Sandbox) -> None:
    ids = sandbox.hubspot.ids("contacts")[:5]
    recalculate(sandbox, ids)
    hubspot.sync("contacts")
    recalculate(sandbox, ids, None)
    assert refreshed(hubspot).counts.updated == 5
    stored = stored_rows(hubspot.warehouse, CONTACTS)[ids[0],]
    assert stored[COLUMN] is None
    assert IN_REST not in stored["properties"]
    assert wrong(sandbox, hubspot) == set()


def test_another_version_a_deleted_row_and_an_unknown_record_are_left_alone(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    newer, older, deleted, unknown, archived = sandbox.hubspot.ids("contacts")[30:35]
    hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    recalculate(sandbox, [newer, older, deleted, unknown, archived])
    sandbox.hubspot.edit("contacts", newer, {"city": "Elsewhere"})
    sandbox.hubspot.archive("contacts", archived)
    with hubspot.warehouse.connection() as connection:
        connection.execute(
            "UPDATE hubspot_contact SET lastmodifieddate = '2030-01-01' WHERE id = %s", (older,)
        )
        connection.execute(
            "UPDATE hubspot_contact SET deleted_at = now() WHERE id = %s", (deleted,)
        )
        connection.execute("DELETE FROM hubspot_contact WHERE id = %s", (unknown,))
        connection.commit()
    before = stored_rows(hubspot.warehouse, CONTACTS)
    assert refreshed(hubspot).counts.updated == 0
    assert stored_rows(hubspot.warehouse, CONTACTS) == before
    sandbox.clock.advance(3600)
    hubspot.sync("contacts")
    stored = stored_rows(hubspot.warehouse, CONTACTS)[newer,]
    assert (stored["city"], stored[COLUMN]) == ("Elsewhere", Decimal(42))


def test_many_calculated_properties_are_asked_for_in_a_body(
    hubspot: HubSpotSyncs, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts")[:7])
    monkeypatch.setattr(listing, "MOST_URL", 0)
    assert refreshed(hubspot).counts.updated == 7
    assert wrong(sandbox, hubspot) == set()


def test_only_the_calculated_properties_are_asked_for(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    already = len(sandbox.ledger.entries)
    found = refreshed(hubspot)
    asked = [entry for entry in [*sandbox.ledger.entries][already:] if "/objects/" in entry.path]
    assert len(asked) == 3
    names = {COLUMN, IN_REST, "num_notes", "num_contacted_notes"}
    assert set(found.names) == names
    for entry in asked:
        (properties,) = parse_qs(entry.query)["properties"]
        assert set(properties.split(",")) == {*names, "lastmodifieddate"}


def test_a_value_that_cannot_be_read_is_noted_beside_the_other_notes_and_so_is_its_mending(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    (record_id,) = sandbox.hubspot.ids("contacts")[:1]
    sandbox.hubspot.edit("contacts", record_id, {"price": "cheap"})
    hubspot.sync("contacts")

    def noted() -> tuple[Any, Any, list[str]]:
        row = stored_rows(hubspot.warehouse, CONTACTS)[record_id,]
        fields = [note["field"] for note in row["sync_issues"] or ()]
        return row[COLUMN], row["properties"].get(COLUMN), fields

    others = noted()[2]
    assert "price" in others
    sandbox.hubspot.recalculate("contacts", [record_id], {COLUMN: "high"})
    assert refreshed(hubspot).counts.warnings >= 1
    assert noted() == (None, "high", [*others, COLUMN])
    sandbox.hubspot.recalculate("contacts", [record_id], {COLUMN: "7"})
    refreshed(hubspot)
    assert noted() == (Decimal(7), None, others)


def test_what_is_set_aside_is_marked_as_read_in_part(
    environment: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """A replay of it would otherwise empty the row; an entry with the whole record stays."""
    whole, part = sandbox.hubspot.ids("contacts")[:2]
    before = HubSpotSyncs()
    before.sync("contacts")
    before.close()
    environment.setenv("CRM_SYNC_HUBSPOT__MODE", "strict")
    hubspot = HubSpotSyncs()
    sandbox.clock.advance(3600)
    sandbox.hubspot.edit("contacts", whole, {COLUMN: "high", "city": "Elsewhere"})
    sandbox.clock.advance(60)
    hubspot.sync("contacts")
    sandbox.hubspot.recalculate("contacts", [part], {COLUMN: "high"})
    rows_before = stored_rows(hubspot.warehouse, CONTACTS)
    found = refreshed(hubspot)
    assert (found.status, found.counts.failed, found.counts.updated) == ("partial", 2, 0)
    with hubspot.warehouse.connection() as connection:
        entries = {one.record_id: one for one in quarantine.entries(connection)}
    assert entries[whole].record["properties"]["city"] == "Elsewhere"
    assert entries[part].stage == "parse"
    replayed = replay(hubspot.warehouse, CONTACTS, [entries[part]])
    assert (replayed.counts.failed, replayed.counts.updated) == (1, 0)
    assert "only calculated values were read" in replayed.refused[0][1]
    assert stored_rows(hubspot.warehouse, CONTACTS) == rows_before
    assert main(["refresh", "hubspot", "contacts"]) == exits.PARTIAL
    hubspot.close()


def test_a_row_the_warehouse_refuses_is_set_aside_alone(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    ids = sandbox.hubspot.ids("contacts")[:9]
    with hubspot.warehouse.connection() as connection:
        connection.execute(f"ALTER TABLE hubspot_contact ADD CHECK ({COLUMN} <> 666)")
        connection.commit()
    recalculate(sandbox, ids)
    recalculate(sandbox, ids[4:5], "666")
    found = refreshed(hubspot)
    assert (found.counts.updated, found.counts.failed) == (8, 1)
    with hubspot.warehouse.connection() as connection:
        (entry,) = quarantine.entries(connection)
    assert (entry.record_id, entry.stage) == (ids[4], "load")
    assert replay(hubspot.warehouse, CONTACTS, [entry]).counts.failed == 1


@pytest.mark.parametrize("encrypted_rest", [False, True], ids=["plain rest", "encrypted rest"])
def test_encrypted_values_are_refreshed_encrypted(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, encrypted_rest: bool
) -> None:
    environment.setenv("CRM_SYNC_ENCRYPTION_KEYS", new_key())
    for module in (definitions, world):
        environment.setattr(module, "CALCULATED", {*world.CALCULATED, "firstname"})
    hubspot = HubSpotSyncs()
    columns = tuple(
        rest(sensitive=encrypted_rest) if one.kind == "rest" else one for one in CONTACTS.columns
    )
    entity = replace(CONTACTS, columns=columns)
    settings = settings_for(hubspot.crm, CONTACTS)
    request = Request(hubspot.crm, entity, Flags(), settings)
    drain(begin(request, hubspot.client, hubspot.warehouse))
    ids = sandbox.hubspot.ids("contacts")[:6]
    before = stored_rows(hubspot.warehouse, entity)
    sandbox.hubspot.recalculate("contacts", ids, {"firstname": "Canary", IN_REST: "77"})
    assert refreshed(hubspot, entity).counts.updated == 6
    after = stored_rows(hubspot.warehouse, entity)
    assert {r for r, row in after.items() if row["firstname"] == "Canary"} >= {(i,) for i in ids}
    assert after[ids[0],]["properties"] == before[ids[0],]["properties"] | {IN_REST: "77"}
    (kept,) = rows(
        hubspot.warehouse, "SELECT count(*) FROM hubspot_contact AS c WHERE c::text ~ 'Canary'"
    )
    assert kept == (0,)
    (found,) = rows(
        hubspot.warehouse,
        "SELECT count(*) FROM hubspot_contact WHERE firstname_bidx = "
        "(SELECT firstname_bidx FROM hubspot_contact WHERE id = %s)",
        ids[0],
    )
    assert found == (6,)
    assert refreshed(hubspot, entity).counts.updated == 0
    hubspot.close()


def test_a_dry_run_counts_and_stores_nothing(hubspot: HubSpotSyncs, sandbox: Sandbox) -> None:
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts")[:130])
    before = stored_rows(hubspot.warehouse, CONTACTS)
    assert refreshed(hubspot, dry_run=True).counts.updated == 130
    assert stored_rows(hubspot.warehouse, CONTACTS) == before
    assert history(hubspot.warehouse)[-1]["configuration"]["dry_run"] is True
    assert refreshed(hubspot).counts.updated == 130


def test_a_refresh_keeps_to_the_lock_and_stops_when_it_was_declared_dead(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    with pytest.raises(UsageError, match="never synced completely"):
        refreshed(hubspot)
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts"))
    running = hubspot.begin("contacts")
    with pytest.raises(AlreadyRunning):
        refreshed(hubspot)
    abandon(running, KeyboardInterrupt())
    client: Any = hubspot.client
    read = client.values_of

    def reaped(*arguments: Any) -> Iterator[Any]:
        for number, page in enumerate(read(*arguments)):
            if number == 1:
                with hubspot.warehouse.connection() as connection:
                    connection.execute(
                        "UPDATE ingestion_sync_history SET status = 'failed', "
                        "end_time = now(), error_message = 'dead' WHERE status = 'running'"
                    )
                    connection.commit()
            yield page

    client.values_of = reaped
    with pytest.raises(Fenced):
        refreshed(hubspot)
    query = "SELECT count(*) FROM hubspot_contact WHERE hs_predictivecontactscore_v2 = 42"
    (stored,) = rows(hubspot.warehouse, query)
    assert stored == (100,)
    del client.values_of
    assert refreshed(hubspot).status == "success"
    assert wrong(sandbox, hubspot) == set()


def test_a_list_that_breaks_fails_the_refresh_and_keeps_what_was_stored(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts"))
    client: Any = hubspot.client
    read = client.values_of

    def breaks(*arguments: Any) -> Iterator[Any]:
        yield next(read(*arguments))
        raise SyncError("the line went dead")

    client.values_of = breaks
    with pytest.raises(SyncError, match="went dead"):
        refreshed(hubspot)
    row = history(hubspot.warehouse)[-1]
    assert (row["status"], row["records_updated"]) == ("failed", 100)
    assert row["error_message"] == "the line went dead"
    # It is no news of the last sync: nobody is told that contacts failed.
    with hubspot.warehouse.connection() as connection:
        assert last_sync(connection, registry.crm("hubspot"), CONTACTS).passed
    real = rows(hubspot.warehouse, f"SELECT status FROM ingestion_sync_history WHERE {REAL}")  # noqa: S608
    assert real == [("success",)]
    del client.values_of
    assert refreshed(hubspot).counts.updated == len(sandbox.hubspot.ids("contacts")) - 100


# The command line and Dagster


def test_the_command_refreshes_and_skips_with_a_word(
    hubspot: HubSpotSyncs, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts")[:3])
    capsys.readouterr()
    assert main(["refresh", "hubspot", "contacts", "--dry-run"]) == exits.SUCCESS
    assert "dry run: nothing was stored" in capsys.readouterr().out
    assert main(["refresh", "hubspot", "contacts", "tickets", "owners"]) == exits.SUCCESS
    said = capsys.readouterr().out.splitlines()
    assert ": 3 updated, " in said[0]
    assert said[1] == "hubspot.tickets: skipped, it keeps nothing that HubSpot calculates"
    assert said[2].startswith("hubspot.owners: skipped")
    assert wrong(sandbox, hubspot) == set()
    assert main(["history", "--trials", "--limit=1"]) == exits.SUCCESS
    assert "refresh" in capsys.readouterr().out
    assert main(["refresh", "hubspot", "deals"]) == exits.USAGE
    assert main(["refresh", "hubspot", "contacts", "deals"]) == exits.FAILED
    assert main(["refresh", "genius", "all"]) == exits.USAGE


def test_the_job_refreshes_and_its_schedule_is_off(
    hubspot: HubSpotSyncs, sandbox: Sandbox, tmp_path: Path
) -> None:
    hubspot.sync("contacts")
    recalculate(sandbox, sandbox.hubspot.ids("contacts")[:3])
    repository = build().get_repository_def()
    schedule = repository.get_schedule_def("hubspot_refresh")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert not repository.has_job("genius_refresh")
    job = build().resolve_job_def("hubspot_refresh")
    with instance_in(tmp_path) as instance:

        def launch(*entities: str) -> bool:
            config = {"ops": {"refresh_hubspot": {"config": {"entities": [*entities]}}}}
            return job.execute_in_process(
                run_config=config, instance=instance, raise_on_error=False
            ).success

        assert launch("contacts", "owners")
        (record,) = instance.fetch_observations(
            dg.AssetKey(["hubspot", "contacts"]), limit=1
        ).records
        assert record.asset_observation
        assert ": 3 updated" in str(record.asset_observation.metadata["refresh"].value)
        assert not launch("deals")
        assert not launch("contcats")
    assert wrong(sandbox, hubspot) == set()
