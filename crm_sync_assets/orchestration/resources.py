"""Dagster resources: the warehouse, and the client of each CRM."""

import logging

import dagster as dg
from pydantic import PrivateAttr

from crm_sync_assets import log, redaction
from crm_sync_assets.declarations.contract import Client
from crm_sync_assets.operations.opening import open_client, open_warehouse
from crm_sync_assets.settings import environment
from crm_sync_assets.warehouse.connection import Warehouse


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """PostgreSQL: CRM_SYNC_WAREHOUSE_URL, or the embedded server when that is not set."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        prepare_log(context.instance)

    def open(self) -> Warehouse:
        """A migrated warehouse with a pool of connections."""
        return open_warehouse()


def prepare_log(instance: dg.DagsterInstance | None) -> None:
    """Write our log lines where Dagster makes nothing of them."""
    managed = instance.managed_python_loggers if instance else []
    if not {redaction.PACKAGE, "root"} & set(managed) and not logging.root.handlers:
        log.configure(environment().log_level)


class ClientResource(dg.ConfigurableResource[Client]):
    """The client of one CRM, made from the environment the first time an asset needs it."""

    crm: str
    _client: Client | None = PrivateAttr(None)

    def open(self) -> Client:
        """The client. Raises UsageError naming the variable that is not set."""
        if self._client is None:
            self._client = open_client(self.crm)
        return self._client

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        if self._client is not None:
            self._client.close()
            self._client = None
