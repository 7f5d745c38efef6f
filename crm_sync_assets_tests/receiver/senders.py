"""Senders of the sandbox with the secrets that a receiver knows, and turns at what they told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from crm_sync_assets.operations.turns import Clients, turns
from crm_sync_assets.operations.webhooks import Taken
from crm_sync_assets.sandbox.crms.arrivy import webhooks as arrivy
from crm_sync_assets.sandbox.crms.callrail import webhooks as callrail
from crm_sync_assets.sandbox.crms.hubspot import webhooks as hubspot
from crm_sync_assets.sandbox.crms.leadconduit import webhooks as leadconduit
from crm_sync_assets.sandbox.crms.pipedrive import webhooks as pipedrive
from crm_sync_assets.sandbox.crms.salesrabbit import webhooks as salesrabbit
from crm_sync_assets.sandbox.webhooks import Sender
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.crms.bench import Bench
from crm_sync_assets_tests.receiver.bench import SECRETS, serving

SENDERS: Final[Mapping[str, Callable[[Any, str], Sender]]] = {
    "arrivy": lambda world, url: arrivy.sender(world, url, SECRETS["ARRIVY_WEBHOOK_TOKEN"]),
    "callrail": lambda world, url: callrail.sender(world, url, SECRETS["CALLRAIL_WEBHOOK_KEY"]),
    "hubspot": lambda world, url: hubspot.sender(world, url, SECRETS["HUBSPOT_WEBHOOK_SECRET"]),
    "leadconduit": lambda world, url: leadconduit.sender(
        world, url, SECRETS["LEADCONDUIT_WEBHOOK_TOKEN"]
    ),
    "pipedrive": lambda world, url: pipedrive.sender(
        world, url, SECRETS["PIPEDRIVE_WEBHOOK_USER"], SECRETS["PIPEDRIVE_WEBHOOK_PASSWORD"]
    ),
    "salesrabbit": lambda world, url: salesrabbit.sender(
        world, url, SECRETS["SALESRABBIT_WEBHOOK_TOKEN"]
    ),
}


@contextmanager
def telling(bench: Bench[Any]) -> Iterator[Sender]:
    """What happens from now on is told to a receiver that keeps it in the bench's warehouse."""
    for name, value in SECRETS.items():
        bench.environment.setenv(name, value)
    with serving(lambda: bench.warehouse) as receiver:
        sender = SENDERS[bench.crm](bench.world, f"{receiver.url}/webhooks/{bench.crm}")
        yield sender
        sender.close()


def all_turns(warehouse: Warehouse, client: Any = None) -> list[Taken]:
    """Until nothing that can be read is pending any more; with this client, or one of their own."""
    clients = Clients() if client is None else Clients(lambda _: client)
    taken = list[Taken]()
    for _ in range(20):
        found = list(turns(warehouse, clients))
        for one in found:
            assert isinstance(one, Taken), one
            assert one.why is None, one.why
        done = [one for one in found if isinstance(one, Taken) and (one.events or one.settled)]
        if not done:
            break
        taken += done
    if client is None:
        clients.close()
    return taken
