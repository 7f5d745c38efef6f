"""What the dashboard, Prometheus and the alert rules cost over a long history.

    python -m benchmarks.dashboard 1000000

Every declared entity, synced hourly for as long as that many rows last, with verifications, full
reads and failures in between, each row as wide as a real one. CPU milliseconds of this process and
of its PostgreSQL backend together, without parallel workers. Medians of five.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

TIMES = 5
FILL = """
INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, status, kind,
    records_processed, records_created, records_updated, error_message, reason, watermark,
    configuration, performance_metrics)
SELECT crm, type, start, start + make_interval(secs => 5 + number %% 50), status, kind,
    number %% 90, number %% 40, number %% 50,
    CASE WHEN status = 'failed' THEN 'GET /crm/v3/objects answered 502, 5 times in a row' END,
    CASE WHEN status = 'failed' THEN 'system' END,
    CASE WHEN status = 'success' AND kind = 'sync' THEN start END,
    jsonb_build_object('strategy', CASE WHEN hour %% 168 = 1 THEN 'full' ELSE 'incremental' END,
        'since', CASE WHEN hour %% 168 <> 1 THEN (start - interval '1h')::text END, 'until', null,
        'page_size', 100, 'fingerprint', md5(type) || md5(crm), 'lock', crm || '.' || type,
        'trial', false, 'meaning', jsonb_build_object('account', md5(crm)), 'resumes', null),
    jsonb_build_object('duration_seconds', 5.123 + number %% 50, 'records_per_second', 81.5,
        'success_rate', 1.0, 'unchanged', 0, 'deleted', number %% 3, 'warnings', 0,
        'api_calls', 3 + number %% 9, 'quota_units', 3 + number %% 9,
        'records_per_api_call', 17.2, 'rate_limit_wait_seconds', 0.25, 'rate_limit_hits', 0,
        'retries', 0, 'peak_memory_mb', 171.4, 'seconds_waiting', 3.2,
        'seconds_processing', 0.9, 'seconds_loading', 1.1,
        'verified_through', CASE WHEN kind = 'verify' THEN start::text END)
FROM (
    SELECT *, CASE WHEN (hour * 7 + number) %% 97 = 0 THEN 'failed' ELSE 'success' END AS status,
        CASE WHEN hour %% 168 = 2 THEN 'verify' ELSE 'sync' END AS kind,
        %(now)s::timestamptz - make_interval(hours => hour, secs => 60 * number) AS start
    FROM generate_series(%(hours)s, 1, -1) AS hour,
        unnest(%(crms)s::text[], %(types)s::text[]) WITH ORDINALITY AS e(crm, type, number)
) AS rows
"""


def main(words: Sequence[str]) -> None:
    """Print the medians."""
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.operations.baselines import named
    from crm_sync_assets.warehouse import embedded
    from crm_sync_assets.warehouse.connection import Warehouse
    from crm_sync_assets.warehouse.migrations import migrate

    rows = int(words[0]) if words else 1_000_000
    entities = list(registry.all_entities().values())
    with tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        warehouse = Warehouse(embedded.start(Path(folder) / "postgres"))
        migrate(warehouse)
        now = datetime.now(UTC)
        with warehouse.connection() as connection:
            values = {**named(entities), "now": now, "hours": rows // len(entities)}
            connection.execute(FILL, values)
            connection.commit()
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE ingestion_sync_history")
            connection.autocommit = False
            connection.execute("SET max_parallel_workers_per_gather = 0")
            connection.commit()
            backend = psutil.Process(connection.info.backend_pid)
            print(f"{rows // len(entities) * len(entities):,} rows, {len(entities)} entities")
            for name, work in _works(connection, entities, now).items():
                print(f"| {name} | {_median(work, backend):,.0f} |", flush=True)
        warehouse.close()


def _works(connection: Any, entities: Sequence[Any], now: datetime) -> dict[str, Callable[[], Any]]:
    from crm_sync_assets.dashboard import metrics
    from crm_sync_assets.dashboard.board import read
    from crm_sync_assets.dashboard.page import page
    from crm_sync_assets.operations.alert_rules import declared_settings, look
    from crm_sync_assets.operations.measured_rules import Limits

    def shown(days: int) -> str:
        board = read(connection, entities, days_back=days, now=now)
        return page(board, days_back=days, served=True)

    def rules() -> None:
        look(
            connection,
            {entity.name: entity for entity in entities},
            silence=timedelta(hours=26),
            limits=Limits(50, 0.05, 20),
            now=now,
            settings=declared_settings,
        )
        connection.rollback()

    return {
        **{f"the page, {days} days": (lambda days=days: shown(days)) for days in (7, 30, 90, 365)},
        "/metrics": lambda: metrics.exposition(read(connection, entities, days_back=1, now=now)),
        "the alert rules": rules,
    }


def _median(work: Callable[[], Any], backend: psutil.Process) -> float:
    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in (psutil.Process(), backend))

    work()
    taken = []
    for _ in range(TIMES):
        began = spent()
        work()
        taken.append(spent() - began)
    return 1000 * statistics.median(taken)


if __name__ == "__main__":
    main(sys.argv[1:])
