"""What asking for several pages of a list at once brings, at 80 ms for each answer.

    python -m benchmarks.concurrent_pages 1 3 8

The sandbox plays Arrivy with 3,000 tasks in one slice; each is a full sync with pages of 50, into
an empty warehouse, in this process. The account's cap is as large as what is asked for, unless
--cap says another one, and its windows are off.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

TASKS, SIZE, LATENCY = 3_000, 50, 0.08
BEGINS = datetime(2026, 11, 24, tzinfo=UTC)


def main(words: Sequence[str] | None = None) -> None:
    """Print, for each number of pages, the seconds of a sync and how many requests ran at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", type=int, default=[1, 3, 8])
    parser.add_argument("--cap", type=int, help="requests of the account at once")
    given = parser.parse_args(words)
    logging.disable(logging.WARNING)
    from crm_sync_assets.sandbox import Sandbox
    from crm_sync_assets.warehouse import embedded

    with tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        os.environ["CRM_SYNC_WAREHOUSE_URL"] = embedded.start(Path(folder) / "postgres")
        with Sandbox(seed=7, contacts=1, zipcodes=1, arrivy_tasks=0) as sandbox:
            sandbox.clock.freeze(BEGINS - timedelta(days=4))
            for number in range(TASKS):
                sandbox.arrivy.book(BEGINS + timedelta(minutes=10 * number))
            os.environ |= sandbox.env() | {"CRM_SYNC_ARRIVY__RATE_WINDOWS": "[]"}
            sandbox.knobs.latency = LATENCY
            print("| concurrent_pages | cap | seconds | requests | at once |")
            print("|---:|---:|---:|---:|---:|")
            for pages in given.pages:
                cap = given.cap or pages
                sandbox.ledger.reset()
                seconds = _seconds(pages, cap)
                asked, most = sandbox.ledger.count("/tasks"), sandbox.ledger.most_at_once["arrivy"]
                print(f"| {pages} | {cap} | {seconds:.1f} | {asked} | {most} |", flush=True)


def _seconds(pages: int, cap: int) -> float:
    """A full sync of all tasks into an empty table."""
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.crm import flags_of
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets.engine.request import Request
    from crm_sync_assets.engine.run import begin, drain
    from crm_sync_assets.operations.opening import open_client, open_warehouse

    os.environ["CRM_SYNC_ARRIVY__REQUESTS_AT_ONCE"] = str(cap)
    warehouse, crm = open_warehouse(), registry.crm("arrivy")
    entity = registry.entity("arrivy.tasks")
    with warehouse.connection() as connection:
        connection.execute("DROP TABLE IF EXISTS arrivy_task")
        connection.commit()
    flags = flags_of(crm).model_validate(
        {"full": True, "batch_size": SIZE, "concurrent_pages": pages}
    )
    client = open_client("arrivy")
    try:
        began = time.monotonic()
        request = Request(crm, entity, flags, settings_for(crm, entity))
        counts = drain(begin(request, client, warehouse))
        seconds = time.monotonic() - began
    finally:
        client.close()
    if counts.created != TASKS:
        raise SystemExit(f"{counts.created} rows were created, and there are {TASKS} tasks")
    return seconds


if __name__ == "__main__":
    main()
