"""The embedded PostgreSQL: when no server is named, in any folder, shared, loud when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import Environment
from crm_sync_assets.warehouse import embedded
from crm_sync_assets.warehouse.connection import Warehouse


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user may enter, for a server whose files are not root's."""
    with tempfile.TemporaryDirectory(prefix="crm_sync_tests_", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def stopped() -> Iterator[list[embedded.Server]]:
    """Servers that are stopped at the end."""
    servers: list[embedded.Server] = []
    yield servers
    for server in servers:
        server.stop()


def run_as(folder: Path, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Start the server of this folder in a process of its own, and do something there."""
    script = (
        "import sys; from pathlib import Path; from crm_sync_assets.warehouse import embedded\n"
        "folder = Path(sys.argv[1]); url = embedded.start(folder)\n"
        "server = embedded._servers[folder.resolve()]\n"
        f"{code}\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_a_named_server_is_used_and_none_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "start", lambda _: pytest.fail("started a server"))
    named = Environment(warehouse_url="postgresql://db/crm", home=tmp_path)
    assert embedded.warehouse_url(named) == "postgresql://db/crm"


def test_without_a_named_server_the_state_folder_holds_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[Path] = []

    def start(folder: Path) -> str:
        started.append(folder)
        return "url"

    monkeypatch.setattr(embedded, "start", start)
    assert embedded.warehouse_url(Environment(warehouse_url=None, home=Path("state"))) == "url"
    assert started == [tmp_path / "state" / "postgres"]


def test_a_server_that_runs_already_is_shared(server_url: str) -> None:
    with psycopg.connect(server_url) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert row is not None
    assert embedded.start(Path(row[0])) == server_url


PATHS = {
    "blank": "my clone",
    "shell": "a$HOME`id`;(b)&c",
    "quotes": 'it\'s "x"',
    "url": "p%20=?&#@:,",
    "not_ascii": "ümläut-ж-😀",
    "too_long_for_a_socket": "x" * 200,
    "backslash_and_tab": "a\\b\tc",
    "line_end": "new\nline",
}


@pytest.mark.parametrize("name", PATHS.values(), ids=PATHS)
def test_it_starts_in_any_folder_a_file_system_allows(
    home: Path, stopped: list[embedded.Server], name: str
) -> None:
    folder = home / name / "postgres"
    server = embedded.Server(folder)
    stopped.append(server)
    url = server.start()
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert row is not None
    assert row[0] == str(folder)
    warehouse = Warehouse(url)
    with warehouse.connection() as pooled:
        assert pooled.execute("SELECT 1").fetchone() == (1,)
    assert server.start() == url, "found again"


@pytest.mark.parametrize("character", ["$", '"', "`", "\\"])
def test_its_programs_may_lie_under_any_path_too(
    home: Path,
    stopped: list[embedded.Server],
    monkeypatch: pytest.MonkeyPatch,
    character: str,
) -> None:
    """initdb names the server to a shell by its own path: that of the checkout."""
    original = embedded._binaries()
    checkout = home / f"my{character}clone"
    moved = embedded._copy(original, checkout)
    monkeypatch.setattr(embedded, "_binaries", lambda: moved)
    server = embedded.Server(home / "state" / "postgres")
    stopped.append(server)
    with psycopg.connect(server.start()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "variables",
    [
        {"PGPORT": "1", "PGHOSTADDR": "127.0.0.1", "PGSERVICE": "none", "PGOPTIONS": "-c no=1"},
        {"LC_ALL": "xx_YY.UTF-8", "LANG": "tr_TR.UTF-8"},
        {"TZ": "Not/There"},
    ],
    ids=["libpq", "locale", "zone"],
)
def test_what_the_environment_says_of_other_servers_changes_nothing(
    home: Path, variables: dict[str, str]
) -> None:
    done = run_as(
        home / "postgres",
        "import psycopg\n"
        "with psycopg.connect(url) as c: print(c.execute(\"SELECT 'TITLE' < 'title', lower('ÄI')\")"
        ".fetchone())",
        **variables,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "(True, 'äi')"), done.stderr


def test_the_last_process_stops_it_and_one_that_was_killed_does_not_count(home: Path) -> None:
    folder = home / "postgres"
    server = embedded.Server(folder)
    killed = run_as(folder, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.returncode == -9
    assert server.pid() is not None
    first = run_as(folder, "import subprocess; print(server.pid())")
    assert first.returncode == 0, first.stderr
    assert server.pid() is None


def test_a_process_that_still_uses_it_keeps_it_running(home: Path) -> None:
    folder = home / "postgres"
    server = embedded.Server(folder)
    server.start()
    assert run_as(folder).returncode == 0
    assert server.pid() is not None
    server.release()
    assert server.pid() is None


def test_a_number_left_by_a_crash_that_is_another_process_now_is_no_server(
    home: Path, stopped: list[embedded.Server]
) -> None:
    """In a container the numbers begin anew, so the old server's is soon somebody else's."""
    server = embedded.Server(home / "postgres")
    stopped.append(server)
    server.start()
    server.stop("immediate")
    (home / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{home}/postgres\n1\n5432\n.\n\n1 1\nready\n"
    )
    with psycopg.connect(server.start()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cluster_that_was_not_finished_is_begun_again(
    home: Path, stopped: list[embedded.Server]
) -> None:
    left = home / ".postgres.new-left"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    server = embedded.Server(home / "postgres")
    stopped.append(server)
    server.start()
    assert not left.exists()


def test_a_server_that_does_not_start_is_told_with_its_log_and_nothing_is_to_be_removed(
    home: Path,
) -> None:
    folder = home / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(FatalError, match="did not start") as caught:
        embedded.start(folder)
    said = str(caught.value)
    assert str(folder / "log") in said
    assert "CRM_SYNC_WAREHOUSE_URL" in said
    assert "CRM_SYNC_HOME" in said
    assert "emove" not in said
    assert (folder / "PG_VERSION").read_text() == "9.6\n"


def test_a_folder_of_something_else_is_left_alone(home: Path) -> None:
    folder = home / "postgres"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else: set CRM_SYNC_HOME"):
        embedded.start(folder)
    assert [found.name for found in folder.iterdir()] == ["thesis.txt"]


def test_a_link_in_a_folder_of_somebody_else_is_not_followed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns the folder of the links could lead us to a server of theirs."""
    monkeypatch.setattr(embedded, "_plain_temporary", lambda: home)
    ours = home / f"crm_sync-{os.getuid()}"
    ours.mkdir(mode=0o777)
    ours.chmod(0o777)
    with pytest.raises(RuntimeError, match="not a folder of this user alone"):
        embedded._link_to(home / "my clone")


def test_users_that_cannot_be_read_are_nobody(home: Path) -> None:
    server = embedded.Server(home / "postgres")
    (home / "postgres").mkdir()
    for text in ("", "[1", json.dumps([2**22 + 1])):
        (home / "postgres" / ".handle_pids.json").write_text(text)
        assert server._users() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a server as another user")
def test_two_servers_started_at_once_do_not_make_their_user_twice(
    home: Path, stopped: list[embedded.Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    utils = embedded._library()
    found, inside = utils.ensure_user_exists("pgserver"), threading.Semaphore(1)

    def slowly(_: str) -> Any:
        assert inside.acquire(blocking=False), "two make the user at the same time"
        time.sleep(0.2)
        inside.release()
        return found

    monkeypatch.setattr(utils, "ensure_user_exists", slowly)
    stopped += [embedded.Server(home / name) for name in ("one", "two")]
    with ThreadPoolExecutor(2) as threads:
        for started in [threads.submit(server.start) for server in stopped]:
            assert started.result().startswith("postgresql://")
