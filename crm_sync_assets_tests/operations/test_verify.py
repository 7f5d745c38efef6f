"""Do I have everything? What is missing, stale or extra is found, named and mended narrowly."""

# ruff: noqa: S608  tables and ids of the test's own

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.cli import exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.declarations.entity import Key
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.definitions import build
from crm_sync_assets.errors import AlreadyRunning, FatalError, Refused, TransientError, UsageError
from crm_sync_assets.operations import verify as module
from crm_sync_assets.operations.health import _violations
from crm_sync_assets.operations.verified import Verification
from crm_sync_assets.operations.verify import can_verify, verify
from crm_sync_assets.rows.outline import asked_for
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import instance_in
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    SETTINGS,
    START,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    sync,
)
from crm_sync_assets_tests.truth import HubSpotSyncs, entity_differences


class VerifiableClient(FakeClient):
    """The scripted client, with its records by key too; `asked_keys` keeps what was asked for."""

    asked_keys: list[Key]
    before_key: Callable[[], None] = staticmethod(lambda: None)

    def outline(self, read: Read, usage: Usage) -> Iterator[Page]:
        return self.pages(read, usage)

    def by_key(self, read: Read, keys: Sequence[Key], usage: Usage) -> Iterator[Page]:
        self.before_key()
        self.asked_keys = [*getattr(self, "asked_keys", []), *keys]
        return asked_for(iter([Page(self.records, {})]), read.entity, keys)


def client(count: int = 300, **options: Any) -> VerifiableClient:
    """People last changed in 2026, at a source whose clock says a day later."""
    options.setdefault("now", START + timedelta(days=1))
    return VerifiableClient([person(n) for n in range(count)], **options)


def run(warehouse: Warehouse, source: Any, entity: Any = PEOPLE, **options: Any) -> Verification:
    return verify(warehouse, entity, source, SETTINGS, **options)


def change(warehouse: Warehouse, *statements: Any) -> None:
    with warehouse.connection() as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def found(verification: Verification) -> set[tuple[str, str, bool, bool]]:
    return {("/".join(f.key), f.kind, f.dated, f.repaired) for f in verification.findings}


SPOIL = (
    "DELETE FROM test_people WHERE id = '7'",
    "UPDATE test_people SET modified = modified - interval '1 day', name = 'old' WHERE id = '8'",
    "INSERT INTO test_people (id, name, modified) VALUES ('ghost', 'Ghost', '2020-01-01')",
    "UPDATE test_people SET deleted_at = now() WHERE id = '9'",
)


# The engine


def test_what_differs_is_named_and_only_that_is_read_again(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    mark = sync_history_watermark(warehouse)
    change(warehouse, *SPOIL)
    seen = run(warehouse, source)
    assert found(seen) == {
        ("7", "missing", True, False),
        ("8", "stale", True, False),
        ("9", "missing", False, False),
        ("ghost", "extra", False, False),
    }
    assert (seen.there, seen.here) == (300, 299)
    assert (seen.status, seen.verified_through) == ("failed", None)
    assert "7" not in people(warehouse), "nothing is mended unless asked for"
    source.asked_keys = []
    mended = run(warehouse, source, repair=True)
    assert {key for (key,) in source.asked_keys} == {"7", "8", "9", "ghost"}
    assert all(finding.repaired for finding in mended.findings)
    assert mended.verified_through == mark
    assert people(warehouse) == {str(n): f"Person {n}" for n in range(300)}
    clean = run(warehouse, source)
    assert (clean.findings, clean.status, clean.verified_through) == ([], "success", mark)


def test_a_repair_that_the_warehouse_refuses_is_set_aside(warehouse: Warehouse) -> None:
    source = client(20)
    sync(warehouse, source)
    change(
        warehouse,
        "DELETE FROM test_people WHERE id IN ('7', '8')",
        "ALTER TABLE test_people ADD CONSTRAINT no_seven CHECK (id <> '7')",
    )
    mended = run(warehouse, source, repair=True)
    assert {f.key[0]: f.repaired for f in mended.findings} == {"7": False, "8": True}
    assert "8" in people(warehouse)
    assert rows(
        warehouse, "SELECT record_id, stage, payload::jsonb ->> 'name' FROM ingestion_quarantine"
    ) == [("7", "load", "Person 7")]


def sync_history_watermark(warehouse: Warehouse) -> datetime | None:
    with warehouse.connection() as connection:
        return sync_history.past(connection, PEOPLE).watermark


def test_a_verification_is_a_trial_in_history_and_moves_nothing(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    mark = sync_history_watermark(warehouse)
    change(warehouse, *SPOIL)
    run(warehouse, source)
    run(warehouse, source, repair=True)
    _, failed, mended = history(warehouse)
    assert (failed["status"], mended["status"]) == ("failed", "success")
    assert "2 missing, 1 stale, 1 extra" in failed["error_message"]
    assert (failed["reason"], mended["reason"]) == ("data", None)
    for row in (failed, mended):
        assert row["configuration"]["verify"] is True
        assert row["configuration"]["trial"] is True
        assert row["kind"] == "verify"
        assert (row["watermark"], row["checkpoint"]) == (None, None)
    metrics = mended["performance_metrics"]
    assert metrics["verified_through"] == mark.isoformat() if mark else False
    assert (metrics["missing"], metrics["stale"], metrics["extra"]) == (2, 1, 1)
    assert (mended["records_created"], mended["records_updated"]) == (1, 3)
    assert failed["performance_metrics"]["verified_through"] is None
    assert sync_history_watermark(warehouse) == mark
    with warehouse.connection() as connection:
        assert _violations(connection, {PEOPLE.name: PEOPLE}, None) == []


def test_a_row_that_a_repair_could_not_bring_back_is_not_called_repaired(
    warehouse: Warehouse,
) -> None:
    """It is held as deleted in a version newer than the one that is live there."""
    source = client()
    sync(warehouse, source)
    change(
        warehouse,
        "UPDATE test_people SET deleted_at = now(), modified = modified + interval '6 hours' "
        "WHERE id = '3'",
        "UPDATE test_people SET deleted_at = now(), modified = '2400-01-01' WHERE id = '4'",
    )
    seen = run(warehouse, source, repair=True)
    assert found(seen) == {("3", "missing", False, False), ("4", "missing", False, True)}
    assert {"3"} <= {
        row[0] for row in rows(warehouse, "SELECT id FROM test_people WHERE deleted_at IS NOT NULL")
    }, "the newer version stays"
    assert people(warehouse)["4"] == "Person 4", "nothing is newer than a date nobody can mean"
    assert seen.left


def test_what_changed_since_the_last_sync_is_no_finding(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    later = int(timedelta(days=2).total_seconds())
    source.records[3] = person(3, at=later, name="edited")
    source.records.append(person("new", at=later))
    change(
        warehouse,
        "INSERT INTO test_people (id, modified) VALUES ('stored later', '2026-03-01')",
    )
    seen = run(warehouse, source, repair=True)
    assert (seen.findings, seen.status) == ([], "success")
    assert not hasattr(source, "asked_keys"), "nor is it asked for"
    assert people(warehouse)["3"] == "Person 3", "that is for the next delta"


def test_what_changes_while_it_compares_is_no_finding(warehouse: Warehouse) -> None:
    """Between the list and the second look: edited, deleted, and back again."""
    source = client()
    sync(warehouse, source)
    change(
        warehouse,
        "UPDATE test_people SET modified = '2020-01-01' WHERE id IN ('1', '2')",
        "DELETE FROM test_people WHERE id = '4'",
    )
    back = source.records.pop(5)
    later = int(timedelta(days=2).total_seconds())

    def meanwhile() -> None:
        gone = {"2", "4"}
        source.records = [r for r in source.records if r["id"] not in gone] + [back]
        source.records[1] = person(1, at=later)

    source.before_key = meanwhile
    assert run(warehouse, source).findings == []


def test_a_record_in_quarantine_is_not_missing(warehouse: Warehouse) -> None:
    source = client()
    source.records[5] = person(5, balance="no number")
    sync(warehouse, source, settings=SETTINGS.model_copy(update={"mode": "strict"}))
    assert rows(warehouse, "SELECT record_id FROM ingestion_quarantine") == [("5",)]
    seen = run(warehouse, source)
    assert (seen.findings, seen.quarantined) == ([], 1)


def test_records_that_do_not_say_when_they_changed_are_compared_by_key(
    warehouse: Warehouse,
) -> None:
    source = VerifiableClient([{"id": str(n), "name": "x"} for n in range(50)])
    sync(warehouse, source, THINGS)
    change(
        warehouse,
        "DELETE FROM test_things WHERE id = '7'",
        "INSERT INTO test_things (id) VALUES ('ghost')",
    )
    seen = run(warehouse, source, THINGS)
    assert found(seen) == {("7", "missing", False, False), ("ghost", "extra", False, False)}
    assert seen.status == "partial", "both may have come about since the last sync"
    assert seen.verified_through is not None
    run(warehouse, source, THINGS, repair=True)
    assert run(warehouse, source, THINGS).status == "success"


def test_a_list_that_breaks_off_proves_nothing(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)

    def fails(start: int) -> None:
        if start == 200:
            raise TransientError("the source is away")

    source.before_page = fails
    with pytest.raises(TransientError):
        run(warehouse, source, repair=True)
    row = history(warehouse)[-1]
    assert (row["status"], row["error_message"]) == ("failed", "the source is away")
    assert len(people(warehouse)) == 300
    source.before_page = lambda _: None
    assert run(warehouse, source).status == "success", "and the entity is free again"


def test_a_source_that_is_silent_about_a_record_proves_nothing(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    change(warehouse, *SPOIL)
    source.by_key = lambda *_: iter([Page([], {})])  # type: ignore[method-assign]
    with pytest.raises(FatalError, match="short read: the source said nothing about 7"):
        run(warehouse, source, repair=True)


def test_a_record_that_is_not_shown_to_us_is_no_finding(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    change(warehouse, *SPOIL)
    source.by_key = lambda _, keys, __: iter([Page([], {}, kept=keys)])  # type: ignore[method-assign]
    assert found(run(warehouse, source, repair=True)) == set()


@pytest.mark.parametrize("repair", [False, True])
def test_what_is_kept_though_it_is_listed_no_more_is_no_finding(
    warehouse: Warehouse, repair: bool
) -> None:
    kept = replace(PEOPLE, absent="kept")
    source = client(30)
    sync(warehouse, source, entity=kept)
    source.records = source.records[5:]
    verification = run(warehouse, source, kept, repair=repair)
    assert (verification.status, found(verification)) == ("success", set())
    assert len(people(warehouse)) == 30


def test_a_repair_that_would_delete_too_much_is_refused(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    source.records = source.records[:200]
    with pytest.raises(Refused, match="100 of 300 live rows"):
        run(warehouse, source, repair=True)
    assert len(people(warehouse)) == 300


def test_too_many_differences_are_counted_and_not_asked_for(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FINDINGS", 50)
    source = client()
    sync(warehouse, source)
    change(warehouse, "DELETE FROM test_people")
    seen = run(warehouse, source)
    assert (len(seen.findings), seen.unchecked) == (50, 250)
    assert (seen.status, seen.verified_through) == ("failed", None)
    assert "250 more" in seen.summary()
    run(warehouse, source, repair=True)
    assert len(people(warehouse)) == 50


def test_a_newer_stored_version_is_not_overwritten_by_a_repair(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    change(
        warehouse,
        "UPDATE test_people SET modified = modified + interval '1 hour', name = 'newer', "
        "deleted_at = now() WHERE id = '3'",
    )
    run(warehouse, source, repair=True)
    assert rows(warehouse, "SELECT name FROM test_people WHERE id = '3'") == [("newer",)]


def test_the_summary_says_what_was_left_out_so_that_its_numbers_add_up(
    warehouse: Warehouse,
) -> None:
    """ "21 records there, 10420 here; nothing differs" left the reader to guess."""
    source = client()
    sync(warehouse, source)
    later = START + timedelta(days=3)
    change(
        warehouse,
        "INSERT INTO test_people (id, name, modified) SELECT 'late' || n, 'L', "
        f"'{later.isoformat()}' FROM generate_series(1, 30) AS n",
    )
    source.records = [*source.records[1:], *(person(n, at=999_999) for n in (0, 300, 301))]
    source.records += [person(n, at=999_999) for n in (1, 2)]
    seen = run(warehouse, source)
    assert (seen.there, seen.here, seen.findings) == (302, 330, [])
    assert seen.there - seen.newer["missing"] == seen.here - seen.newer["extra"] == 300
    assert seen.summary() == (
        "302 records there, 330 here; nothing differs; 35 (30 here only, 2 there only, 3 both) "
        f"changed after {seen.through:%Y-%m-%d %H:%M:%S} UTC, up to which the last complete sync "
        "speaks, and were left out"
    )
    assert history(warehouse)[-1]["performance_metrics"]["left_out"] == 35


def test_the_summary_says_what_differed_no_more_and_what_is_in_quarantine(
    warehouse: Warehouse,
) -> None:
    source = client()
    sync(warehouse, source)
    change(
        warehouse,
        "DELETE FROM test_people WHERE id IN ('5', '7')",
        "INSERT INTO ingestion_quarantine "
        "(crm_source, sync_type, record_id, stage, reason, payload)"
        " VALUES ('test', 'people', '7', 'load', 'no', '{}')",
        "INSERT INTO test_people (id, name) VALUES ('300', 'Came back')",
    )

    def now_it_is_there() -> None:
        source.records.append(person(300, at=999_999))

    source.before_key = now_it_is_there
    seen = run(warehouse, source)
    assert [f.key for f in seen.findings] == [("5",)]
    assert seen.there - seen.here == 300 - 299 == 1 + 1 - 1, "a finding, a quarantined, a settled"
    assert "1 (1 there only) differ because they are in quarantine" in seen.summary()
    assert "1 (1 here only) differed no more when asked for one by one" in seen.summary()


def test_nothing_to_compare_with_is_said(warehouse: Warehouse) -> None:
    with pytest.raises(UsageError, match="never synced completely"):
        run(warehouse, client())
    plain = FakeClient()
    assert not can_verify(PEOPLE, plain)
    assert not can_verify(PEOPLE_REMOVAL, client())
    with pytest.raises(UsageError, match="nothing to compare it with"):
        run(warehouse, plain)
    assert history(warehouse) == []


def test_a_running_sync_is_not_disturbed(warehouse: Warehouse) -> None:
    source = client()
    sync(warehouse, source)
    with warehouse.connection() as connection:
        sync_history.lock(connection, PEOPLE)
        with pytest.raises(AlreadyRunning):
            run(warehouse, source)
        sync_history.unlock(connection, PEOPLE)


# HubSpot


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[HubSpotSyncs]:
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def compared(hubspot: HubSpotSyncs, name: str, **options: Any) -> Verification:
    entity = registry.entity(f"hubspot.{name}")
    settings = settings_for(hubspot.crm, entity)
    return verify(hubspot.warehouse, entity, hubspot.client, settings, **options)


def requests(sandbox: Sandbox) -> int:
    return len(sandbox.ledger.entries)


def test_contacts_are_compared_by_the_list_and_mended_by_id(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    sandbox.clock.advance(3600)
    hubspot.sync("contacts")
    lost, old, back, archived, purged, merged, loser = sandbox.hubspot.ids("contacts")[10:17]
    change(
        hubspot.warehouse,
        f"DELETE FROM hubspot_contact WHERE id = '{lost}'",
        "UPDATE hubspot_contact SET lastmodifieddate = lastmodifieddate - interval '1 day', "
        f"city = 'Long Ago' WHERE id = '{old}'",
        "INSERT INTO hubspot_contact (id, lastmodifieddate) VALUES ('123456', '2020-01-01')",
        f"UPDATE hubspot_contact SET deleted_at = now(), archived = true WHERE id = '{back}'",
    )
    sandbox.hubspot.purge("contacts", purged)
    # The next delta brings these.
    sandbox.hubspot.archive("contacts", archived)
    sandbox.hubspot.merge("contacts", merged, loser)
    sandbox.hubspot.edit("contacts", sandbox.hubspot.ids("contacts")[0], {"city": "Now"})
    sandbox.hubspot.create("contacts", {"city": "New"})
    seen = compared(hubspot, "contacts")
    # When a record was merged away or deleted for good, HubSpot does not say.
    assert found(seen) == {
        (merged, "extra", False, False),
        (loser, "extra", False, False),
        (lost, "missing", True, False),
        (old, "stale", True, False),
        (back, "missing", False, False),
        ("123456", "extra", False, False),
        (purged, "extra", False, False),
    }
    before = requests(sandbox)
    listed = -(-len(sandbox.hubspot.ids("contacts")) // 100)
    mended = compared(hubspot, "contacts", repair=True)
    assert requests(sandbox) - before <= listed + 2 + 4, "the list, a batch or two, and the gone"
    assert all(finding.repaired for finding in mended.findings)
    assert compared(hubspot, "contacts").findings == []
    sandbox.clock.advance(60)
    hubspot.sync("contacts")
    assert (
        list(
            entity_differences(
                sandbox, hubspot.warehouse, registry.entity("hubspot.contacts"), True
            )
        )
        == []
    )


def test_an_archived_record_that_is_live_here_is_found_and_marked(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    hubspot.sync("contacts")
    (record_id,) = sandbox.hubspot.ids("contacts")[3:4]
    sandbox.hubspot.archive("contacts", record_id)
    sandbox.clock.advance(3600)
    hubspot.sync("contacts")
    change(
        hubspot.warehouse,
        f"UPDATE hubspot_contact SET deleted_at = NULL, archived = false WHERE id = '{record_id}'",
    )
    assert found(compared(hubspot, "contacts")) == {(record_id, "extra", True, False)}
    compared(hubspot, "contacts", repair=True)
    stored = rows(
        hubspot.warehouse,
        "SELECT archived, deleted_at IS NOT NULL FROM hubspot_contact WHERE id = %s",
        record_id,
    )
    assert stored == [(True, True)]
    assert compared(hubspot, "contacts").status == "success"


def test_pairs_are_compared_and_mended_pair_by_pair(
    hubspot: HubSpotSyncs, sandbox: Sandbox
) -> None:
    name, table = "associations_contact_deal", "hubspot_contact_deal_assoc"
    hubspot.sync("contacts")
    hubspot.sync("deals")
    hubspot.sync(name)
    assert compared(hubspot, name).status == "success"
    ((of, to),) = rows(hubspot.warehouse, f"SELECT contact_id, deal_id FROM {table} LIMIT 1")
    change(
        hubspot.warehouse,
        f"DELETE FROM {table} WHERE contact_id = '{of}' AND deal_id = '{to}'",
        f"INSERT INTO {table} (contact_id, deal_id) VALUES ('{of}', 'nothing')",
    )
    seen = compared(hubspot, name)
    assert found(seen) == {
        (f"{of}/{to}", "missing", False, False),
        (f"{of}/nothing", "extra", False, False),
    }
    before = requests(sandbox)
    compared(hubspot, name, repair=True)
    parents = rows(hubspot.warehouse, "SELECT count(*) FROM hubspot_contact WHERE NOT archived")
    assert requests(sandbox) - before <= -(-parents[0][0] // 1_000) + 1
    assert compared(hubspot, name).status == "success"
    entity = registry.entity(f"hubspot.{name}")
    assert list(entity_differences(sandbox, hubspot.warehouse, entity, True)) == []


@pytest.mark.parametrize("name", ["owners", "pipeline_stages", "zipcodes"])
def test_what_is_read_whole_is_compared_too(hubspot: HubSpotSyncs, name: str) -> None:
    hubspot.sync(name)
    entity = registry.entity(f"hubspot.{name}")
    assert compared(hubspot, name).status == "success"
    key = entity.key[-1].name
    change(
        hubspot.warehouse,
        f"DELETE FROM {entity.table} WHERE ctid = (SELECT min(ctid) FROM {entity.table})",
        f"UPDATE {entity.table} SET {key} = 'ghost' "
        f"WHERE ctid = (SELECT min(ctid) FROM {entity.table})",
    )
    seen = compared(hubspot, name, repair=True)
    assert (seen.count("missing"), seen.count("extra")) == (2, 1)
    assert compared(hubspot, name).status == "success"


def test_every_entity_of_a_fresh_sync_is_verified(hubspot: HubSpotSyncs) -> None:
    hubspot.all()
    for entity in registry.entities("hubspot"):
        if can_verify(entity, hubspot.client):
            seen = compared(hubspot, entity.sync_type)
            assert (seen.findings, seen.there) == ([], seen.here), entity
            assert seen.there > 0


# The command line and Dagster


def test_the_command_names_mends_and_says_by_its_exit_status(
    hubspot: HubSpotSyncs, capsys: pytest.CaptureFixture[str]
) -> None:
    hubspot.sync("tickets")
    change(hubspot.warehouse, "DELETE FROM hubspot_ticket WHERE id = (SELECT min(id) FROM "
           "hubspot_ticket WHERE NOT archived)")  # fmt: skip
    capsys.readouterr()
    assert main(["verify", "hubspot", "tickets"]) == exits.FAILED
    said = capsys.readouterr().out
    assert "hubspot.tickets: not verified" in said
    assert "  missing " in said
    assert main(["verify", "hubspot", "tickets", "--repair", "--json"]) == exits.SUCCESS
    (told,) = json.loads(capsys.readouterr().out)
    assert [f["repaired"] for f in told["findings"]] == [True]
    assert told["verified_through"]
    assert main(["verify", "hubspot", "tickets"]) == exits.SUCCESS
    assert "nothing differs" in capsys.readouterr().out
    assert main(["verify", "hubspot", "contacts"]) == exits.USAGE
    assert main(["verify", "hubspot", "contacts_removal"]) == exits.USAGE


def test_the_job_leaves_verified_through_on_the_asset(
    hubspot: HubSpotSyncs, tmp_path: Path
) -> None:
    hubspot.sync("tickets")
    hubspot.sync("owners")
    change(hubspot.warehouse, "DELETE FROM hubspot_ticket WHERE id = (SELECT min(id) FROM "
           "hubspot_ticket WHERE NOT archived)")  # fmt: skip
    job = build().resolve_job_def("hubspot_verify")
    with instance_in(tmp_path) as instance:

        def launch(**config: Any) -> dg.ExecuteInProcessResult:
            return job.execute_in_process(
                run_config={"ops": {"verify_hubspot": {"config": config}}},
                instance=instance,
                raise_on_error=False,
            )

        assert not launch(entities=["tickets", "owners"]).success
        assert launch(entities=["tickets", "owners"], repair=True).success
        records = instance.fetch_observations(dg.AssetKey(["hubspot", "tickets"]), limit=2).records
        newest, before = (r.asset_observation.metadata for r in records if r.asset_observation)
        assert before["verified_through"].value == "not verified"
        moment = float(newest["verified_through"].value)  # type: ignore[arg-type]
        assert datetime.fromtimestamp(moment, UTC) == _watermark(hubspot.warehouse)
        assert not launch(entities=["tikcets"]).success


def _watermark(warehouse: Warehouse) -> datetime:
    with warehouse.connection() as connection:
        mark = sync_history.past(connection, registry.entity("hubspot.tickets")).watermark
    assert mark is not None
    return mark
