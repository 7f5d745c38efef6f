"""A process that syncs one entity and may kill itself at a given step.

    python -m crm_sync_assets_tests.end_to_end.killed '{"kill": "before COPY", "nth": 4, …}'

The steps are wrapped from outside: the engine knows nothing of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Shared
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import client_for, settings_for
from crm_sync_assets.engine import run
from crm_sync_assets.engine.ending import Ending
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.engine.session import Session
from crm_sync_assets.errors import SyncError
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse import history, loading
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.loading import Table

# Step → (what is wrapped, its name there, whether the blow falls before it, after it, or at the
# end of the transaction that is handed to it).
STEPS: dict[str, tuple[Any, str, str]] = {
    "after opening the row": (history, "insert", "after"),
    "after making the tables": (run, "_prepare", "after"),
    "before COPY": (loading, "_copy", "before"),
    "between COPY and upsert": (Table, "upsert", "before"),
    "after upsert": (history, "record_progress", "before"),
    "before commit": (history, "record_progress", "after"),
    "at the commit": (Session, "committed", "inside"),
    "after commit": (Session, "committed", "after"),
    "after the last batch": (Ending, "complete", "before"),
    "in the close": (history, "close", "before"),
    "before the commit of the close": (history, "close", "after"),
    "after the close": (Ending, "complete", "after"),
}


def strike(step: str, nth: int, blow: Callable[[], None]) -> None:
    """Call `blow` at the n-th passing of a step."""
    owner, name, when = STEPS[step]
    original = getattr(owner, name)
    passed = 0

    def wrapped(*args: Any, **options: Any) -> Any:
        nonlocal passed
        passed += 1
        if when == "before" and passed == nth:
            blow()
        if when == "inside" and passed == nth:
            session, transaction = args

            def then_blow() -> Any:
                found = transaction()
                blow()
                return found

            args = (session, then_blow)
        found = original(*args, **options)
        if when == "after" and passed == nth:
            blow()
        return found

    setattr(owner, name, wrapped)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait() -> None:
    """Say that the step is reached, and go on when told to."""
    print("waiting", flush=True)
    sys.stdin.readline()


def main(order: dict[str, Any]) -> int:
    if order.get("kill"):
        strike(order["kill"], order.get("nth", 1), die)
    if order.get("wait"):
        strike(order["wait"], order.get("nth", 1), wait)
    crm = registry.crm(order.get("crm", "hubspot"))
    entity = registry.entity(f"{crm.name}.{order['entity']}")
    env = environment()
    assert env.warehouse_url is not None
    client = client_for(crm, env, Shared(env.warehouse_url))
    request = Request(
        crm, entity, Flags(**order.get("flags", {})), settings_for(crm, entity), order.get("run_id")
    )
    try:
        sync = begin(request, client, Warehouse(env.warehouse_url))
        drain(sync)
    except SyncError as error:
        print(error, flush=True)
        return 1
    print(sync.status, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
