"""The client of LeadConduit: what any declared source is, and a flag of old that says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_sync_assets.clients.rest.client import RestClient
from crm_sync_assets.crms.leadconduit.api import API
from crm_sync_assets.declarations.contract import Page, Read, Usage
from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import logger
from crm_sync_assets.settings import Environment, SyncSettings

log = logger(__name__)
CONFIGS: Final = ("default", "development", "production", "testing")


class LeadConduit(RestClient):
    """Pages from one account. The options are those of `RestAccount`."""

    def __init__(self, environment: Environment, settings: SyncSettings, **options: Any) -> None:
        super().__init__("leadconduit", [API], environment, settings, **options)

    def pages(self, read: Read, usage: Usage) -> Iterator[Page]:
        """As any list's. Raises UsageError for a `config` that there never was."""
        config = read.options.get("config")
        if config and config not in CONFIGS:
            raise UsageError(f"config is '{config}': there were {', '.join(CONFIGS)}; leave it out")
        if config and self.first_time(("config", read.entity.name)):
            log.warning(
                "%s: config chooses nothing any more, the environment does: leave it out",
                read.entity,
            )
        yield from super().pages(read, usage)
