"""dlt: rest_api source, merge by id, PostgreSQL.

    python benchmarks/peers/dlt_load.py default|tuned|arrow full|delta

`tuned` has what dlt's performance page advises: bigger buffers and files, orjson (found by
itself), the upsert merge strategy, parallel normalize and load. `arrow` builds typed tables by
hand and gives them to dlt, which then has nothing to infer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks import records

HOW, WHAT = sys.argv[1:3]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
if HOW != "default":
    os.environ |= {
        "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
        "DATA_WRITER__FILE_MAX_ITEMS": "100000",
        "NORMALIZE__WORKERS": "2",
        "NORMALIZE__START_METHOD": "spawn",
        "LOAD__WORKERS": "2",
        "EXTRACT__WORKERS": "2",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
        "SCHEMA__NAMING": "direct",
    }

import dlt  # noqa: E402
from dlt.sources.helpers import requests  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

COLUMNS: dict[str, dict[str, Any]] = {
    **{f"properties__{name}": {"data_type": "decimal"} for name in records.NUMBERS},
    **{f"properties__{name}": {"data_type": "bool"} for name in records.BOOLEANS},
    **{f"properties__{name}": {"data_type": "timestamp"} for name in records.MOMENTS},
}
START = "1970-01-01T00:00:00.000Z"
BASE = os.environ["HUBSPOT_BASE_URL"]


def _milliseconds(moment: str) -> str:
    return str(int(datetime.fromisoformat(moment).timestamp() * 1000))


def _rest() -> Any:
    """The list for a full load, the search by modified date for a delta."""
    common: dict[str, Any] = {
        "name": "contacts",
        "primary_key": "id",
        "write_disposition": {"disposition": "merge", "strategy": "upsert"}
        if HOW == "tuned"
        else "merge",
        "columns": COLUMNS,
        "max_table_nesting": 1,
    }
    listing = {
        "path": "/crm/v3/objects/contacts",
        "params": {"limit": 100, "properties": ",".join(records.NAMES)},
        "data_selector": "results",
        "paginator": {
            "type": "cursor",
            "cursor_path": "paging.next.after",
            "cursor_param": "after",
        },
    }
    search = {
        "path": "/crm/v3/objects/contacts/search",
        "method": "POST",
        "json": {
            "filterGroups": [
                {
                    "filters": [
                        {
                            "propertyName": "lastmodifieddate",
                            "operator": "GTE",
                            "value": "{incremental.start_value}",
                        }
                    ]
                }
            ],
            "properties": list(records.NAMES),
            "limit": 200,
        },
        "incremental": {
            "cursor_path": "properties.lastmodifieddate",
            "initial_value": os.environ.get("BENCH_SINCE", START),
            "convert": _milliseconds,
        },
        "data_selector": "results",
        "paginator": {
            "type": "cursor",
            "cursor_path": "paging.next.after",
            "cursor_body_path": "after",
        },
    }
    endpoint = listing if WHAT == "full" else search
    return rest_api_source(
        {"client": {"base_url": BASE}, "resources": [{**common, "endpoint": endpoint}]},
        name="hubspot",
    )


def _arrow() -> Any:
    import pyarrow as pa

    kinds = {
        **dict.fromkeys(records.NUMBERS, pa.decimal128(18, 4)),
        **dict.fromkeys(records.BOOLEANS, pa.bool_()),
        **dict.fromkeys(records.MOMENTS, pa.timestamp("us", tz="UTC")),
    }
    schema = pa.schema(
        [("id", pa.string()), *((name, kinds.get(name, pa.string())) for name in records.NAMES)]
    )

    def value(name: str, text: str | None) -> Any:
        from decimal import Decimal

        if text is None:
            return None
        if name in records.NUMBERS:
            return Decimal(text).quantize(Decimal("0.0001"))
        if name in records.BOOLEANS:
            return text == "true"
        return datetime.fromisoformat(text) if name in records.MOMENTS else text

    def tables() -> Iterator[Any]:
        session, after, rows = requests.Client().session, "0", []
        newest = dlt.current.resource_state().setdefault("newest", START)
        since = os.environ.get("BENCH_SINCE", newest)
        while after is not None:
            if WHAT == "full":
                answer = session.get(
                    f"{BASE}/crm/v3/objects/contacts",
                    params={"limit": 100, "properties": ",".join(records.NAMES), "after": after},
                )
            else:
                bound = {"propertyName": "lastmodifieddate", "operator": "GTE"}
                answer = session.post(
                    f"{BASE}/crm/v3/objects/contacts/search",
                    json={
                        "filterGroups": [{"filters": [bound | {"value": _milliseconds(since)}]}],
                        "properties": list(records.NAMES),
                        "limit": 200,
                        "after": after,
                    },
                )
            import orjson

            body = orjson.loads(answer.content)
            rows += body["results"]
            after = body.get("paging", {}).get("next", {}).get("after")
            if rows and (len(rows) >= 10_000 or after is None):
                columns = [[row["id"] for row in rows]]
                for name in records.NAMES:
                    columns.append([value(name, row["properties"].get(name)) for row in rows])
                yield pa.table(
                    [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema
                )
                rows = []

    return dlt.resource(
        tables,
        name="contacts_arrow",
        primary_key="id",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
    )


def main() -> int:
    pipeline = dlt.pipeline(
        f"bench_{HOW}",
        destination=dlt.destinations.postgres(_credentials(os.environ["CRM_SYNC_WAREHOUSE_URL"])),
        dataset_name=f"bench_dlt_{HOW}",
        pipelines_dir=os.environ["BENCH_FOLDER"],
    )
    pipeline.run(_arrow() if HOW == "arrow" else _rest())
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return sum(n for name, n in counts.items() if name.startswith("contacts"))


def _credentials(url: str) -> Any:
    """The URL's parts; a socket folder that stands in the query is the host."""
    from dlt.destinations.impl.postgres.configuration import PostgresCredentials

    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    credentials = PostgresCredentials()
    credentials.host = quote(options.get("host") or parts.hostname or "", safe="")
    credentials.port = parts.port or 5432
    credentials.username = parts.username or "postgres"
    credentials.password = parts.password or "none"
    credentials.database = parts.path.lstrip("/")
    return credentials


if __name__ == "__main__":
    print(main())
