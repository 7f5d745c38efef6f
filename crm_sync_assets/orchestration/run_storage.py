"""Dagster's SQLite storage for a process that runs one run: the same files, written faster.

Dagster opens every one of its databases anew for every event, compiles the statement again, waits
for the disk, and for each run makes a database with a dozen migrations' worth of checks: 6 ms an
event and 0.3 s a run. A command that syncs dozens of entities writes hundreds of events. Here a
database stays open and its statements compiled, a new run's database is a copy of an empty one,
and only the operating system is waited for: after a power failure the last events may be missing
from Dagster's log. SyncHistory, which the next sync goes by, is in the warehouse.

The UI and the daemon read these files with Dagster's own classes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster
import sqlalchemy as sa
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from dagster._serdes import ConfigurableClassData


def with_run_storage(ref: InstanceRef) -> InstanceRef:
    """The same instance on this storage, if it is on Dagster's SQLite.

    It has no storage for the state of components, as there are none: that imports fsspec.
    """
    data = ref.storage_data
    if data is None or data.class_name != DagsterSqliteStorage.__name__:
        return ref
    ours = ConfigurableClassData(__name__, RunStorage.__name__, data.config_yaml)
    return ref._replace(storage_data=ours, defs_state_storage_data=None)


class RunStorage(DagsterSqliteStorage):
    """Dagster's three storages. What is there already is taken as it is, without its checks."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        self._inst_data = inst_data
        runs, schedules = _runs_directory(base_dir), _schedule_directory(base_dir)
        self._run_storage = _Runs.in_folder(runs)
        self._event_log_storage = _Events(_event_logs_directory(base_dir))
        self._schedule_storage = (
            SqliteScheduleStorage(create_db_conn_string(schedules, "schedules"))
            if _is_made(Path(schedules, "schedules.db"))
            else SqliteScheduleStorage.from_local(schedules)
        )
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> RunStorage:
        Path(config_value["base_dir"]).mkdir(parents=True, exist_ok=True)
        return cls(inst_data=inst_data, **config_value)


class _Runs(SqliteRunStorage):
    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @classmethod
    def in_folder(cls, folder: str) -> _Runs:
        if _is_made(Path(folder, "runs.db")):
            return cls(create_db_conn_string(folder, "runs"))
        return cls.from_local(folder)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        self._engine.dispose()
        super().dispose()


class _Events(SqliteEventLogStorage):
    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, sa.Engine] = {}
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                self._make(shard)
                engine = self._engines[shard] = _engine(self.conn_string_for_shard(shard))
            with engine.connect() as connection, connection.begin():
                yield connection

    def _make(self, shard: str) -> None:
        """See to it that the database is there, with its tables."""
        path = Path(self.path_for_shard(shard))
        if _is_made(path):
            return
        empty = Path(self._base_dir, f"empty.{dagster.__version__}")
        if shard != INDEX_SHARD_NAME and empty.exists():
            _put(path, lambda fresh: shutil.copyfile(empty, fresh))
            return
        engine = _engine(self.conn_string_for_shard(shard))
        self._initdb(engine)
        engine.dispose()
        if shard != INDEX_SHARD_NAME:
            _put(empty, lambda fresh: _copy(path, fresh))

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _engine(conn_string: str) -> sa.Engine:
    # One connection: Dagster's lock lets one thread at a time in, and SQLite one writer.
    engine = sa.create_engine(
        conn_string,
        pool_size=1,
        max_overflow=4,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def trust_the_system(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _is_made(path: Path) -> bool:
    """Whether Dagster has finished making this database."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT 1 FROM alembic_version").fetchone() is not None
    except sqlite3.Error:
        return False


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as full, closing(sqlite3.connect(target)) as copy:
        full.backup(copy)


def _put(path: Path, write: Any) -> None:
    """Make a file that other processes see whole or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    write(fresh)
    fresh.replace(path)
