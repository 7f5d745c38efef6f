"""SalesPro's files: where they are, how they are written, and lines that cannot be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crm_sync_assets.errors import Closed, FatalError, Refused, UsageError
from crm_sync_assets_tests.crms.bench import DAY
from crm_sync_assets_tests.crms.salespro.conftest import Bench


def placed(bench: Bench, place: Path | str, name: str = "USERS") -> None:
    bench.environment.setenv(f"SALESPRO_{name}_CSV", str(place))
    bench.connect()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_however_it_is_written(bench: Bench, delimiter: str, encoding: str) -> None:
    bench.turn(delimiter=delimiter, encoding=encoding)
    assert bench.sync("offices").status == "success"
    assert bench.wrong("offices") == []


def test_a_file_on_a_disk_and_the_newest_of_a_folder_are_read(bench: Bench, tmp_path: Path) -> None:
    old, new = tmp_path / "Users 2025.csv", tmp_path / "export_users.CSV"
    old.write_bytes(b"of another time")
    new.write_bytes(bench.world.file("users"))
    (tmp_path / "offices.csv").write_bytes(b"of another kind")
    os.utime(old, (1, 1))
    os.utime(tmp_path / "offices.csv")
    placed(bench, tmp_path)
    assert bench.sync("users").counts.created == 15
    placed(bench, new)
    assert bench.sync("users").counts.unchanged == 15


def test_a_path_that_is_given_stands_in_for_the_one_of_the_environment(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(bench.world.file("users"))
    placed(bench, tmp_path / "nowhere.csv")
    assert bench.sync("users", path=str(file)).status == "success"
    assert bench.wrong("users") == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{}/nowhere.csv", "which is not there"),
        ("{}", "in which no .csv has 'user' in its name"),
        ("https://name@files.example/users.csv", "without a user name"),
    ],
)
def test_where_there_is_no_file_is_one_clear_line(
    bench: Bench, tmp_path: Path, place: str, said: str
) -> None:
    placed(bench, place.format(tmp_path))
    with pytest.raises(UsageError, match=said):
        bench.sync("users")


def test_a_path_that_is_not_there_is_refused_before_anything_begins(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no such file"):
        bench.sync("users", path=str(tmp_path / "nowhere.csv"))
    assert bench.history() == []


@pytest.mark.parametrize("rest", ["/users.csv?X-Amz-Signature=0a1b2c", "/u.csv#0a1b2c"])
@pytest.mark.parametrize("host", ["files.example", "0a1b2c:x@files.example"])
def test_an_address_that_may_hold_a_secret_is_no_flag(bench: Bench, host: str, rest: str) -> None:
    with pytest.raises(UsageError, match="path has") as caught:
        bench.sync("users", path=f"https://{host}{rest}")
    assert "0a1b2c" not in str(caught.value)
    assert bench.history() == []


def test_an_address_without_a_file_is_no_empty_file(bench: Bench) -> None:
    bench.sync("users")
    placed(bench, f"{bench.sandbox.url}/salespro/files/nothing.csv")
    with pytest.raises(Closed):
        bench.sync("users")
    assert all(row["deleted_at"] is None for row in bench.rows("users").values())


def test_lines_that_have_moved_are_set_aside_and_no_row_is_taken_for_gone(bench: Bench) -> None:
    bench.sync("users")
    bench.turn(moved=2)
    told = bench.sync("users")
    assert (told.status, told.counts.failed, told.counts.deleted) == ("partial", 2, 0)
    with bench.warehouse.connection() as connection:
        reasons = [r[0] for r in connection.execute("SELECT reason FROM ingestion_quarantine")]
    assert sorted(reason.partition(":")[0] for reason in reasons) == ["line 2", "line 3"]
    assert all("fewer values" in reason for reason in reasons)
    assert bench.wrong("users") == []


def test_a_file_whose_columns_are_shifted_is_no_success_and_changes_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    bench.sync("users")
    head, *rest = bench.world.file("users").decode().splitlines()
    file = tmp_path / "users.csv"
    # As many values as headers: the first is lost, and there is one more at the end.
    file.write_text("\n".join([head, *(line.partition(",")[2] + "," for line in rest)]))
    placed(bench, file)
    with pytest.raises(Refused, match="could not be stored"):
        bench.sync("users")
    assert bench.wrong("users") == []


def test_a_header_that_is_missing_is_named_and_nothing_is_read(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(bench.world.file("users").replace(b"licenseNumber", b"licence"))
    placed(bench, file)
    with pytest.raises(FatalError, match="licensenumber"):
        bench.sync("users")
    assert bench.rows("users") == {}


def test_a_line_with_one_odd_date_is_stored_with_a_word_on_it(bench: Bench) -> None:
    key = bench.world.keys("users")[0]
    bench.world.edit("users", key, {"lastLoginDate": "yesterday"})
    assert bench.sync("users").status == "success"
    row = bench.rows("users")[str(key[0])]
    assert row["last_login_date"] is None
    assert [issue["field"] for issue in row["sync_issues"]] == ["last_login_date"]


def test_a_quotation_mark_that_is_not_closed_swallows_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.sync("users")
    file = tmp_path / "users.csv"
    file.write_bytes(bench.world.file("users") + b'"u-1,ann\nu-2,bob\n')
    placed(bench, file)
    with pytest.raises(FatalError, match="quotation mark"):
        bench.sync("users")
    assert all(row["deleted_at"] is None for row in bench.rows("users").values())


def test_what_the_file_has_no_more_is_gone_and_comes_back(bench: Bench) -> None:
    bench.sync("users")
    key = bench.world.keys("users")[0]
    line = next(one for one in bench.world.tables["users"] if one["objectId"] == key[0])
    bench.world.tables["users"].remove(line)
    assert bench.sync("users").counts.deleted == 1
    bench.world.tables["users"].append(line)
    bench.sync("users")
    assert bench.wrong("users") == []


def test_half_a_file_deletes_nothing(bench: Bench) -> None:
    bench.sync("users")
    bench.world.half_write("users")
    with pytest.raises(Refused, match="live rows"):
        bench.sync("users")
    assert all(row["deleted_at"] is None for row in bench.rows("users").values())


def test_a_reading_goes_on_after_its_line_of_the_same_file_and_begins_anew_with_another(
    bench: Bench,
) -> None:
    users = bench.entity("users")
    first, *_ = bench.pages(users, page_size=6)
    rest = bench.pages(users, page_size=6, cursor=first.cursor)
    assert [len(page.records) for page in rest] == [6, 3]
    assert rest[0].records[0]["objectId"] != first.records[-1]["objectId"]
    bench.world.create("users")
    assert sum(len(page.records) for page in bench.pages(users, cursor=first.cursor)) == 16


def test_a_file_of_before_overwrites_no_newer_line(bench: Bench, tmp_path: Path) -> None:
    old = tmp_path / "users.csv"
    old.write_bytes(bench.world.file("users"))
    bench.pass_time(DAY)
    key = bench.world.keys("users")[0]
    bench.world.edit("users", key, {"company": "c-9"})
    bench.sync("users")
    bench.sync("users", path=str(old))
    assert bench.rows("users")[str(key[0])]["company_id"] == "c-9"


def test_a_users_address_is_the_name_where_that_is_one(bench: Bench) -> None:
    one, other = bench.world.keys("users")[:2]
    bench.world.edit("users", one, {"email": "", "username": "ann@example.com"})
    bench.world.edit("users", other, {"email": "", "username": "ann"})
    bench.sync("users")
    rows = bench.rows("users")
    assert rows[str(one[0])]["email"] == "ann@example.com"
    assert rows[str(other[0])]["email"] is None
