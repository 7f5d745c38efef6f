"""Tables on the terminal, JSON for programs, and the warehouse both are read from."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.cli.times import ago
from crm_sync_assets.declarations.strategy import midnight_utc
from crm_sync_assets.errors import Unavailable, UsageError
from crm_sync_assets.nearest import meant
from crm_sync_assets.redaction import CONTROL, one_line
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse import schemas
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.embedded import warehouse_url

_NO_HISTORY = "the warehouse has no SyncHistory yet: run a sync, or `crm-sync migrate`, first"


def open_for_reading() -> Warehouse:
    """The warehouse of the environment. Raises FatalError when it has no history yet."""
    env = environment()
    keys = env.encryption_keys
    url = warehouse_url(env)
    if schemas.lacking(url):
        raise Unavailable(_NO_HISTORY)
    warehouse = Warehouse(url, keys)
    with warehouse.connection() as connection:
        found = connection.execute(
            "SELECT array_agg(attname::text) @> ARRAY['kind', 'reason'] FROM pg_attribute "
            "WHERE attrelid = to_regclass('ingestion_sync_history')"
        ).fetchone()
    if found != (True,):
        warehouse.close()
        raise Unavailable(
            _NO_HISTORY
            if found == (None,)
            else "the warehouse is of an older version: run `crm-sync migrate` first"
        )
    return warehouse


def check_crm(name: str | None) -> None:
    """Raises UsageError for a CRM that does not exist."""
    from crm_sync_assets.declarations import registry

    if name is not None:
        registry.crm(name)


def check_entity(connection: Connection, crm: str | None, name: str | None) -> str | None:
    """The entity that a filter names, with underscores. Raises UsageError with the nearest name.

    It is one that is declared, or that has history: a declaration may be gone since.
    """
    from crm_sync_assets.declarations import registry

    if name is None:
        return None
    wanted = name.replace("-", "_")
    past: Iterable[tuple[str, str]] = connection.execute(
        "SELECT DISTINCT crm_source, sync_type FROM ingestion_sync_history"
    ).fetchall()
    declared = ((entity.crm, entity.sync_type) for entity in registry.all_entities().values())
    known = {entity for whose, entity in (*declared, *past) if crm in (None, whose)}
    if wanted not in known:
        raise UsageError(
            f"there is no entity '{name}'{' of ' + crm if crm else ''}{meant(wanted, known)}"
        )
    return wanted


def moment(text: str) -> datetime:
    """An aware moment from YYYY-MM-DD, an ISO date and time, or 24h, 7d. Raises UsageError."""
    from datetime import timedelta

    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[:-1].isdecimal() and text[-1:] in units:
            return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
        if len(text) > 10:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return midnight_utc(text)
    except UsageError:
        raise UsageError(
            f"'{text}' is no moment: write 24h, 7d, 2025-01-31 or 2025-01-31T12:00"
        ) from None


def print_json(value: Any) -> None:
    """JSON for programs; what a terminal would obey, or could not be written, is escaped."""
    whole = sys.stdout.encoding.lower().replace("-", "").startswith("utf")
    text = json.dumps(value, indent=2, default=_plain, ensure_ascii=not whole)
    lines = text.split("\n")
    print("\n".join(CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", line) for line in lines))


def add_output(parser: ArgumentParser) -> None:
    """The options of a command that prints tables."""
    parser.add_argument("--wide", action="store_true", help="all columns, with times in UTC")
    parser.add_argument("--json", action="store_true", help="for programs")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    nothing: str,
    wide: bool = False,
) -> None:
    """A table no wider than the terminal, or `nothing` where it has no rows.

    The columns that matter come first: the last ones are left out, and named below, where there is
    no room. Text folds; a number, a moment and a name are never cut. `wide` shows all columns,
    however wide the terminal is, and moments in UTC rather than `3 min ago`.
    """
    if not rows:
        print(nothing)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    now = datetime.now(UTC)
    shown = [[_shown(value, None if wide else now) for value in row] for row in rows]
    room = UNBOUNDED if wide else _room()
    kept = _kept(columns, rows, shown, room)
    table = Table(
        title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for position, name in enumerate(columns[:kept]):
        folds = _folds(rows, position)
        table.add_column(
            name,
            justify="right" if _counts(rows, position) else "left",
            overflow="fold",
            no_wrap=not folds,
            max_width=LONGEST_TEXT if folds else None,
        )
    for row, texts in zip(rows, shown, strict=True):
        table.add_row(
            *(
                Text(text, style=_STYLES.get(value, ""))
                for value, text in zip(row[:kept], texts, strict=False)
            )
        )
    Console(width=room, highlight=False).print(table)
    if kept < len(columns):
        print_prose(f"--wide shows more: {', '.join(columns[kept:])}")


def print_prose(text: str) -> None:
    """A sentence, in as many lines as the terminal needs for its words; in one where none is."""
    if not text.strip():
        return
    width = max(_room(), 20)
    print(textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False))


UNBOUNDED = 10_000
LONGEST_TEXT = 70
"""Columns of a text that folds."""
SHORTEST_TEXT = 16
GAP = 2


def _room() -> int:
    """How wide the terminal is. Without one, COLUMNS says; a pipe takes all."""
    return shutil.get_terminal_size((80 if sys.stdout.isatty() else UNBOUNDED, 24)).columns


def _kept(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    shown: Sequence[Sequence[str]],
    room: int,
) -> int:
    """How many of the columns fit, from the first on."""
    from rich.cells import cell_len

    used = 0
    for position, name in enumerate(columns):
        natural = max(cell_len(text) for text in (name, *(row[position] for row in shown)))
        least = max(SHORTEST_TEXT, cell_len(name)) if _folds(rows, position) else natural
        used += min(natural, least) + (GAP if position else 0)
        if used > room:
            return max(1, position)
    return len(columns)


def _counts(rows: Sequence[Sequence[object]], position: int) -> bool:
    """Whether a column holds numbers."""
    return all(isinstance(row[position], int | float | None) for row in rows)


def _folds(rows: Sequence[Sequence[object]], position: int) -> bool:
    """Whether a column holds prose, or something long, that may go on in the next line."""
    values = (row[position] for row in rows)
    return any(" " in one or len(one) > LONGEST_NAME for one in values if isinstance(one, str))


LONGEST_NAME = 44

_STYLES: dict[object, str] = {
    "success": "green",
    "partial": "yellow",
    "failed": "red",
    "running": "cyan",
}


def _shown(value: object, now: datetime | None) -> str:
    """One cell; moments as a distance from `now`, or in UTC where that is None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return ago(value, now) if now else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return one_line(str(value))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
