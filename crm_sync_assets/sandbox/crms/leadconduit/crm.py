"""LeadConduit while it is played."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.leadconduit.desk import LeadConduitDesk
from crm_sync_assets.sandbox.crms.leadconduit.knobs import LeadConduitKnobs
from crm_sync_assets.sandbox.crms.leadconduit.world import World
from crm_sync_assets.sandbox.faults import Manner


class LeadConduit(Crm):
    """Its API for events."""

    name = "leadconduit"
    manner = Manner(
        bodies={
            "limit": {"message": "Too many requests"},
            "denied": {"message": "Authorization information is missing or invalid"},
            "internal": {"error": "Internal server error"},
        },
        usual={429: "limit", 401: "denied"},
    )
    pace = 4

    def __init__(self, stage: Stage, knobs: LeadConduitKnobs, leadconduit_leads: int) -> None:
        self.key = hashlib.sha256(f"{stage.seed}/leadconduit".encode()).hexdigest()[:32]
        self.world = World(stage, knobs, leadconduit_leads)
        self._desk = LeadConduitDesk(stage, knobs, self.world, self.key)

    def reset(self) -> None:
        self.world.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        doors = {
            "/events": Door(desk.events),
            "/events/{id}": Door(desk.event),
            "/{rest:path}": Door(desk.nothing),
        }
        return {"/leadconduit": [Route(path, desk.endpoint(door)) for path, door in doors.items()]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.submit, world.retry, world.deliver, world.ping, world.feedback)
        return {act.__name__: act for act in (*acts, self.move)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return self.world.move(n, seed)

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one key
        return {"LEADCONDUIT_BASE_URL": f"{url}/leadconduit", "LEADCONDUIT_API_KEY": self.key}
