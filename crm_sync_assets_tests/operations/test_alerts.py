"""Alerts: once per incident, to somebody who takes them, and a word when it is over."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest

from crm_sync_assets import redaction
from crm_sync_assets.cli import COMMANDS, exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.definitions import build
from crm_sync_assets.engine.run import abandon, drain
from crm_sync_assets.errors import (
    Deferred,
    FatalError,
    Incomplete,
    Refused,
    SyncError,
    TransientError,
    Unauthorized,
    Unavailable,
    UsageError,
)
from crm_sync_assets.masking import excerpt
from crm_sync_assets.operations import alerts, channels, findings
from crm_sync_assets.operations.alerts import Evaluation
from crm_sync_assets.operations.measured_rules import Limits
from crm_sync_assets.orchestration import sensors
from crm_sync_assets.orchestration.resources import WarehouseResource
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.settings import environment as read_environment
from crm_sync_assets.warehouse import locks
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.past import add
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    SETTINGS,
    THINGS,
    FakeClient,
    history,
    person,
    rows,
    start,
    sync,
)

ENTITIES = {entity.name: entity for entity in (PEOPLE, THINGS)}
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


class Sink:
    """A webhook on a real socket. `status` is what it answers, `seen` what it took."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.pings: list[str] = []
        self.tries = 0
        self.status = 200
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.tries += 1
                if sink.status == 200:
                    sink.seen.append(json.loads(body))
                self._answer()

            def do_GET(self) -> None:
                sink.pings.append(self.path)
                self._answer()

            def _answer(self) -> None:
                self.send_response(sink.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"json://{self.place}/hook"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.seen]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def make_sink() -> Iterator[Callable[[], Sink]]:
    made: list[Sink] = []

    def make() -> Sink:
        made.append(Sink())
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def sink(make_sink: Callable[[], Sink], environment: pytest.MonkeyPatch) -> Sink:
    sink = make_sink()
    environment.setenv(channels.URLS, sink.url)
    return sink


def check(
    warehouse: Warehouse,
    *,
    after: timedelta = timedelta(),
    entities: Mapping[str, Entity] = ENTITIES,
    settings: SyncSettings = SETTINGS,
) -> Evaluation:
    """An evaluation `after` now, with the environment's channels."""
    env = read_environment()
    return alerts.evaluate(
        warehouse,
        channels.channels(env),
        entities,
        silence=timedelta(hours=env.alert_silence_hours),
        limits=Limits.of(env),
        repeat=timedelta(hours=env.alert_repeat_hours),
        settings=lambda _: settings,
        now=datetime.now(UTC) + after,
    )


def watched(open_warehouse: Callable[[], Warehouse]) -> Evaluation:
    """What the sensor's tick and `alerts check` do, with the scripted entities."""
    return alerts.watch(open_warehouse, read_environment(), ENTITIES, settings=lambda _: SETTINGS)


def fail(
    warehouse: Warehouse, error: str | SyncError = "answered 500", entity: Entity = PEOPLE
) -> None:
    failure = FatalError(error) if isinstance(error, str) else error

    def broken(_: int) -> None:
        raise failure

    with pytest.raises(type(failure)):
        sync(warehouse, FakeClient([person(1)], before_page=broken), entity)


def succeed(warehouse: Warehouse, entity: Entity = PEOPLE) -> None:
    sync(warehouse, FakeClient([person(1)]), entity)


def open_rules(done: Evaluation) -> list[str]:
    return [f"{one.rule} {one.subject}" for one in done.open]


# Incidents


def test_ten_failures_are_one_alert_and_one_recovery(sink: Sink, warehouse: Warehouse) -> None:
    succeed(warehouse)
    for n in range(10):
        fail(warehouse, f"answered 500, number {n}" if n % 2 else "answered 401: token")
        check(warehouse)
    assert sink.titles == ["crm_sync problem: test.people"]
    for _ in range(3):
        succeed(warehouse)
        check(warehouse)
    assert sink.titles[1:] == ["crm_sync recovered: test.people"]
    assert [one["type"] for one in sink.seen] == ["failure", "success"]
    assert "number 9" in sink.seen[1]["message"]
    fail(warehouse)
    check(warehouse)
    assert len(sink.seen) == 3, "another incident"


def test_an_alert_says_what_since_when_why_and_what_to_do(sink: Sink, warehouse: Warehouse) -> None:
    error = (
        "test.people: GET /people answered 401: jane.doe@example.com, Bearer abcdefghijklmnop. "
        "The token was refused: check TEST_TOKEN."
    )
    fail(warehouse, Unauthorized(error))
    fail(warehouse, Unauthorized(error))
    first = history(warehouse)[0]["end_time"]
    check(warehouse)
    [told] = sink.seen
    assert "sync failed (auth)" in told["message"]
    assert "answered 401" in told["message"]
    assert f"since {first:%Y-%m-%d %H:%M} UTC, 2 times in a row" in told["message"]
    assert "next: crm-sync doctor test" in told["message"]
    assert "jane" not in json.dumps(told)
    assert "abcdefghijklmnop" not in json.dumps(told)


def test_what_a_source_sent_instead_of_data_stays_out_of_the_message() -> None:
    error = (
        "test.people: unexpected content, 5 times in a row: GET /x sent text/html, not JSON: "
        f"{excerpt(b'<p>Dear Jane Doe. Check; given +1 415 555 0132</p>')}. "
        "Check the base URL, and whether …"
    )
    assert "Jane" in error
    assert "Jane" not in findings.shown(error)
    assert "555" not in findings.shown("call +1 415 555 0132")
    assert findings.shown(error).endswith("not JSON. Check the base URL, and whether …")


@pytest.mark.parametrize(
    ("kind", "reason", "advice"),
    [
        (Unauthorized, "auth", "crm-sync doctor test"),
        (Incomplete, "scope", "crm-sync doctor test"),
        (Unavailable, "system", "crm-sync doctor test"),
        (TransientError, "system", "crm-sync doctor test"),
        (Refused, "data", "crm-sync history --crm test --entity people --status failed"),
        (FatalError, "other", "crm-sync history --crm test --entity people --status failed"),
    ],
)
def test_a_failure_has_a_reason_class(
    warehouse: Warehouse, kind: type[SyncError], reason: str, advice: str
) -> None:
    """The error's class decides, whatever its words."""
    fail(warehouse, kind("answered 401, answered 403, deferred until then: the warehouse's disk"))
    [incident] = check(warehouse).open
    assert incident.what.startswith(f"sync failed ({reason}): answered 401")
    assert incident.advice == advice


def test_a_sync_that_waits_for_its_quota_is_told_to_go_on(warehouse: Warehouse) -> None:
    fail(warehouse, Deferred("the budget is used up", until=NOW + HOUR))
    [incident] = check(warehouse).open
    assert incident.what.startswith("sync failed (quota): deferred until")
    assert incident.advice == "crm-sync test people (it resumes where it stopped)"


def test_a_failure_that_an_older_version_wrote_is_told_too(warehouse: Warehouse) -> None:
    add(warehouse, status="failed", error_message="answered 401")
    told = [one.what for one in check(warehouse).open if one.rule == "failed"]
    assert told == ["sync failed (other): answered 401"]


def test_trials_and_cancelled_syncs_neither_open_nor_close_an_incident(
    sink: Sink, warehouse: Warehouse
) -> None:
    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    def cancelled() -> None:
        with pytest.raises(KeyboardInterrupt):
            sync(warehouse, FakeClient([person(1)], before_page=cancel))

    succeed(warehouse)
    cancelled()
    assert check(warehouse).open == []
    fail(warehouse)
    assert open_rules(check(warehouse)) == ["failed test.people"]
    cancelled()
    sync(warehouse, FakeClient([person(1)]), dry_run=True)
    sync(warehouse, FakeClient([person(1)]), max_records=1)
    assert open_rules(check(warehouse)) == ["failed test.people"]
    assert len(sink.seen) == 1


def test_a_report_from_outside_ends_no_incident(sink: Sink, warehouse: Warehouse) -> None:
    fail(warehouse)
    check(warehouse)
    add(
        warehouse,
        start_time=datetime.now(UTC),
        end_time=datetime.now(UTC),
        kind="mirrored",
        configuration={"mirrored_event": "x"},
    )
    assert open_rules(check(warehouse)) == ["failed test.people"]
    assert len(sink.seen) == 1


def test_an_incident_is_told_again_after_a_while_and_not_before(
    sink: Sink, warehouse: Warehouse
) -> None:
    fail(warehouse)
    for hours in (0, 23, 25, 47, 50):
        succeed(warehouse, THINGS)
        check(warehouse, after=hours * HOUR, settings=SyncSettings(fresh_hours=1000))
    assert sink.titles[0] == "crm_sync problem: test.people"
    failed = [one for one in sink.seen if "test.people: " in one["message"]]
    assert ["still, " in one["message"] for one in failed] == [False, True, True]


def test_many_incidents_of_one_moment_are_one_message(sink: Sink, warehouse: Warehouse) -> None:
    fail(warehouse)
    fail(warehouse, entity=THINGS)
    check(warehouse)
    assert sink.titles == ["crm_sync problem: 2 subjects"]
    assert "test.people" in sink.seen[0]["message"]
    assert "test.things" in sink.seen[0]["message"]


# The other rules


def test_partial_with_a_growing_quarantine(sink: Sink, warehouse: Warehouse) -> None:
    def partial(bad: int) -> None:
        good = [person(n) for n in range(50)]
        sync(warehouse, FakeClient([*good, *({"name": f"no id {n}"} for n in range(bad))]))

    partial(1)
    assert open_rules(check(warehouse)) == ["quarantine test.people"]
    partial(1)
    check(warehouse)
    assert len(sink.seen) == 1, "the same record again is no growth"
    partial(3)
    check(warehouse)
    assert len(sink.seen) == 2
    succeed(warehouse)
    assert open_rules(check(warehouse)) == ["quarantine test.people"], "it still holds records"
    with warehouse.connection() as connection:
        connection.execute("DELETE FROM ingestion_quarantine")
        connection.commit()
    assert check(warehouse).open == []
    assert sink.titles[-1] == "crm_sync recovered: test.people"
    assert "crm-sync quarantine list --crm test --entity people" in sink.seen[0]["message"]


def test_an_entity_without_a_complete_sync_in_its_time_is_overdue(
    sink: Sink, warehouse: Warehouse
) -> None:
    succeed(warehouse)
    succeed(warehouse, THINGS)
    settings = SyncSettings(fresh_hours=2)
    check(warehouse, after=HOUR, settings=settings)
    assert sink.seen == []
    sync(warehouse, FakeClient([person(1)]), start_date="2026-01-01", end_date="2026-01-02")
    later = check(warehouse, after=3 * HOUR, settings=settings)
    assert open_rules(later) == ["overdue test.people", "overdue test.things"], "a window is not"
    begun = start(warehouse, FakeClient([person(1)]))
    check(warehouse, after=3 * HOUR, settings=settings)
    drain(begun)
    done = check(warehouse, settings=settings)
    assert done.open == []
    assert sink.titles == ["crm_sync problem: 2 subjects", "crm_sync recovered: 2 subjects"]


def test_a_first_read_that_never_ends_well_is_overdue_and_a_running_one_is_not(
    sink: Sink, warehouse: Warehouse
) -> None:
    settings = SyncSettings(fresh_hours=2)
    long_ago = NOW - 5 * HOUR
    add(warehouse, start_time=long_ago, end_time=NOW - HOUR, watermark=None)
    begun = start(warehouse, FakeClient([person(1)]))
    assert check(warehouse, settings=settings).open == []
    abandon(begun, KeyboardInterrupt())
    assert open_rules(check(warehouse, settings=settings)) == ["overdue test.people"]
    assert "no complete sync ever" in sink.seen[0]["message"]


def test_a_failing_entity_is_not_overdue_besides(sink: Sink, warehouse: Warehouse) -> None:
    late: dict[str, Any] = {"after": 3 * HOUR, "settings": SyncSettings(fresh_hours=2)}
    succeed(warehouse)
    succeed(warehouse, THINGS)
    fail(warehouse, entity=THINGS)
    done = check(warehouse, **late)
    assert open_rules(done) == ["overdue test.people", "failed test.things"]
    fail(warehouse)
    done = check(warehouse, **late)
    assert [one.rule for one in done.open] == ["overdue", "failed", "failed"]
    assert "recovered" not in "".join(sink.titles), "overdue is not over because it failed"


def test_removals_are_overdue_only_once_they_were_given_a_time(warehouse: Warehouse) -> None:
    weekly = {PEOPLE_REMOVAL.name: replace(PEOPLE_REMOVAL, in_all=False)}
    succeed(warehouse)
    sync(warehouse, FakeClient([]), PEOPLE_REMOVAL)
    late = {"after": 25 * HOUR}
    assert check(warehouse, entities=weekly, **late).open == []
    given = SyncSettings(fresh_hours=24)
    done = check(warehouse, entities=weekly, settings=given, **late)
    assert open_rules(done) == ["overdue test.people_removal"]


def test_when_nobody_writes_history_the_dead_mans_alert_comes_alone(
    sink: Sink, warehouse: Warehouse
) -> None:
    assert check(warehouse).open == [], "nothing was ever synced"
    succeed(warehouse)
    succeed(warehouse, THINGS)
    assert check(warehouse, after=25 * HOUR).open == []
    for hours in (27, 28, 29):
        done = check(warehouse, after=hours * HOUR)
        assert open_rules(done) == ["silence everything"]
    assert sink.titles == ["crm_sync problem: everything"]
    assert "scheduler" in sink.seen[0]["message"]

    # The machine is back: the first sync ends the silence, the others get their time.
    later = NOW + 30 * HOUR
    add(warehouse, start_time=later, end_time=later, watermark=later)
    assert check(warehouse, after=30.5 * HOUR).open == []
    assert sink.titles[1:] == ["crm_sync recovered: everything"]
    done = check(warehouse, after=32 * HOUR)
    assert open_rules(done) == ["overdue test.things"]


def test_a_full_read_that_is_suddenly_empty(sink: Sink, warehouse: Warehouse) -> None:
    sync(warehouse, FakeClient([person(n) for n in range(5)]), THINGS)
    sync(warehouse, FakeClient([]), THINGS, force=True)
    assert open_rules(check(warehouse)) == ["empty test.things"]
    sync(warehouse, FakeClient([person(1)]), THINGS)
    assert check(warehouse).open == []
    assert [title.split()[1] for title in sink.titles] == ["problem:", "recovered:"]


@pytest.mark.parametrize(
    ("marks", "resumes", "stuck"),
    [
        ((3, 2, 1), None, False),
        ((3, 3, 3), None, True),
        ((50, 50, 49), None, True),
        ((50, 50, 49), 7, False),
    ],
    ids=["moving", "the same three times", "far back", "resumed"],
)
def test_a_watermark_that_does_not_move_though_syncs_succeed(
    warehouse: Warehouse,
    environment: pytest.MonkeyPatch,
    marks: tuple[int, ...],
    resumes: int | None,
    stuck: bool,
) -> None:
    for hours_ago, mark in zip((3, 2, 1), marks, strict=True):
        began = NOW - hours_ago * HOUR
        add(
            warehouse,
            start_time=began,
            end_time=began,
            watermark=NOW - mark * HOUR,
            configuration={"trial": False, "resumes": resumes},
        )
    assert open_rules(check(warehouse)) == (["stuck test.people"] if stuck else [])


def test_an_overlap_over_the_fresh_hours_is_not_stuck(
    warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    overlap = SyncSettings(overlap_seconds=30 * 86_400, fresh_hours=1)
    for _ in range(3):
        sync(warehouse, FakeClient([person(1)]), settings=overlap)
    assert history(warehouse)[-1]["configuration"]["since"] < f"{NOW - 29 * 24 * HOUR:%Y-%m-%d}"
    assert open_rules(check(warehouse)) == []


# Channels


def test_when_a_channel_is_down_the_next_group_is_told(
    make_sink: Callable[[], Sink], environment: pytest.MonkeyPatch, warehouse: Warehouse
) -> None:
    first, second, third = make_sink(), make_sink(), make_sink()
    environment.setenv(channels.URLS, f"{first.url}, {second.url} ; {third.url}")
    fail(warehouse)
    first.status = 500
    check(warehouse)
    assert [len(one.seen) for one in (first, second, third)] == [0, 1, 0], "one of a group will do"
    succeed(warehouse)
    second.status = 503
    check(warehouse)
    assert [len(one.seen) for one in (first, second, third)] == [0, 1, 1]
    assert third.titles == ["crm_sync recovered: test.people"]


def test_when_all_are_down_an_incident_is_told_later_once(sink: Sink, warehouse: Warehouse) -> None:
    sink.status = 500
    fail(warehouse)
    for _ in range(3):
        assert check(warehouse).untold == 1
    assert sink.tries == 3
    sink.status = 200
    assert (check(warehouse).told, check(warehouse).told) == (1, 0)
    assert sink.titles == ["crm_sync problem: test.people"]


def test_an_incident_that_ended_before_anybody_could_be_told_is_not_lost(
    sink: Sink, warehouse: Warehouse
) -> None:
    sink.status = 500
    fail(warehouse)
    check(warehouse)
    succeed(warehouse)
    assert check(warehouse).untold == 1
    sink.status = 200
    check(warehouse)
    check(warehouse)
    [told] = sink.seen
    assert "no channel took the alert when it began" in told["message"]


def test_without_channels_nothing_is_owed_but_what_is_open(
    warehouse: Warehouse, environment: pytest.MonkeyPatch, make_sink: Callable[[], Sink]
) -> None:
    fail(warehouse)
    assert (check(warehouse).told, check(warehouse).untold) == (0, 0)
    succeed(warehouse)
    check(warehouse)
    fail(warehouse, entity=THINGS)
    check(warehouse)
    late = make_sink()
    environment.setenv(channels.URLS, late.url)
    check(warehouse)
    assert late.titles == ["crm_sync problem: test.things"]


def test_of_two_evaluations_at_once_one_tells(sink: Sink, warehouse: Warehouse) -> None:
    fail(warehouse)
    at_once = threading.Barrier(6)
    done: list[Evaluation] = []

    def evaluate() -> None:
        at_once.wait()
        done.append(check(warehouse))

    threads = [threading.Thread(target=evaluate) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 6
    assert sink.titles == ["crm_sync problem: test.people"]


def test_an_evaluation_beside_another_says_what_is_open_and_sends_nothing(
    sink: Sink, warehouse: Warehouse
) -> None:
    fail(warehouse)
    check(warehouse)
    succeed(warehouse)
    with warehouse.connection() as other:
        locks.take(other, locks.ALERTS)
        done = check(warehouse)
        assert done.skipped
        assert open_rules(done) == ["failed test.people"]
        other.execute("SELECT pg_advisory_unlock_all()")
    assert len(sink.seen) == 1
    check(warehouse)
    assert len(sink.seen) == 2


def test_the_parts_of_a_channels_url_never_show(
    environment: pytest.MonkeyPatch,
    warehouse: Warehouse,
    sink: Sink,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hidden = "s3cr3t-hook-path", "hunter2-password", "query-t0ken-value"
    url = f"json://me:{hidden[1]}@{sink.place}/{hidden[0]}?+X-Key={hidden[2]}"
    environment.setenv(channels.URLS, url)
    sink.status = 500
    fail(warehouse)
    with caplog.at_level(logging.INFO):
        check(warehouse)
    assert "channel 1 (json) did not take the message" in caplog.text
    assert not [secret for secret in hidden if secret in caplog.text]
    assert redaction.redact(" ".join(hidden)) == "*** *** ***"


@pytest.mark.parametrize("text", ["alerts@example.com", "nonsense://x"])
def test_a_channel_that_is_none_is_named_by_its_variable(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    environment.setenv(channels.URLS, text)
    assert main(["alerts", "test"]) != exits.SUCCESS
    assert channels.URLS in "".join(capsys.readouterr())


def test_groups_from_a_file_are_lines(environment: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "urls").write_text(
        "mailto://me:pass@example.com?to=a@x.example,b@x.example,\nslack://TokenTokenA/B/C\n"
    )
    environment.setenv(f"{channels.URLS}_FILE", str(tmp_path / "urls"))
    found = channels.channels(read_environment())
    assert [[one.name for one in group] for group in found.groups] == [
        ["channel 1 (mailto)"],
        ["channel 2 (slack)"],
    ]
    assert found.groups[0][0].url.endswith("to=a@x.example,b@x.example")
    assert redaction.redact("TokenTokenA") == "***"


# The warehouse itself


def test_a_warehouse_that_is_down_is_told_once_and_again_when_it_is_back(
    sink: Sink, warehouse: Warehouse, database_url: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv(channels.HEARTBEAT_URL, f"http://{sink.place}/ping")
    gone = Warehouse("postgresql://me:hunter22@127.0.0.1:1/x")

    def watch(where: Warehouse) -> Evaluation:
        return alerts.watch(
            lambda: where, read_environment(), ENTITIES, settings=lambda _: SETTINGS
        )

    for _ in range(3):
        with pytest.raises(FatalError, match="cannot be reached"):
            watch(gone)
    assert sink.titles == ["crm_sync problem: the warehouse"]
    assert "hunter22" not in json.dumps(sink.seen)
    assert sink.pings == []
    sink.status = 500
    watch(warehouse)
    assert sink.pings == [], "the recovery is not told yet"
    sink.status = 200
    watch(warehouse)
    watch(warehouse)
    assert sink.titles[1:] == ["crm_sync recovered: the warehouse"]
    assert sink.pings == ["/ping", "/ping"]


def test_a_warehouse_that_cannot_write_is_told_without_it(
    sink: Sink, warehouse: Warehouse, database_url: str
) -> None:
    """As with a full disk: reading goes on, and noting an incident does not."""
    fail(warehouse)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
            "'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON ingestion_alert "
            "FOR EACH STATEMENT EXECUTE FUNCTION full_disk()"
        )
    full = Warehouse(database_url)
    with pytest.raises(FatalError, match="25006"):
        watched(lambda: full)
    assert sink.titles == ["crm_sync problem: the warehouse"]
    full.close()


def test_no_heartbeat_while_a_message_finds_nobody(
    sink: Sink, make_sink: Callable[[], Sink], warehouse: Warehouse, environment: pytest.MonkeyPatch
) -> None:
    monitor = make_sink()
    environment.setenv(channels.HEARTBEAT_URL, f"http://{monitor.place}/ping/0123456789")

    def watch() -> None:
        alerts.watch(lambda: warehouse, read_environment(), ENTITIES, settings=lambda _: SETTINGS)

    fail(warehouse)
    sink.status = 500
    watch()
    assert monitor.pings == []
    sink.status = 200
    watch()
    assert monitor.pings == ["/ping/0123456789"], "something is open, but people know"
    monitor.status = 500
    watch()
    assert redaction.redact("0123456789") == "***"


# The sensor and the command


def test_the_sensor_is_on_as_soon_as_somebody_wants_alerts(
    environment: pytest.MonkeyPatch,
) -> None:
    sensor = build().resolve_sensor_def("alerts")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    assert sensor.minimum_interval_seconds == 60
    for name in (channels.URLS, channels.HEARTBEAT_URL, f"{channels.URLS}_FILE"):
        with environment.context() as patch:
            patch.setenv(name, "/run/secrets/urls")
            sensor = build().resolve_sensor_def("alerts")
            assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def tick(instance: dg.DagsterInstance) -> str:
    context = dg.build_sensor_context(
        instance=instance, resources={"warehouse": WarehouseResource()}
    )
    sensor = sensors.build_alert_sensor(list(registry.all_entities().values()))
    return str(sensor.evaluate_tick(context).skip_message)


CONTACTS = {"crm_source": "hubspot", "sync_type": "contacts"}


def test_a_tick_of_the_sensor_tells(sink: Sink, warehouse: Warehouse) -> None:
    moment = datetime.now(UTC)
    add(warehouse, **CONTACTS, start_time=moment, end_time=moment, status="failed",
        error_message="answered 403: missing scopes: x")  # fmt: skip
    with dg.DagsterInstance.ephemeral() as instance:
        assert tick(instance) == "1 open incidents, 1 told"
        assert tick(instance) == "1 open incidents, 0 told"
        moment = datetime.now(UTC)
        add(warehouse, **CONTACTS, start_time=moment, end_time=moment, watermark=moment)
        sink.status = 500
        assert tick(instance) == "0 open incidents, 0 told, 1 found no channel"
        sink.status = 200
        assert tick(instance) == "0 open incidents, 1 told"
    assert sink.titles == [
        "crm_sync problem: hubspot.contacts",
        "crm_sync recovered: hubspot.contacts",
    ]


def process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crm_sync_assets.cli", "alerts", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_for_cron_notices_that_the_scheduler_stopped(
    sink: Sink, warehouse: Warehouse
) -> None:
    moment = datetime.now(UTC) - timedelta(hours=30)
    add(warehouse, **CONTACTS, start_time=moment, end_time=moment, watermark=moment)
    first = process("check")
    assert first.returncode == exits.FAILED, first.stderr
    assert "everything: nothing was synced since" in first.stdout
    assert sink.titles == ["crm_sync problem: everything"]
    moment = datetime.now(UTC)
    add(warehouse, **CONTACTS, start_time=moment, end_time=moment, watermark=moment)
    second = process("check", "--json")
    assert second.returncode == exits.SUCCESS, second.stderr
    assert json.loads(second.stdout)["healthy"] is True
    assert sink.titles[1:] == ["crm_sync recovered: everything"]


def test_the_test_tells_which_channel_works(
    sink: Sink,
    make_sink: Callable[[], Sink],
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = make_sink()
    down.status = 500
    environment.setenv(channels.URLS, f"{down.url};{sink.url}")
    environment.setenv(channels.HEARTBEAT_URL, f"http://{sink.place}/ping")
    assert main(["alerts", "test"]) == exits.FAILED
    out = capsys.readouterr().out.splitlines()
    assert out == ["✗ channel 1 (json)", "✓ channel 2 (json)", "✓ heartbeat URL"]
    assert sink.titles == ["crm_sync test"]
    down.status = 200
    assert main(["alerts", "test"]) == exits.SUCCESS
    environment.delenv(channels.URLS)
    assert main(["alerts", "test"]) == exits.USAGE
    assert f"{channels.URLS} is not set" in capsys.readouterr().err


def test_the_list_has_open_and_past_incidents(
    sink: Sink, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(warehouse)
    check(warehouse)
    succeed(warehouse)
    check(warehouse)
    fail(warehouse, entity=THINGS)
    check(warehouse)
    assert main(["alerts", "list", "--json"]) == exits.SUCCESS
    listed = json.loads(capsys.readouterr().out)
    assert [(one["subject"], bool(one["closed_at"])) for one in listed] == [
        ("test.things", False),
        ("test.people", True),
    ]
    assert main(["alerts", "list"]) == exits.SUCCESS
    assert "test.people" in capsys.readouterr().out


def test_every_command_in_a_message_exists(sink: Sink, warehouse: Warehouse) -> None:
    for error in ("answered 401", "deferred until tomorrow", "odd"):
        fail(warehouse, error)
        check(warehouse)
    for (advice,) in rows(warehouse, "SELECT advice FROM ingestion_alert"):
        program, command, *_ = advice.split()
        assert program == "crm-sync"
        assert command in COMMANDS or command == PEOPLE.crm


def test_alert_settings_out_of_bounds_are_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CRM_SYNC_ALERT_SILENCE_HOURS", "0")
    with pytest.raises(UsageError, match="CRM_SYNC_ALERT_SILENCE_HOURS cannot be used"):
        read_environment()
