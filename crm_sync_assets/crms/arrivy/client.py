"""The client of Arrivy: what any declared source is, and tasks' own statuses for so many hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.clients.rest.source import Rest
from crm_sync_assets.crms.arrivy.api import API
from crm_sync_assets.crms.arrivy.sources import touches
from crm_sync_assets.crms.arrivy.variables import STATUS_HOURS
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import Environment, SyncSettings


class Arrivy(RestClient):
    """Pages from one account. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        given = environment.get("ARRIVY_STATUS_HOURS") or str(STATUS_HOURS.default)
        if not given.isdecimal():
            raise UsageError(f"{STATUS_HOURS.name} is {given!r}: give a whole number of hours")
        self._hours = int(given)
        super().__init__("arrivy", [API], environment, settings, **options)

    def _source(self, entity: Entity) -> Rest:
        source = super()._source(entity)
        back = timedelta(hours=self._hours)
        asked = source.details if self._hours else None
        return replace(source, details=asked, detailed=partial(touches, back=back))
