"""The bare loop: fetch, decode, make a tuple, COPY, upsert, and nothing else. The limit to reach.

    python -m benchmarks.bare full|delta

No retries, limits, checks, history or checkpoint; a value that will not parse ends it. httpx
fetches in a thread, ahead of the load.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx  # noqa: TID251 - what a bare loop would use
import msgspec
import psycopg

from benchmarks import records

TABLE = "bench_bare"
BATCH = 5_000
COLUMNS: dict[str, str] = {
    "id": "text",
    **dict.fromkeys(records.NAMES, "text"),
    **dict.fromkeys(records.NUMBERS, "numeric"),
    **dict.fromkeys(records.BOOLEANS, "boolean"),
    **dict.fromkeys(records.MOMENTS, "timestamptz"),
    "archived": "boolean",
}


def pages(base: str, since: datetime | None) -> Iterator[list[dict[str, Any]]]:
    names = list(records.NAMES)
    with httpx.Client(base_url=base, timeout=60) as client:
        after: str | None = "0"
        while after is not None:
            if since is None:
                answer = client.get(
                    "/crm/v3/objects/contacts",
                    params={"limit": "100", "properties": ",".join(names), "after": after},
                )
            else:
                moment = str(int(since.timestamp() * 1000))
                bound = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": moment}
                answer = client.post(
                    "/crm/v3/objects/contacts/search",
                    json={
                        "filterGroups": [{"filters": [bound]}],
                        "properties": names,
                        "limit": 200,
                        "after": after,
                    },
                )
            answer.raise_for_status()
            body = msgspec.json.decode(answer.content)
            yield body["results"]
            after = body.get("paging", {}).get("next", {}).get("after")


def compiled() -> Any:
    parsers = {"numeric": Decimal, "timestamptz": datetime.fromisoformat}
    parts = ["record['id']"]
    for name, kind in list(COLUMNS.items())[1:-1]:
        value = f"get({name!r})"
        if kind in parsers:
            value = f"(None if ({name}_ := {value}) is None else {kind}({name}_))"
        elif kind == "boolean":
            value = f"{value} == 'true'"
        parts.append(value)
    source = (
        f"def row(record):\n get = record['properties'].get\n return ({', '.join(parts)}, False)"
    )
    space: dict[str, Any] = dict(parsers)
    exec(source, space)
    return space["row"]


def load(connection: psycopg.Connection[Any], rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(COLUMNS)
    with connection.transaction(), connection.cursor() as cursor:
        with cursor.copy(f"COPY stage ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(list(COLUMNS.values()))
            for row in rows:
                copy.write_row(row)
        others = [name for name in COLUMNS if name != "id"]
        mine, theirs = (", ".join(f"{of}.{name}" for name in others) for of in ("t", "excluded"))
        cursor.execute(
            f"INSERT INTO {TABLE} AS t ({names}) SELECT {names} FROM stage ON CONFLICT (id) "  # noqa: S608
            f"DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in others)} "
            f"WHERE ({mine}) IS DISTINCT FROM ({theirs})"
        )


def _newest(connection: psycopg.Connection[Any]) -> Any:
    found = connection.execute(f"SELECT max(lastmodifieddate) FROM {TABLE}").fetchone()  # noqa: S608
    return found[0] if found else None


def main(how: str) -> int:
    base, url = os.environ["HUBSPOT_BASE_URL"], os.environ["CRM_SYNC_WAREHOUSE_URL"]
    definition = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    done = 0
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({definition}, PRIMARY KEY (id))")
        connection.execute(f"CREATE TEMP TABLE stage ({definition}) ON COMMIT DELETE ROWS")
        connection.commit()
        since = None
        if how == "delta":
            since = _newest(connection)
            connection.commit()
        ready: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(50)

        def fetch() -> None:
            for page in pages(base, since):
                ready.put(page)
            ready.put(None)

        threading.Thread(target=fetch, daemon=True).start()
        row, rows = compiled(), []
        while (page := ready.get()) is not None:
            rows += map(row, page)
            if len(rows) >= BATCH:
                load(connection, rows)
                done += len(rows)
                rows = []
        if rows:
            load(connection, rows)
            done += len(rows)
    return done


if __name__ == "__main__":
    began = time.monotonic()
    count = main(sys.argv[1])
    print(f"{time.monotonic() - began:.3f}", file=sys.stderr)
    print(count)
