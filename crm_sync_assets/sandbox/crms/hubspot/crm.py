"""HubSpot as a part of the sandbox: its world, its endpoints, its operations."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute

from crm_sync_assets.sandbox.clock import Clock
from crm_sync_assets.sandbox.crms.hubspot.auth import CLIENT_ID, CLIENT_SECRET, Auth
from crm_sync_assets.sandbox.crms.hubspot.portal import Portal
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES
from crm_sync_assets.sandbox.crms.hubspot.routes import routes
from crm_sync_assets.sandbox.crms.hubspot.world import World
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Ledger

_WORLD = frozenset(
    [
        "create",
        "edit",
        "archive",
        "restore",
        "purge",
        "gdpr_delete",
        "merge",
        "associate",
        "dissociate",
        "associated",
        "bulk_touch",
        "recalculate",
        "move",
        "ids",
        "get",
    ]
)
_DIRECTORY = frozenset(
    ["edit_owner", "archive_owner", "create_owner", "edit_pipeline", "edit_stage"]
)


class HubSpot:
    """One portal, its tokens and its endpoints."""

    name = "hubspot"

    def __init__(
        self,
        clock: Clock,
        knobs: Knobs,
        ledger: Ledger,
        seed: int,
        contacts: int,
        counts: Mapping[str, int],
    ) -> None:
        self.world = World(clock, knobs, seed, contacts, counts)
        self.auth = Auth(clock, knobs, seed)
        self.portal = Portal(self.world, knobs, ledger, self.auth)
        # What belongs to this source's entities and is kept elsewhere.
        self.elsewhere: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {}

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """Endpoints by mount point."""
        return {"/hubspot": list(routes(self.portal))}

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        with self.world.lock:
            self.world.reset()
            self.auth.reset()
            self.portal.reset()

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """A world operation by name. LookupError when there is none."""
        if operation in _WORLD:
            return getattr(self.world, operation)(**arguments)
        if operation in _DIRECTORY:
            return getattr(self.world.directory, operation)(**arguments)
        raise LookupError(f"no operation {operation!r}, want {sorted(_WORLD | _DIRECTORY)}")

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The final state; see `World.truth`."""
        return self.elsewhere[what]() if what in self.elsewhere else self.world.truth(what)

    def env(self, url: str) -> dict[str, str]:
        """Settings of a client with the static token."""
        return {
            "HUBSPOT_BASE_URL": f"{url}/hubspot",
            "HUBSPOT_TOKEN": self.auth.token,
            "HUBSPOT_DIVISIONS_OBJECT_ID": TYPES["divisions"].type_id,
            "HUBSPOT_GENIUS_USERS_OBJECT_ID": TYPES["genius_users"].type_id,
            "HUBSPOT_APPOINTMENTS_OBJECT_ID": TYPES["appointments"].type_id,
        }

    def oauth_env(self, url: str) -> dict[str, str]:
        """The same for a client that refreshes its token."""
        env = self.env(url)
        del env["HUBSPOT_TOKEN"]
        return {
            **env,
            "HUBSPOT_CLIENT_ID": CLIENT_ID,
            "HUBSPOT_CLIENT_SECRET": CLIENT_SECRET,
            "HUBSPOT_REFRESH_TOKEN": self.auth.refresh_token,
        }
