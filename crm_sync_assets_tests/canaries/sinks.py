"""Everything the project writes, by name, as text."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from crm_sync_assets_tests.canaries.catalogue import ALL, SECRETS, Canary, found

ALLOWED = {
    # The record itself, as its source sent it; and tokens, encrypted where keys are set.
    ("ingestion_quarantine", "payload"): SECRETS,
    ("ingestion_oauth_token", "access_token"): (),
    ("ingestion_oauth_token", "refresh_token"): (),
}
"""Columns that may hold canaries, and those they may not hold all the same."""

Sinks = dict[str, tuple[str, tuple[Canary, ...]]]
"""Name → text, and the canaries that must not be in it."""


def in_database(url: str) -> Sinks:
    """Each column of the core tables, the sessions of the server, and its log."""
    sinks: Sinks = {}
    with psycopg.connect(url, autocommit=True, application_name="canaries") as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name LIKE 'ingestion%'"
        ).fetchall()
        for table, column in columns:
            rows = connection.execute(
                sql.SQL("SELECT {}::text FROM {}").format(
                    sql.Identifier(column), sql.Identifier(table)
                )
            ).fetchall()
            text = "\n".join(str(value) for (value,) in rows)
            sinks[f"{table}.{column}"] = text, ALLOWED.get((table, column), ALL)
        sessions = connection.execute(
            "SELECT application_name, query FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name <> 'canaries'"
        ).fetchall()
        sinks["pg_stat_activity"] = repr(sessions), ALL
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    log = Path(folder) / "log"
    sinks["the server's log"] = log.read_text(errors="replace"), ALL
    return sinks


def in_folder(folder: Path) -> Sinks:
    """Every file: as it is, and SQLite's also as text, as long values lie in pieces there."""
    sinks: Sinks = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            name = str(path.relative_to(folder))
            sinks[name] = content.decode("utf-8", "replace"), ALL
            if content.startswith(b"SQLite format 3"):
                sinks[f"{name}, as text"] = "\n".join(_dump(path)), ALL
    return sinks


def _dump(path: Path) -> Iterator[str]:
    connection = sqlite3.connect(path)
    try:
        yield from connection.iterdump()
    finally:
        connection.close()


def leaks(sinks: Sinks) -> list[str]:
    """Each canary in a sink where it must not be."""
    return [
        f"{name}: {finding}"
        for name, (text, canaries) in sinks.items()
        for finding in found(text, canaries)
    ]


def command_lines(session: int) -> Iterator[str]:
    """What `ps` shows of a session's processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                yield (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, ProcessLookupError):
            continue
