"""Processes that sync one entity, or read what webhooks told, and may kill themselves at their n-th
statement.

    python -m crm_sync_assets_tests.oracle.killed

reads an order per line and writes an exit code per line: 0 for a sync that ended well, 1 for one
that failed, -9 for one that was killed. Each order is a process of its own, forked from this one,
which has imported everything and opened nothing. Every call of the driver counts as a statement,
the commit at the end of a transaction too; those of other threads do not.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.crms.arrivy.client import Arrivy
from crm_sync_assets.crms.callrail.api import API as CALLRAIL
from crm_sync_assets.crms.five9.client import Five9
from crm_sync_assets.crms.genius.client import Genius
from crm_sync_assets.crms.gsheet.client import GSheet
from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.crms.leadconduit.client import LeadConduit
from crm_sync_assets.crms.marketsharp.client import MarketSharp
from crm_sync_assets.crms.pipedrive.client import Pipedrive
from crm_sync_assets.crms.salesforce.client import Salesforce
from crm_sync_assets.crms.salespro.client import SalesPro
from crm_sync_assets.crms.salesrabbit.api import API as SALESRABBIT
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.engine.request import Request
from crm_sync_assets.engine.run import begin, drain
from crm_sync_assets.errors import SyncError
from crm_sync_assets.operations.turns import Clients, turns
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.connection import Warehouse

STATEMENTS = (
    (psycopg.Connection, "execute"),
    (psycopg.Connection, "commit"),
    (psycopg.Connection, "rollback"),
    (psycopg.Cursor, "executemany"),
    (psycopg.Cursor, "copy"),
    (psycopg.Transaction, "__enter__"),
    (psycopg.Transaction, "__exit__"),
)


DECLARED = {"callrail": CALLRAIL, "salesrabbit": SALESRABBIT}
"""CRMs without a client of their own."""


def die_at(nth: int) -> None:
    """Kill this process before the main thread's n-th statement."""
    passed = 0

    def count(original: Any) -> Any:
        def counted(*args: Any, **options: Any) -> Any:
            nonlocal passed
            if threading.current_thread() is threading.main_thread():
                passed += 1
                if passed == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **options)

        return counted

    for owner, name in STATEMENTS:
        setattr(owner, name, count(getattr(owner, name)))


def no_wait(_seconds: float) -> None:
    """Instead of waiting between two tries."""


def open_client(crm_name: str, source_time: Callable[[], datetime] | None = None) -> Client:
    """The client of the environment's account; it never waits. Genius's clock is `source_time`."""
    crm, env = registry.crm(crm_name), environment()
    settings = settings_for(crm)
    if crm_name in DECLARED:
        return RestClient(
            crm_name,
            [DECLARED[crm_name]],
            env,
            settings,
            database_url=env.warehouse_url,
            sleep=no_wait,
        )
    if crm_name == "arrivy":
        return Arrivy(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "five9":
        return Five9(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "gsheet":
        return GSheet(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "leadconduit":
        return LeadConduit(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "marketsharp":
        return MarketSharp(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "salesforce":
        return Salesforce(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "salespro":
        return SalesPro(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "pipedrive":
        return Pipedrive(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    if crm_name == "hubspot":
        return HubSpot(env, settings, database_url=env.warehouse_url, sleep=no_wait)
    client = Genius(env, settings, sleep=no_wait)
    assert source_time is not None
    client.source_time = source_time  # type: ignore[method-assign]
    return client


def sync(order: dict[str, Any]) -> int:
    os.environ.update(order["environment"])
    if order["nth"]:
        die_at(order["nth"])
    crm = registry.crm(order["crm"])
    entity = registry.entity(f"{crm.name}.{order['entity']}")
    url = environment().warehouse_url
    assert url is not None
    source_time = datetime.fromisoformat(order["source_time"])
    client = open_client(crm.name, lambda: source_time)
    if order.get("turns"):
        done = [*turns(Warehouse(url), Clients(lambda _: client))]
        return int(any(isinstance(one, SyncError) for one in done))
    request = Request(crm, entity, Flags(**order["flags"]), settings_for(crm, entity))
    try:
        drain(begin(request, client, Warehouse(url)))
    except SyncError:
        return 1
    return 0


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                code = sync(json.loads(line))
            except BaseException:  # noqa: BLE001  whatever it was, the log has it
                traceback.print_exc()
                code = 2
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
