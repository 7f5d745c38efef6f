"""The embedded PostgreSQL: used only when no server is named, shared, and loud when it fails."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from crm_sync_assets import embedded
from crm_sync_assets.errors import FatalError
from crm_sync_assets.settings import Environment


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


def test_a_folder_that_holds_no_server_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(FatalError, match="did not start") as caught:
        embedded.start(folder)
    assert str(folder) in str(caught.value)
    assert "CRM_SYNC_WAREHOUSE_URL" in str(caught.value)
