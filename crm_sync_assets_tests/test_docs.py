"""What is written down is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import (
    dagster_instance_config_schema,
    validate_concurrency_config,
)

from crm_sync_assets import __version__
from crm_sync_assets.cli import COMMANDS, entities, exits
from crm_sync_assets.declarations.flags import OLD_NAMES, Flags
from crm_sync_assets.settings import SyncSettings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_catalogue_of_entities_is_fresh() -> None:
    page = ROOT / entities.PAGE
    assert page.read_text() == entities.markdown(), "run `make entities`"


def test_each_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert len(numbers) == len(set(numbers))
    for page, number in zip(pages, numbers, strict=True):
        assert page.read_text().startswith(f"# {number}. "), page.name


@pytest.mark.parametrize("name", [*Flags.model_fields, "quiet", "no_progress"])
def test_the_readme_has_every_flag(name: str) -> None:
    assert f"| `--{name.replace('_', '-')}` |" in README


@pytest.mark.parametrize("name", [*COMMANDS, *SyncSettings.model_fields])
def test_the_readme_has_every_command_and_setting(name: str) -> None:
    assert re.search(rf"`(crm-sync )?{name}\b", README)


def test_the_readme_has_every_old_name() -> None:
    assert all(f"`--{old.replace('_', '-')}`" in README for old in OLD_NAMES)


@pytest.mark.parametrize(
    "status",
    [exits.SUCCESS, exits.FAILED, exits.USAGE, exits.PARTIAL, exits.CANCELLED],
)
def test_every_exit_status_is_explained(status: int) -> None:
    assert f"| {status} |" in README
    assert re.search(rf"^  {status} ", exits.MEANINGS, re.M)


def test_files_the_readme_points_to_exist() -> None:
    # The picture is taken from a running UI, not made from the code.
    links = set(re.findall(r"\]\((?!http)([^)#]+)\)", README)) - {"docs/asset-graph.png"}
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_example_environment_has_every_variable_the_code_reads() -> None:
    example = (ROOT / ".env.example").read_text()
    read = set()
    for path in (ROOT / "crm_sync_assets").rglob("*.py"):
        if "sandbox" not in path.parts:
            read |= set(
                re.findall(
                    r"""(?:\bget|require)\(\s*["']([A-Z][A-Z0-9_]{3,})["']""", path.read_text()
                )
            )
    assert read
    assert sorted(name for name in read if name not in example) == []


@pytest.mark.parametrize("path", ["dagster.yaml", "deploy/dagster.yaml"])
def test_dagster_accepts_its_configuration(path: str) -> None:
    config = yaml.safe_load((ROOT / path).read_text())
    validate_concurrency_config(config)
    result = validate_config(dagster_instance_config_schema(), config)
    assert result.success, result.errors


def test_the_workspace_names_the_code_location_of_pyproject() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    [module] = [one["python_module"] for one in workspace["load_from"]]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert module["module_name"] == project["tool"]["dagster"]["module_name"]
    assert module["location_name"] == project["tool"]["dagster"]["code_location_name"]


def test_constraints_pin_every_dependency_and_name_no_index() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {line.partition("==")[0].lower().replace("_", "-") for line in lines if line}
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines if line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[\[=<>]", one)[0].lower().replace("_", "-") for one in wanted]
    assert sorted(set(names) - pins) == []


def test_the_changelog_has_a_place_for_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text
