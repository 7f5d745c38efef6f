"""The warehouse and the clients of the environment, opened once per process."""

import threading

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.declarations.crm import Shared
from crm_sync_assets.declarations.overrides import client_for
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse import encryption
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.embedded import warehouse_url
from crm_sync_assets.warehouse.migrations import migrate

_opening = threading.Lock()
_warehouses: dict[str, Warehouse] = {}


def open_warehouse(url: str | None = None) -> Warehouse:
    """The warehouse of the environment (or of `url`), started and migrated, one per process.

    Raises FatalError, saying what to check, when it cannot be reached, and UsageError when a key
    is missing that something in it is encrypted with.
    """
    with _opening:
        env = environment()
        keys = env.encryption_keys
        url = url or warehouse_url(env)
        warehouse = _warehouses.get(url)
        if warehouse is None or warehouse.encryption_keys != keys:
            if warehouse is not None:
                _warehouses.pop(url).close()
            warehouse = Warehouse(url, keys)
            try:
                migrate(warehouse)
                encryption.check(warehouse)
            except BaseException:
                warehouse.close()
                raise
            _warehouses[url] = warehouse
        return warehouse


def open_client(crm_name: str, *, patience_seconds: float | None = None) -> Client:
    """A client of the CRM whose rate budget and tokens are shared through the warehouse."""
    crm = registry.crm(crm_name)
    shared = Shared(open_warehouse().url)
    return client_for(crm, environment(), shared, patience_seconds=patience_seconds)
