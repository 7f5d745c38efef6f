"""Tables on the terminal, JSON for programs, and the warehouse both are read from."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.declarations.strategy import midnight_utc
from crm_sync_assets.errors import Unavailable, UsageError
from crm_sync_assets.redaction import CONTROL, one_line
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.connection import Connection, Warehouse
from crm_sync_assets.warehouse.embedded import warehouse_url


def open_for_reading() -> Warehouse:
    """The warehouse of the environment. Raises FatalError when it has no history yet."""
    env = environment()
    keys = env.encryption_keys
    warehouse = Warehouse(warehouse_url(env), keys)
    with warehouse.connection() as connection:
        found = connection.execute(
            "SELECT array_agg(attname::text) @> ARRAY['kind', 'reason'] FROM pg_attribute "
            "WHERE attrelid = to_regclass('ingestion_sync_history')"
        ).fetchone()
    if found != (True,):
        warehouse.close()
        raise Unavailable(
            "the warehouse has no SyncHistory yet: run a sync, or `crm-sync migrate`, first"
            if found == (None,)
            else "the warehouse is of an older version: run `crm-sync migrate` first"
        )
    return warehouse


def check_crm(name: str | None) -> None:
    """Raises UsageError for a CRM that does not exist."""
    from crm_sync_assets.declarations import registry

    if name is not None:
        registry.crm(name)


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


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table as wide as the terminal; numbers to the right. Wider lines fold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for position, name in enumerate(columns):
        numbers = all(isinstance(row[position], int | float | None) for row in rows)
        table.add_column(name, justify="right" if numbers and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value), style=_STYLES.get(value, "")) for value in row))
    Console(width=None if sys.stdout.isatty() else 180, highlight=False).print(table)


_STYLES: dict[object, str] = {
    "success": "green",
    "partial": "yellow",
    "failed": "red",
    "running": "cyan",
}


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return one_line(str(value))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


__all__ = ["Connection", "check_crm", "moment", "open_for_reading", "print_json", "print_table"]
