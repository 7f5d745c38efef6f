"""The state folder and Dagster's: made where they are meant, else named in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crm_sync_assets import cli
from crm_sync_assets.orchestration.instance import instance_folder, open_instance
from crm_sync_assets.settings import environment as current
from crm_sync_assets_tests.surroundings import OURS

COMMANDS = [
    ["hubspot", "contacts"],
    ["all"],
    ["history"],
    ["health"],
    ["migrate"],
    ["demo"],
    ["dev"],
    ["quarantine", "list"],
    ["verify", "hubspot", "contacts"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("where", ["file", "under_file", "read_only"])
def test_a_state_folder_that_cannot_be_made_is_named_by_every_command(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    where: str,
) -> None:
    if where == "read_only" and os.geteuid() == 0:
        folder = Path("/proc/crm_sync")
    elif where == "read_only":
        (tmp_path / "closed").mkdir(mode=0o500)
        folder = tmp_path / "closed" / "state"
    else:
        (tmp_path / "file").touch()
        folder = tmp_path / ("file" if where == "file" else "file/state")
    environment.delenv("CRM_SYNC_WAREHOUSE_URL")
    environment.setenv("CRM_SYNC_HOME", str(folder))
    environment.setenv("HUBSPOT_TOKEN", "pat-na1-12345678")
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert f"the state folder {folder} cannot be made or written" in line
    assert "set CRM_SYNC_HOME to a folder that can" in line
    assert "Traceback" not in out


@pytest.mark.parametrize("given", ["made", "deep/er", "~/dagster", "relative"])
def test_dagsters_folder_is_made_where_it_is_meant(
    environment: pytest.MonkeyPatch, tmp_path: Path, given: str
) -> None:
    environment.setenv("HOME", str(tmp_path / "user"))
    meant = {"~/dagster": tmp_path / "user" / "dagster", "relative": tmp_path / "relative"}
    value = given if given in meant else str(tmp_path / given)
    environment.setenv("DAGSTER_HOME", value)
    assert instance_folder(current()) == meant.get(given, tmp_path / given)
    open_instance(current()).dispose()


@pytest.mark.parametrize("where", ["file", "file/under"])
@pytest.mark.parametrize("words", [["hubspot", "contacts"], ["dev"]], ids=" ".join)
def test_a_dagster_home_that_is_no_folder_is_named(
    sandbox: object,
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    where: str,
) -> None:
    (tmp_path / "file").touch()
    environment.setenv("DAGSTER_HOME", str(tmp_path / where))
    assert cli.main(words) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"Dagster's folder {tmp_path / where} cannot be made or written" in line
    assert "set DAGSTER_HOME" in line


def test_a_command_started_elsewhere_uses_the_folder_of_there(tmp_path: Path) -> None:
    """A relative state folder is one of the current folder, and says so."""
    given = {n: v for n, v in os.environ.items() if not n.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "crm_sync_assets.cli", "doctor", "hubspot"],
        cwd=tmp_path,
        env={**given, "CRM_SYNC_WAREHOUSE_URL": "postgresql://127.0.0.1:1/x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"state folder: {tmp_path}/.crm_sync" in done.stdout


def use(folder: Path) -> Path:
    """A folder in which the project was used before."""
    (folder / ".crm_sync").mkdir(parents=True)
    return folder


@pytest.fixture
def homeless(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No variable says where the state folder is; the user's home is another folder."""
    environment.delenv("CRM_SYNC_HOME")
    environment.setenv("HOME", str(tmp_path / "user"))
    return environment


def test_the_state_folder_and_env_are_found_from_folders_below(
    homeless: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = use(tmp_path / "project")
    (project / ".env").write_text("CRM_SYNC_LOG_LEVEL=DEBUG\n")
    below = project / "models" / "marts"
    below.mkdir(parents=True)
    homeless.chdir(below)
    assert current().home_folder == project / ".crm_sync"
    assert current().log_level == "DEBUG", "another .env would be another warehouse"
    homeless.setenv("CRM_SYNC_HOME", "elsewhere")
    assert current().home_folder == below / "elsewhere"
    homeless.setenv("CRM_SYNC_HOME", "")
    assert current().home_folder == project / ".crm_sync"


def test_a_folder_with_an_env_of_its_own_is_a_project(
    homeless: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = use(tmp_path / "project") / "other"
    other.mkdir()
    (other / ".env").touch()
    homeless.chdir(other)
    assert current().home_folder == other / ".crm_sync"


@pytest.mark.parametrize(
    "what", ["home", "a clone", "in a clone", "everybody's", "another's", "owned by another"]
)
def test_no_state_folder_is_found_by_accident(
    homeless: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    above = use(tmp_path / "above")
    here = above / "here"
    here.mkdir()
    if what == "home":
        homeless.setenv("HOME", str(above))
    elif what == "a clone":
        (here / ".git").mkdir()
    elif what == "in a clone":
        (here / ".git").touch()
        here = here / "models"
        here.mkdir()
    elif what == "everybody's":
        above.chmod(0o777)
    elif os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    else:
        os.chown(above / (".crm_sync" if what == "another's" else ""), 1, 1)
    homeless.chdir(here)
    assert current().home_folder == here / ".crm_sync"


def test_where_the_state_folder_is_is_said_once(
    homeless: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    homeless.chdir(tmp_path / "new")
    said = f"first use here: the state folder is {tmp_path}/new/.crm_sync"
    homeless.setenv("HUBSPOT_BASE_URL", "http://127.0.0.1:1")
    homeless.setenv("HUBSPOT_TOKEN", "pat-na1-12345678")
    homeless.setenv("CRM_SYNC_HUBSPOT__MAX_ATTEMPTS", "1")
    assert cli.main(["hubspot", "owners", "--no-progress"]) == 1
    assert capsys.readouterr().err.count(said) == 1
    assert cli.main(["hubspot", "owners", "--no-progress"]) == 1
    assert "first use" not in capsys.readouterr().err
