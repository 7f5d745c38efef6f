"""Before the first record an error's text is its only cause: it is shown, without secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from crm_sync_assets.cli import exits, main
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import client_for
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.orchestration import instance, resources
from crm_sync_assets.redaction import register_secret
from crm_sync_assets.settings import environment as settings
from crm_sync_assets.told import cause, setting_up, words
from crm_sync_assets.warehouse import postgres
from crm_sync_assets.warehouse.connection import Warehouse


class OddError(Exception):
    """As a library of somebody else's has it."""


def test_the_cause_is_told_in_one_line_and_without_secrets() -> None:
    register_secret("hunter2hunter2")
    error = OddError("no module\n 'frob', password hunter2hunter2")
    assert cause(error) == "OddError: no module 'frob', password ***"
    assert "left out" in words(error)
    assert cause(OddError()) == "OddError"
    wrapped = sa.exc.DBAPIError("SELECT 'a@b.com'", None, psycopg.OperationalError("no route"))
    assert cause(wrapped) == "no route"


def test_what_is_ours_passes_and_the_rest_is_named() -> None:
    with pytest.raises(FatalError, match=r"^as it is$"), setting_up("THIS"):
        raise FatalError("as it is")
    with pytest.raises(UsageError, match=r"^THIS: OddError: why$"), setting_up("THIS"):
        raise OddError("why")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, environment: pytest.MonkeyPatch) -> str:
    """HubSpot's client cannot be made: a library says why."""

    def client(*_: Any) -> Any:
        raise OddError("unknown option 'frob'")

    crms = {
        n: replace(c, client=client) if n == "hubspot" else c for n, c in registry.crms().items()
    }
    monkeypatch.setattr(registry, "crm", crms.__getitem__)
    monkeypatch.setattr(registry, "crms", lambda: crms)
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-something")
    return "HubSpot cannot be set up from its HUBSPOT_ variables: OddError: unknown option 'frob'"


def test_a_client_that_cannot_be_made_is_told_everywhere(
    broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        client_for(registry.crm("hubspot"), settings())
    assert str(caught.value) == broken
    with pytest.raises(UsageError) as caught:
        resources.ClientResource(crm="hubspot").open()
    assert str(caught.value) == broken
    assert main(["hubspot", "owners"]) == exits.USAGE
    assert capsys.readouterr().err == f"crm-sync: {broken}\n"
    found = {finding.what: finding for finding in examine(["hubspot"])}["HubSpot"]
    assert (found.grade, found.detail) == ("wrong", f"not set up: {broken}")


def test_a_warehouse_that_a_library_cannot_connect_to_is_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any, **__: Any) -> Any:
        raise OddError("no such plugin")

    monkeypatch.setattr(postgres.psycopg, "connect", connect)
    with pytest.raises(
        FatalError, match=r"cannot be reached: OddError: no such plugin\. Check CRM"
    ):
        Warehouse(database_url).checkout()


def test_a_dagster_instance_that_cannot_be_opened_is_told(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text(
        "run_storage:\n  module: crm_sync_assets_tests.test_setting_up\n  class: Storage\n"
    )
    environment.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(FatalError, match=r"cannot be opened: .*Storage"):
        instance.open_instance(settings())


def test_the_doctor_outlives_what_a_check_trips_over(
    sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crm_sync_assets.crms.hubspot.client import HubSpot

    def check(_: Any) -> str:
        raise OddError("a@b.com is no number")

    monkeypatch.setattr(HubSpot, "check", check)
    found = {finding.what: finding for finding in examine(["hubspot"])}["HubSpot"]
    assert found.grade == "wrong"
    assert "OddError" in found.detail
    # A check reads records, so this text may be one.
    assert "a@b.com" not in found.detail


def test_a_log_level_that_is_none_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CRM_SYNC_LOG_LEVEL", "LOUD")
    assert main(["hubspot", "owners"]) == exits.USAGE
    err = capsys.readouterr().err
    assert "CRM_SYNC_LOG_LEVEL" in err
    assert "DEBUG, INFO, WARNING" in err
