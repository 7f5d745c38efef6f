"""Rules about webhooks, each from its first sign until it is over, in alerts and health alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.proofs import Token
from crm_sync_assets.declarations.subscriptions import Setup
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.declarations.webhooks import Event, Happened, Webhooks
from crm_sync_assets.operations import alerts, webhook_rules
from crm_sync_assets.operations.channels import Channels
from crm_sync_assets.operations.findings import Finding
from crm_sync_assets.operations.health import examine
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.operations.webhook_rules import look_at_webhooks, senders_of
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse import webhook_events, webhook_tallies
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Received
from crm_sync_assets.warehouse.webhook_tallies import Refusal, Sort, Span
from crm_sync_assets_tests import past
from crm_sync_assets_tests.scripted import PEOPLE, THINGS

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ENTITIES = {entity.name: entity for entity in (PEOPLE, THINGS)}
SETTINGS = SyncSettings(fresh_hours=10_000)


def sender(**announces: set[Happened]) -> Mapping[str, Webhooks]:
    proof = Token(Variable("TEST_SECRET", "a secret", secret=True), header="x")
    told = {entity: frozenset(happened) for entity, happened in announces.items()}
    return {"test": Webhooks(proof, lambda *_: (), Setup("nowhere"), announces=told)}


PEOPLE_ALONE = sender(people={"created", "changed", "deleted"})


def look(
    warehouse: Warehouse,
    rule: str,
    *,
    senders: Mapping[str, Webhooks] = PEOPLE_ALONE,
    settings: SyncSettings = SETTINGS,
    refusals: int = 10,
    now: datetime = NOW,
) -> Sequence[Finding]:
    with warehouse.connection() as connection:
        found = look_at_webhooks(
            connection,
            ENTITIES,
            refusals=refusals,
            now=now,
            settings=lambda _: settings,
            senders=senders,
        )
    return [one for one in found.findings if one.rule == rule]


def heard(warehouse: Warehouse, ago: timedelta, *happened: str, entity: str = "people") -> None:
    at = NOW - ago
    with warehouse.connection() as connection:
        spans = {Sort("test", entity, one): Span(1, at, at) for one in happened}
        webhook_tallies.add_heard(connection, spans)
        connection.commit()


def up(warehouse: Warehouse, *ago: timedelta) -> None:
    with warehouse.connection() as connection:
        for one in ago:
            webhook_tallies.is_up(connection, ["test"], NOW - one)
        connection.commit()


def synced(
    warehouse: Warehouse, ago: timedelta, *, strategy: str = "incremental", **values: Any
) -> None:
    """A complete sync of people that began `ago`, and brought two more records if none is said."""
    started = NOW - ago
    counts = {"records_created": 2, "records_processed": 5, "deleted": 0, **values}
    deleted = counts.pop("deleted")
    past.add(
        warehouse,
        **{
            "start_time": started,
            "end_time": started + MINUTE,
            "watermark": started,
            "configuration": {"strategy": strategy},
            "performance_metrics": {"deleted": deleted},
            **counts,
        },
    )


# Silent


def test_a_source_that_tells_nothing_while_syncs_bring_changes(warehouse: Warehouse) -> None:
    heard(warehouse, 8 * HOUR, "created")
    up(warehouse, timedelta(days=2), HOUR, MINUTE)
    synced(warehouse, 9 * HOUR)
    synced(warehouse, 7.5 * HOUR)
    assert not look(warehouse, "webhook_silent"), "it may have come about before the last delivery"
    synced(warehouse, 6 * HOUR)
    assert not look(warehouse, "webhook_silent"), "one sync proves little"
    synced(warehouse, 5 * HOUR, records_created=0, records_updated=3)
    assert not look(warehouse, "webhook_silent"), "no change was ever told of here"
    synced(warehouse, 4 * HOUR, kind="filtered")
    synced(warehouse, 20 * MINUTE)
    assert not look(warehouse, "webhook_silent"), "it may be told of late"
    synced(warehouse, 2 * HOUR)
    [silent] = look(warehouse, "webhook_silent")
    assert (silent.subject, silent.since, silent.size) == ("test.people", NOW - 8 * HOUR, 4)
    assert silent.what.startswith("webhooks have told nothing of test.people since ")
    assert "2 syncs brought 4 changes that test should have told of" in silent.what
    assert "receiver" not in silent.what
    more = SETTINGS.model_copy(update={"webhook_silence_hours": 9})
    never = SETTINGS.model_copy(update={"webhook_silence_hours": 0})
    assert not look(warehouse, "webhook_silent", settings=more)
    assert not look(warehouse, "webhook_silent", settings=never)
    assert not look(warehouse, "webhook_silent", senders={}), "its secret is not set"
    heard(warehouse, MINUTE, "created")
    assert not look(warehouse, "webhook_silent")


@pytest.mark.parametrize(
    ("happened", "values", "is_silent"),
    [
        ("created", {"records_created": 1}, True),
        ("created", {"records_created": 0, "records_updated": 9}, False),
        ("changed", {"records_created": 9, "records_updated": 0}, False),
        ("changed", {"records_created": 0, "records_updated": 1}, True),
        ("changed", {"records_created": 0, "records_updated": 3, "deleted": 3}, False),
        ("deleted", {"records_created": 0, "records_updated": 3, "deleted": 3}, True),
        ("deleted", {"records_created": 9, "records_updated": 9}, False),
        ("linked", {"records_created": 9, "records_updated": 9, "deleted": 9}, False),
    ],
)
def test_only_what_it_tells_of_is_missed(
    warehouse: Warehouse, happened: str, values: dict[str, Any], is_silent: bool
) -> None:
    heard(warehouse, 8 * HOUR, happened)
    for ago in (7, 6, 5):
        synced(warehouse, ago * HOUR, **values)
    assert bool(look(warehouse, "webhook_silent")) is is_silent
    assert not look(warehouse, "webhook_silent", senders=sender(things={"created"}))
    assert not look(warehouse, "webhook_silent", senders=sender())


def test_a_full_read_finds_what_may_be_old_unless_all_reads_are_full(warehouse: Warehouse) -> None:
    both = sender(people={"created"}, things={"created"})
    for entity in ("people", "things"):
        heard(warehouse, 8 * HOUR, "created", entity=entity)
        for ago in (7, 6, 5):
            synced(warehouse, ago * HOUR, strategy="full", sync_type=entity)
    found = look(warehouse, "webhook_silent", senders=both)
    assert [one.subject for one in found] == ["test.things"]


def test_a_crm_that_never_told_anything_counts_from_its_receiver(warehouse: Warehouse) -> None:
    for ago in (9, 8, 7, 6, 5, 4):
        synced(warehouse, ago * HOUR)
    assert not look(warehouse, "webhook_silent"), "no receiver was ever set up"
    up(warehouse, 5.5 * HOUR, MINUTE)
    assert not look(warehouse, "webhook_silent"), "it was set up five hours ago"
    short = SETTINGS.model_copy(update={"webhook_silence_hours": 3})
    assert not look(warehouse, "webhook_silent", settings=short), "one sync since then"
    synced(warehouse, 3 * HOUR)
    [silent] = look(warehouse, "webhook_silent", settings=short)
    assert (silent.subject, silent.since) == ("test", NOW - 5.5 * HOUR)
    assert "have told nothing at all since" in silent.what
    heard(warehouse, MINUTE, "created", entity="")
    assert not look(warehouse, "webhook_silent", settings=short), "it tells of something"


def test_that_no_receiver_is_up_is_said(warehouse: Warehouse) -> None:
    heard(warehouse, 8 * HOUR, "created")
    up(warehouse, 9 * HOUR, 7 * HOUR)
    for ago in (6, 5, 4):
        synced(warehouse, ago * HOUR)
    [silent] = look(warehouse, "webhook_silent")
    assert f"no receiver has been up since {NOW - 7 * HOUR:%Y-%m-%d %H:%M} UTC" in silent.what


def test_what_is_announced_is_an_entity_that_deltas_bring() -> None:
    for name, crm in registry.crms().items():
        known = {entity.sync_type for entity in registry.entities(name)}
        announced = crm.webhooks.announces if crm.webhooks else {}
        assert set(announced) <= known
        for happened in announced.values():
            assert happened
            assert happened <= {"created", "changed", "deleted"}, "no other is counted"


def test_who_is_expected_is_who_has_a_secret(environment: pytest.MonkeyPatch) -> None:
    entities = {**registry.all_active(), **ENTITIES}
    assert senders_of(entities) == {}
    environment.setenv("CALLRAIL_WEBHOOK_KEY_FILE", "/nowhere")
    assert set(senders_of(entities)) == {"callrail"}


# Refused


def refuse(warehouse: Warehouse, ago: timedelta, count: int, reason: str = "wrong") -> None:
    at = NOW - ago
    with warehouse.connection() as connection:
        webhook_tallies.add_refused(connection, {Refusal("test", reason): Span(count, at, at)})
        connection.commit()


def test_deliveries_that_are_refused_again_and_again(warehouse: Warehouse) -> None:
    refuse(warehouse, 30 * HOUR, 50)
    refuse(warehouse, 10 * HOUR, 4)
    refuse(warehouse, 2 * HOUR, 5)
    assert not look(warehouse, "webhook_refused")
    refuse(warehouse, HOUR, 1, "signed too long ago")
    [refused] = look(warehouse, "webhook_refused")
    assert (refused.subject, refused.size) == ("test", 10)
    assert "10 deliveries to test's address were not proven within a day" in refused.what
    assert "(wrong: 9, signed too long ago: 1)" in refused.what
    assert not look(warehouse, "webhook_refused", refusals=11)
    later = NOW + 5.5 * HOUR
    assert not look(warehouse, "webhook_refused", now=later), "none for six hours"


# Given up and waiting


def tell(warehouse: Warehouse, *keys: str, source: str = "test", **values: Any) -> None:
    received = [
        Received(source, Event(key, "x", *values.get("about", ("people", (key,))), unread=
                               values.get("unread", False), why=values.get("why")))
        for key in keys
    ]  # fmt: skip
    with warehouse.connection() as connection:
        webhook_events.add(connection, received, None)
        connection.commit()


def change(warehouse: Warehouse, what: str) -> None:
    with warehouse.connection() as connection:
        connection.execute(f"UPDATE ingestion_webhook_event SET {what}")  # type: ignore[arg-type]  # noqa: S608
        connection.commit()


def test_events_that_were_given_up_wait_for_somebody(warehouse: Warehouse) -> None:
    tell(warehouse, "1", "2")
    assert not look(warehouse, "webhook_failed")
    change(
        warehouse,
        "status = 'failed', processed_at = now(), "
        "error_message = 'answered 500 to ann@example.com'",
    )
    [failed] = look(warehouse, "webhook_failed")
    assert (failed.subject, failed.size) == ("test.people", 2)
    assert failed.what.startswith("2 events of webhooks were given up; the newest: answered 500")
    assert "ann@example.com" not in failed.what
    assert failed.advice.endswith("crm-sync webhooks replay --crm test --entity people")
    with warehouse.connection() as connection:
        webhook_events.again(connection)
    assert not look(warehouse, "webhook_failed")


def test_what_could_not_be_read_is_told_of_for_a_week(warehouse: Warehouse) -> None:
    """No replay could mend it."""
    tell(warehouse, "1", about=(None, ()), unread=True, why="it cannot be read (ValueError)")
    [failed] = look(warehouse, "webhook_failed")
    assert failed.subject == "test"
    assert failed.advice == "crm-sync webhooks list --crm test --status failed"
    change(warehouse, "received_at = now() - interval '8 days'")
    assert not look(warehouse, "webhook_failed")


def test_events_that_nobody_reads(warehouse: Warehouse) -> None:
    tell(warehouse, "1")
    change(warehouse, "received_at = now() - interval '3 hours'")
    tell(warehouse, "2")
    [waits] = look(warehouse, "webhook_pending")
    assert (waits.subject, waits.size) == ("test.people", 2)
    assert waits.what.startswith("2 events of webhooks wait since ")
    assert "nobody reads what they name" in waits.what
    more = SETTINGS.model_copy(update={"webhook_wait_hours": 4})
    never = SETTINGS.model_copy(update={"webhook_wait_hours": 0})
    assert not look(warehouse, "webhook_pending", settings=more)
    assert not look(warehouse, "webhook_pending", settings=never)
    change(warehouse, "next_attempt_at = now() + interval '1 hour', error_message = 'answered 500'")
    [waits] = look(warehouse, "webhook_pending")
    assert waits.what.endswith("reading what 2 of them named failed: answered 500")
    change(warehouse, "status = 'done'")
    assert not look(warehouse, "webhook_pending")
    with warehouse.connection() as connection:
        webhook_events.again(connection, number=1)
    assert not look(warehouse, "webhook_pending"), "it waits since it was put back"


def open_now(warehouse: Warehouse) -> list[str]:
    """The rules of webhooks that alerts have open after an evaluation; health must agree."""
    done = alerts.evaluate(
        warehouse,
        Channels(),
        ENTITIES,
        silence=1000 * HOUR,
        limits=Limits(rate_limit_hits=50, failure_rate=0.5, failure_syncs=100),
        repeat=24 * HOUR,
        settings=lambda _: SETTINGS,
        now=NOW,
    )
    return [one.rule for one in done.open if one.rule.startswith("webhook_")]


def problems(warehouse: Warehouse, crm: str | None) -> list[str]:
    with warehouse.connection() as connection:
        found = examine(connection, ENTITIES, crm=crm, now=NOW).problems
    return [str(one) for one in found if "webhooks" in str(one) or "proven" in str(one)]


def test_alerts_and_health_tell_of_all_of_it_until_it_is_over(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_rules, "senders_of", lambda _: PEOPLE_ALONE)
    assert open_now(warehouse) == []
    heard(warehouse, 8 * HOUR, "created")
    for ago in (7, 6, 5):
        synced(warehouse, ago * HOUR)
    refuse(warehouse, HOUR, 10)
    tell(warehouse, "1")
    change(warehouse, "status = 'failed', processed_at = now(), error_message = 'no'")
    tell(warehouse, "2")
    change(warehouse, "received_at = now() - interval '3 hours'")
    names = ["webhook_silent", "webhook_refused", "webhook_failed", "webhook_pending"]
    assert open_now(warehouse) == names
    assert len(problems(warehouse, None)) == 4
    assert len(problems(warehouse, "test")) == 4
    assert problems(warehouse, "other") == []
    heard(warehouse, MINUTE, "created")
    change(warehouse, "status = 'done'")
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_webhook_refusal")
        connection.commit()
    assert open_now(warehouse) == []
    assert problems(warehouse, None) == []


def test_while_a_sync_runs_nobody_says_whether_events_wait_in_vain(warehouse: Warehouse) -> None:
    tell(warehouse, "1")
    change(warehouse, "received_at = now() - interval '3 hours'")
    running = past.add(warehouse, start_time=NOW, end_time=None, heartbeat=NOW, status="running")
    assert open_now(warehouse) == [], "it may be a long one"
    ended = "UPDATE ingestion_sync_history SET status = 'success', end_time = now() WHERE id = %s"
    with warehouse.connection() as connection:
        connection.execute(ended, (running,))
        connection.commit()
    assert open_now(warehouse) == ["webhook_pending"]
    past.add(warehouse, start_time=NOW, end_time=None, heartbeat=NOW, status="running")
    assert open_now(warehouse) == ["webhook_pending"], "it is not over either"


def test_other_entities_of_the_crm_are_left_alone(warehouse: Warehouse) -> None:
    """Nobody may have asked to be told of them."""
    everything = sender(people={"created"}, things={"created"})
    heard(warehouse, MINUTE, "created", entity="things")
    for ago in (7, 6, 5):
        synced(warehouse, ago * HOUR)
    up(warehouse, 9 * HOUR)
    assert not look(warehouse, "webhook_silent", senders=everything)
