"""A step that fails: its headline is the reason, and what to do next stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.errors import Forbidden, NotSet, Unauthorized, UsageError
from crm_sync_assets.orchestration.failing import NEXT
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, Source, instance_in
from crm_sync_assets_tests.scripted import PEOPLE, THINGS, FakeClient, history, person, sync


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance, source=Source(FakeClient([person(n) for n in range(3)])))


def fail_by(runs: Runs, error: Exception) -> dg.DagsterEvent:
    """The failure of a step whose source raises this."""
    client = runs.source.client
    assert isinstance(client, FakeClient)

    def fail(_: int) -> None:
        raise error

    client.before_page = fail
    (event,) = runs.run().filter_events(lambda one: one.is_step_failure)
    return event


@pytest.mark.parametrize(
    ("error", "reason", "next_step"),
    [
        (Unauthorized("the token is refused"), "auth", "crm-sync doctor test"),
        (NotSet("TEST_TOKEN is not set"), "auth", "crm-sync doctor test"),
        (UsageError("batch_size is odd"), "other", "mend the flag or setting"),
        (psycopg.OperationalError("server closed"), "system", "goes on from its checkpoint"),
        (ConnectionResetError("reset by peer"), "system", "goes on from its checkpoint"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_is_known_to_go_wrong_is_the_headline(
    runs: Runs, warehouse: Warehouse, error: Exception, reason: str, next_step: str
) -> None:
    sync(warehouse, FakeClient([person(1)]))
    event = fail_by(runs, error)
    told = event.step_failure_data.user_failure_data
    assert told is not None
    row = history(warehouse)[-1]
    assert told.description == f"test.people: {row['error_message']}"
    assert row["reason"] == reason
    shown: dict[str, Any] = {name: value.value for name, value in told.metadata.items()}
    assert (shown["entity"], shown["reason"]) == ("test.people", reason)
    assert shown["is_usage"] is isinstance(error, UsageError)
    assert next_step in shown["next"]
    assert shown["history"] == "crm-sync history --crm=test --entity=people"
    info = event.step_failure_data.error
    assert info is not None
    assert info.cause is None
    assert "engine" not in "".join(info.stack), "no traceback of what led to it"


def test_a_bug_keeps_its_traceback(runs: Runs, warehouse: Warehouse) -> None:
    event = fail_by(runs, ZeroDivisionError("division by zero"))
    assert event.step_failure_data.user_failure_data is None
    info = event.step_failure_data.error
    assert info is not None
    assert info.cause is not None
    assert any("before_page" in line or "fail" in line for line in info.cause.stack)
    (row,) = history(warehouse)
    assert row["status"] == "failed"


def test_every_reason_has_a_next_step() -> None:
    from typing import get_args

    from crm_sync_assets.errors import Reason

    assert NEXT.keys() == set(get_args(Reason))


class Closed(FakeClient):
    """An account that has only the entities of these names."""

    has: tuple[str, ...] = ()

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        if read.entity.name not in self.has:
            raise Forbidden(f"{read.entity}: not for this token")
        yield from super().pages(read, usage)


def test_a_run_of_which_the_account_has_nothing_is_no_success(
    runs: Runs, warehouse: Warehouse
) -> None:
    """Else a schedule would be green for ever, and nothing in any table."""
    closed = runs.source.client = Closed([person(1)])
    for wanted in ((PEOPLE,), (PEOPLE, THINGS)):
        result = runs.run(*wanted)
        assert not result.success, wanted
        (event,) = result.filter_events(lambda one: one.is_step_failure)
        told = event.step_failure_data.user_failure_data
        assert told is not None
        assert "is not available: not for this token" in str(told.description)
        assert {row["kind"] for row in history(warehouse)} == {"unavailable"}
    closed.has = (THINGS.name,)
    assert runs.run(PEOPLE, THINGS).success
