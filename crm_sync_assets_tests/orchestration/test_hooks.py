"""The failure hook: whatever fails after a history row was opened, closes it with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.errors import TransientError, Unavailable
from crm_sync_assets.warehouse import history as sync_history
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.runs import Runs, instance_in, reason
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, history, person, start


class Broken(dg.IOManager):
    """Fails before the sync it was given is drained, with a cause behind its error."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        try:
            raise KeyError("a detail")
        except KeyError as error:
            raise Unavailable("the disk is full; password=hunter22") from error

    def load_input(self, context: dg.InputContext) -> None:
        raise NotImplementedError


@pytest.fixture
def runs(tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Runs]:
    with instance_in(tmp_path) as instance:
        yield Runs(instance)


def test_a_failure_between_opening_and_draining_closes_the_row(
    runs: Runs, warehouse: Warehouse
) -> None:
    """Runs of chosen assets have no job of ours, so the hook must be on the asset itself."""
    runs.source.client = FakeClient([person(1)])
    runs.io_manager = Broken()
    assert not runs.run().success
    (row,) = history(warehouse)
    assert (row["status"], row["error_message"]) == ("failed", "the disk is full; password=***")
    assert row["end_time"] is not None
    assert row["reason"] == "system"
    runs.io_manager = None
    assert runs.run().success, "the entity is free again"


def test_a_source_that_cannot_be_reached_closes_the_row(runs: Runs, warehouse: Warehouse) -> None:
    def away(_: int) -> None:
        raise TransientError("crm.example cannot be reached")

    runs.source.client = FakeClient([person(1)], before_page=away)
    result = runs.run()
    assert "crm.example cannot be reached" in reason(result)
    (row,) = history(warehouse)
    assert (row["status"], row["error_message"]) == ("failed", "crm.example cannot be reached")


def test_the_hook_closes_only_the_row_of_its_own_entity_and_run(warehouse: Warehouse) -> None:
    begun = start(warehouse, FakeClient([person(1)]), PEOPLE, run_id="a run")
    try:
        with warehouse.connection() as connection:
            for run_id, crm, sync_type in [
                ("another run", "test", "people"),
                ("a run", "another crm", "people"),
                ("a run", "test", "things"),
            ]:
                assert not sync_history.close_failed_run(
                    connection, run_id, crm, sync_type, "no", reason="other"
                )
            assert sync_history.close_failed_run(
                connection, "a run", "test", "people", "yes", reason="other"
            )
    finally:
        begun.session.release()
    assert history(warehouse)[0]["error_message"] == "yes"
