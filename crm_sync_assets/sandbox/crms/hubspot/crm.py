"""HubSpot as a part of the sandbox: its world, its endpoints, its operations."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute

from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.hubspot.app import APP_ID, AppDesk, Subscriptions
from crm_sync_assets.sandbox.crms.hubspot.auth import CLIENT_ID, CLIENT_SECRET, Auth
from crm_sync_assets.sandbox.crms.hubspot.errors import MANNER
from crm_sync_assets.sandbox.crms.hubspot.knobs import HubSpotKnobs
from crm_sync_assets.sandbox.crms.hubspot.portal import Portal
from crm_sync_assets.sandbox.crms.hubspot.properties import TYPES
from crm_sync_assets.sandbox.crms.hubspot.routes import routes
from crm_sync_assets.sandbox.crms.hubspot.world import World

_WORLD = """
    create edit archive restore purge gdpr_delete merge associate dissociate associated bulk_touch
    recalculate move ids get
"""
_DIRECTORY = "edit_owner archive_owner create_owner edit_pipeline edit_stage"
# What belongs to this source's entities and is kept elsewhere: the CRM that has it.
_ELSEWHERE = {"zipcodes": "github"}


class HubSpot(Crm):
    """One portal, its tokens and its endpoints."""

    name = "hubspot"
    manner = MANNER

    def __init__(
        self,
        stage: Stage,
        knobs: HubSpotKnobs,
        contacts: int,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._stage = stage
        self.world = World(stage, knobs, contacts, counts or {})
        self.auth = Auth(stage)
        self.portal = Portal(self.world, stage, knobs, self.auth)
        self.subscriptions = Subscriptions(stage, self.world)
        self._app = AppDesk(stage, self.subscriptions)

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """Endpoints by mount point."""
        return {"/hubspot": [*self._app.routes(), *routes(self.portal)]}

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        with self.world.lock:
            self.world.reset()
            self.auth.reset()
            self.portal.reset()
        self.subscriptions.reset()

    def close(self) -> None:
        """Tell nobody any more."""
        self.subscriptions.forget()

    def webhooks_env(self) -> dict[str, str]:
        """The app, who may make its subscriptions, and what it signs with."""
        return {
            "HUBSPOT_APP_ID": APP_ID,
            "HUBSPOT_DEVELOPER_KEY": self.subscriptions.key,
            "HUBSPOT_WEBHOOK_SECRET": self.subscriptions.secret,
        }

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        """Of the world, and of its owners and pipelines."""
        places = ((self.world, _WORLD), (self.world.directory, _DIRECTORY))
        return {name: getattr(at, name) for at, names in places for name in names.split()}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The final state; see `World.truth`."""
        place = self._stage.crms[_ELSEWHERE[what]] if what in _ELSEWHERE else self.world
        return place.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of the world."""
        return self.world.move(n, seed)

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:
        """Settings of a client with the static token, or with what gives it tokens."""
        grants = {
            "HUBSPOT_CLIENT_ID": CLIENT_ID,
            "HUBSPOT_CLIENT_SECRET": CLIENT_SECRET,
            "HUBSPOT_REFRESH_TOKEN": self.auth.refresh_token,
        }
        return {
            "HUBSPOT_BASE_URL": f"{url}/hubspot",
            **(grants if oauth else {"HUBSPOT_TOKEN": self.auth.token}),
            "HUBSPOT_DIVISIONS_OBJECT_ID": TYPES["divisions"].type_id,
            "HUBSPOT_GENIUS_USERS_OBJECT_ID": TYPES["genius_users"].type_id,
            "HUBSPOT_APPOINTMENTS_OBJECT_ID": TYPES["appointments"].type_id,
        }
