"""What a run over many daily partitions costs, and how much of it are Dagster's own events.

    python -m benchmarks.partitions 100 300

The sandbox plays HubSpot; the run is in this process, on Dagster's SQLite.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

QUIET = {"telemetry": {"enabled": False}}
PER_PARTITION = ("ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION")


def main(words: Sequence[str]) -> None:
    """Print, for each number of partitions, the seconds from one kind of event to the next."""
    from crm_sync_assets.sandbox import Sandbox
    from crm_sync_assets.warehouse import embedded

    with tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        server = embedded.start(home / "postgres")
        with Sandbox(seed=7, contacts=20) as sandbox:
            os.environ |= sandbox.env()
            os.environ["CRM_SYNC_WAREHOUSE_URL"] = server
            os.environ["CRM_SYNC_HOME"] = str(home / "state")
            os.environ["CRM_SYNC_HUBSPOT__RATE_WINDOWS"] = "[]"
            print("| partitions | all | planned | sync | stored | sensor |")
            print("|---:|---:|---:|---:|---:|---:|")
            for number in map(int, words or ["100", "300"]):
                seconds = _seconds(home / f"dagster_{number}", number)
                print(f"| {number} | {' | '.join(f'{one:.1f}' for one in seconds)} |", flush=True)


def _seconds(folder: Path, number: int) -> list[float]:
    """In all; writing what is planned; the sync; writing what came of it; the sensor after it."""
    import dagster as dg

    from crm_sync_assets.declarations import registry
    from crm_sync_assets.definitions import build
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.orchestration import sensors

    folder.mkdir()
    first = datetime.now(UTC).date() - timedelta(days=number)
    os.environ |= {"CRM_SYNC_FIRST_DAY": first.isoformat(), "CRM_SYNC_PARTITIONS": "day"}
    entity = registry.entity("hubspot.deals")
    with dg.DagsterInstance.local_temp(str(folder), overrides=QUIET) as instance:
        began = time.time()
        result = (
            build()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["hubspot", "deals"])],
                tags={
                    "dagster/asset_partition_range_start": first.isoformat(),
                    "dagster/asset_partition_range_end": f"{first + timedelta(days=number - 1)}",
                },
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
        ended = time.time()
        at = {kind: _moments(instance, result.run_id, kind) for kind in PER_PARTITION}
        planned, stored = (at[kind] for kind in PER_PARTITION)
        assert len(planned) == len(stored) == number, "Dagster's own events, one of each"
        with open_warehouse().connection() as connection:
            sensors.mirror_all(instance, connection, [entity], {})
        mirrored = time.time() - ended
    return [
        ended - began,
        planned[-1] - planned[0],
        stored[0] - planned[-1],
        stored[-1] - stored[0],
        mirrored,
    ]


def _moments(instance: Any, run_id: str, kind: str) -> list[float]:
    logs = instance.all_logs(run_id)
    return [
        entry.timestamp
        for entry in logs
        if entry.is_dagster_event and entry.get_dagster_event().event_type_value == kind
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
