"""Where a file is found, and what keeps it from being read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from crm_sync_assets.clients.csvfiles.places import file_at, opened, origin_of
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import TransientError, UsageError

SETTING = "SALESPRO_USERS_CSV"


def no_server(_address: str) -> NoReturn:
    raise AssertionError("no server is asked for a file on a disk")


def test_of_a_folder_the_file_written_last_counts_of_several_at_once_the_last_by_name(
    tmp_path: Path,
) -> None:
    for name, at in (("users-b.csv", 5), ("users-a.csv", 9), ("Users-c.CSV", 9), ("x.csv", 20)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "users.csv").mkdir()
    assert file_at(tmp_path, "user", SETTING).name == "users-a.csv"


def test_a_file_that_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "users.csv").symlink_to(tmp_path / "users.csv")
    with pytest.raises(UsageError, match=SETTING):
        file_at(tmp_path / "users.csv", "user", SETTING)


@pytest.mark.parametrize("change", [lambda f: f.write_bytes(b"ab"), lambda f: os.utime(f, (1, 1))])
def test_a_file_that_changes_while_it_is_read_is_no_success(
    tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(b"a")
    with (
        pytest.raises(TransientError, match="changed while it was read"),
        opened(str(file), "user", SETTING, "users", no_server, Usage()),
    ):
        change(file)


@pytest.mark.parametrize(
    "address", ["https://", "https://a:b@c.example/x", "https://[x", "https://c.example/x#y"]
)
def test_what_is_no_address_of_a_file_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=SETTING):
        origin_of(address, SETTING)
