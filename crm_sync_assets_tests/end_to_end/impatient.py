"""The project's definitions, for a Dagster that waits for nobody: a silent run is dead at once."""

from datetime import timedelta

from crm_sync_assets.definitions import defs
from crm_sync_assets.orchestration import sensors

__all__ = ["defs"]

sensors.SILENT_FOR = timedelta(0)
