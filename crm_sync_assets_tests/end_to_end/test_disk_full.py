"""The disk under the entity's table fills up: the sync fails whole batches, and later completes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crm_sync_assets.errors import FatalError
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.end_to_end.killing import leftovers
from crm_sync_assets_tests.scripted import (
    FakeClient,
    history,
    people,
    person,
    rows,
    sync,
)

MEGABYTES = 8
LONG = "x" * 1_500
"""Too short for PostgreSQL to compress."""


@pytest.fixture(scope="module")
def disk(server_url: str) -> Iterator[Path]:
    """A small file system that PostgreSQL may write to, where one may be mounted."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk; 53100 is simulated in test_server_faults")
    with tempfile.TemporaryDirectory(prefix="crm_sync_disk_", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        disk = Path(home) / "small"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(disk)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(
                f"no small disk can be mounted here ({mounted.stderr.strip()}); 53100 is simulated "
                "in test_server_faults"
            )
        try:
            data = disk / "data"
            data.mkdir()
            # The embedded server's own user, who runs it when the tests run as root.
            user = pwd.getpwnam("pgserver")
            os.chown(data, user.pw_uid, user.pw_gid)
            yield disk
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def on_small_disk(disk: Path, warehouse: Warehouse) -> Iterator[Warehouse]:
    """A warehouse whose entity tables are made on the small disk."""
    (name,) = rows(warehouse, "SELECT current_database()")[0]
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'data'}'")  # type: ignore[arg-type]
        connection.execute(f"ALTER DATABASE {name} SET default_tablespace = small")  # type: ignore[arg-type]
    warehouse.engine.dispose()
    yield warehouse
    (disk / "ballast").unlink(missing_ok=True)
    warehouse.close()
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} RESET default_tablespace")  # type: ignore[arg-type]
        connection.execute("DROP TABLE test_people CASCADE")
        connection.execute("DROP TABLESPACE small")


@pytest.mark.parametrize("flags", [{}, {"full": True, "force": True}], ids=["first", "replacement"])
def test_a_full_disk_fails_the_sync_and_the_next_one_completes_it(
    disk: Path, on_small_disk: Warehouse, flags: dict[str, Any]
) -> None:
    warehouse = on_small_disk
    sync(warehouse, FakeClient([person(0)]))
    records = [person(n, at=60, name=f"{n} {LONG}") for n in range(1_000)]
    ballast = disk / "ballast"
    free = shutil.disk_usage(disk).free
    ballast.write_bytes(b"\0" * (free - 1_000_000))

    with pytest.raises(FatalError, match=r"No space left on device.*\[53100\]"):
        sync(warehouse, FakeClient(list(records)), **flags)
    failed = history(warehouse)[-1]
    assert (failed["status"], failed["watermark"]) == ("failed", None)
    assert "No space left on device" in failed["error_message"]
    stored = len(people(warehouse))
    assert stored in (1, *range(100, 1_000, 100)), "whole batches only"
    assert failed["records_processed"] % 100 == 0

    with pytest.raises(FatalError, match=r"\[53100\]"):
        sync(warehouse, FakeClient(list(records)), **flags)
    ballast.unlink()
    done = sync(warehouse, FakeClient(list(records)), **flags)
    assert (done.status, done.counts.processed, done.counts.failed) == ("success", 1_000, 0)
    assert people(warehouse) == {record["id"]: record["name"] for record in records}
    assert [row["status"] for row in history(warehouse)] == ["success", *["failed"] * 2, "success"]
    assert leftovers(warehouse) == []
