"""How fast a large Genius table is read and stored, and how much memory that takes.

    python -m benchmarks.genius 10000 100000
    python -m benchmarks.genius --database mysql://root@127.0.0.1:3306/bench 1000000

`job_change_order_item` is made with as many rows, in a MariaDB of its own, in the database that
`--database` names (and which may be emptied), or with `--postgresql` in the embedded server. Then:
a first load into an empty warehouse, a delta and a full read when nothing has changed, and a delta
after every row was changed by one statement. Each runs in a process of its own, so that its peak
memory is its own. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import sqlalchemy as sa

ENTITY = "job_change_order_items"
READINGS = ("first load", "delta, no change", "full, no change", "delta, all changed")


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("rows", nargs="*", type=int, default=[10_000, 100_000])
    arguments.add_argument("--database", help="a MySQL, MariaDB or PostgreSQL to fill")
    arguments.add_argument("--postgresql", action="store_true", help="Genius in PostgreSQL")
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    given = arguments.parse_args(words)
    if given.one:
        print(json.dumps(_one(given.one)))
        return
    with _databases(given.database, postgresql=given.postgresql) as (source, warehouse):
        print(f"Genius in {_kind(source)}\n")
        print("| rows | reading | seconds | records/s | peak MB | queries |")
        print("|---:|---|---:|---:|---:|---:|")
        for rows in given.rows:
            _fill(source, rows)
            _empty(warehouse)
            for reading in READINGS:
                if reading == READINGS[-1]:
                    _touch(source)
                line = _measured(reading, source, warehouse)
                print(f"| {rows:,} | {reading} | {line} |", flush=True)


def _measured(reading: str, source: str, warehouse: str) -> str:
    env = {
        **os.environ,
        "GENIUS_DATABASE_URL": source,
        "GENIUS_TIME_ZONE": "US/Pacific",
        "CRM_SYNC_WAREHOUSE_URL": warehouse,
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "benchmarks.genius", "--one", reading]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return (
        f"{told['seconds']:.1f} | {told['per_second']:,.0f} | {told['peak_mb']:.0f} | "
        f"{told['queries']}"
    )


def _one(reading: str) -> dict[str, float]:
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.flags import Flags
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.engine.measures import peak_memory_mb
    from crm_sync_assets.engine.request import Request
    from crm_sync_assets.engine.run import begin, drain
    from crm_sync_assets.operations.opening import open_client, open_warehouse

    crm, entity = registry.crm("genius"), registry.entity(f"genius.{ENTITY}")
    client, warehouse = open_client("genius"), open_warehouse()
    flags = Flags(full=reading.startswith("full"))
    began = time.monotonic()
    sync = begin(Request(crm, entity, flags, settings_for(crm, entity)), client, warehouse)
    counts = drain(sync)
    seconds = time.monotonic() - began
    client.close()
    return {
        "seconds": seconds,
        "per_second": counts.processed / seconds,
        "peak_mb": peak_memory_mb(),
        "queries": sync.usage.api_calls,
    }


@contextlib.contextmanager
def _databases(given: str | None, *, postgresql: bool) -> Iterator[tuple[str, str]]:
    """URLs of a database to play Genius in and of an empty warehouse."""
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.warehouse import embedded

    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True)
            )
        )
        folder.chmod(0o755)
        server = embedded.start(folder / "postgres")
        if given is None and postgresql:
            given = beside(server)
        elif given is None:
            given = stack.enter_context(_mariadb(folder))
        yield given, beside(server, "warehouse")


@contextlib.contextmanager
def _mariadb(folder: Path) -> Iterator[str]:
    from crm_sync_assets_tests.mariadb import MariaDB

    (folder / "mariadb").mkdir()
    server = MariaDB(folder / "mariadb", "mariadbd")
    server.start()
    try:
        server.execute("CREATE DATABASE genius CHARACTER SET utf8mb4")
        yield server.url("genius")
    finally:
        server.stop()


def _kind(url: str) -> str:
    return sa.make_url(url).get_backend_name()


def _engine(url: str) -> sa.Engine:
    from crm_sync_assets.clients.sql.database import parsed_url

    return sa.create_engine(parsed_url(url, "--database"), isolation_level="AUTOCOMMIT")


def _fill(url: str, rows: int) -> None:
    from crm_sync_assets.sandbox.crms.genius.schema import sources

    table = sources()["job_change_order_item"].table
    engine = _engine(url)
    with engine.connect() as connection:
        table.drop(connection, checkfirst=True)
        table.create(connection)
        for start in range(0, rows, 50_000):
            moment = datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)
            connection.execute(
                sa.insert(table),
                [
                    {
                        "id": number,
                        "change_order_id": number // 3,
                        "description": f"line {number} of an order, as long as they usually are",
                        "amount": number % 100_000 / 100,
                        "created_at": moment,
                        "updated_at": moment,
                    }
                    for number in range(start + 1, min(start + 50_000, rows) + 1)
                ],
            )
    engine.dispose()


def _touch(url: str) -> None:
    """Every row changed by one statement, at one time."""
    from crm_sync_assets.sandbox.crms.genius.schema import sources

    table = sources()["job_change_order_item"].table
    engine = _engine(url)
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    with engine.connect() as connection:
        connection.execute(sa.update(table).values(amount=table.c.amount + 1, updated_at=now))
    engine.dispose()


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


if __name__ == "__main__":
    main()
