"""How fast many contacts of Salesforce are read by a bulk job and by queries, and with how much
memory; and whether both make the same table.

    python -m benchmarks.salesforce 50000 500000

The sandbox plays an org with as many contacts, and a fiftieth of that in its recycle bin, in a
process of its own. Each reading is a process of its own, too, with an empty warehouse, so that its
peak memory is its own. Prints a table in Markdown; fails where the tables differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

READINGS = {"bulk job": "1", "queries": "0"}
"""`bulk_rows`."""
TABLE = "salesforce_contact"


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("contacts", nargs="*", type=int, default=[50_000, 500_000])
    arguments.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args(words)
    if given.one:
        print(json.dumps(_one()))
        return
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox
    from crm_sync_assets.warehouse import embedded

    print("| contacts | read by | seconds | records/s | peak MB | requests |")
    print("|---:|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = embedded.start(Path(folder) / "postgres")
        for count in given.contacts:
            digests = {}
            with sandbox("--salesforce-contacts", str(count)) as org:
                for reading, bulk_rows in READINGS.items():
                    warehouse = beside(server, f"warehouse_{count}_{bulk_rows}")
                    line = _measured(org.env, warehouse, bulk_rows)
                    print(f"| {count:,} | {reading} | {line} |", flush=True)
                    digests[reading] = _digest(warehouse)
            if len({*digests.values()}) != 1 or digests["queries"][0] < count:
                raise SystemExit(f"the tables differ: {digests}")


def _measured(org: object, warehouse: str, bulk_rows: str) -> str:
    assert isinstance(org, dict)
    env = {
        **os.environ,
        **org,
        "CRM_SYNC_WAREHOUSE_URL": warehouse,
        "CRM_SYNC_SALESFORCE__BULK_ROWS": bulk_rows,
    }
    command = [sys.executable, "-m", "benchmarks.salesforce", "--one"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return (
        f"{told['seconds']:.1f} | {told['per_second']:,.0f} | {told['peak_mb']:.0f} | "
        f"{told['requests']}"
    )


def _one() -> dict[str, float]:
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.flags import Flags
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.engine.measures import peak_memory_mb
    from crm_sync_assets.engine.request import Request
    from crm_sync_assets.engine.run import begin, drain
    from crm_sync_assets.operations.opening import open_client, open_warehouse

    crm, entity = registry.crm("salesforce"), registry.entity("salesforce.contacts")
    client, warehouse = open_client(crm.name), open_warehouse()
    began = time.monotonic()
    sync = begin(Request(crm, entity, Flags(), settings_for(crm, entity)), client, warehouse)
    counts = drain(sync)
    seconds = time.monotonic() - began
    client.close()
    return {
        "seconds": seconds,
        "per_second": counts.processed / seconds,
        "peak_mb": peak_memory_mb(),
        "requests": sync.usage.api_calls,
    }


def _digest(url: str) -> tuple[int, str]:
    """How many rows there are, and a sum over all that they hold."""
    row = "to_jsonb(t) - 'sync_created_at' - 'sync_updated_at'"
    query = (
        f"SELECT count(*), sum(hashtextextended(({row})::text, 0)::numeric)::text "  # noqa: S608  names of ours
        f"FROM {TABLE} AS t"
    )
    with psycopg.connect(url) as connection:
        found = connection.execute(query).fetchone()
    assert found is not None
    return found[0], found[1]


if __name__ == "__main__":
    main()
