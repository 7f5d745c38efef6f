"""A process that asks HubSpot for its account. Imports little: eight of them start at once."""

from __future__ import annotations

from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from crm_sync_assets.crms.hubspot.client import HubSpot
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import SyncError
from crm_sync_assets.settings import environment


def ask_in_turns(barrier: Barrier, turns: int, outcome: Queue[list[str]]) -> None:
    """Ask so many times, each time when everybody is ready; tell the statuses or the errors."""
    env = environment()
    client = HubSpot(env, settings_for(registry.crm("hubspot")), database_url=env.warehouse_url)
    said = []
    for _ in range(turns):
        barrier.wait(timeout=120)
        try:
            said.append(str(client._http.session("hubspot").get(client.paths.account()).status))
        except SyncError as error:
            said.append(str(error))
        barrier.wait(timeout=120)
    client.close()
    outcome.put(said)
