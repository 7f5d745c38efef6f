"""Five9 while it is played."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.five9.desk import Five9Desk
from crm_sync_assets.sandbox.crms.five9.fields import ZONE
from crm_sync_assets.sandbox.crms.five9.knobs import Five9Knobs
from crm_sync_assets.sandbox.crms.five9.mover import Five9Mover
from crm_sync_assets.sandbox.crms.five9.soap import BODIES, Enveloped
from crm_sync_assets.sandbox.crms.five9.world import KINDS, World


class Five9(Crm):
    """Its administrator service."""

    name = "five9"
    manner = Enveloped(
        bodies={
            **BODIES,
            "denied": "Unauthorized",
            "refused": "Bad Request",
            "missing": "Not Found",
            "busy": "Too Many Requests",
        },
        usual={429: "busy", 401: "denied", 403: "denied", 400: "refused", 404: "missing"},
        kind="text/xml",
    )
    pace = 4
    user = "api@lakeside.example.com"

    def __init__(self, stage: Stage, knobs: Five9Knobs, five9_contacts: int) -> None:
        self.password = hashlib.sha256(f"{stage.seed}/five9".encode()).hexdigest()[:20]
        self.world = World(stage, knobs, five9_contacts)
        self._desk = Five9Desk(stage, knobs, self.world, self.user, self.password)

    def reset(self) -> None:
        self.world.reset()
        self._desk.reports.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        path = "/wsadmin/{version}/AdminWebService"
        described, service = desk.endpoint(Door(desk.described)), desk.endpoint(Door(desk.service))
        nothing = desk.endpoint(Door(desk.nothing))
        return {
            "/five9": [
                Route(path, described),
                Route(path, service, methods=["POST"]),
                Route("/{rest:path}", nothing, methods=["GET", "POST"]),
            ]
        }

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.create, world.edit, world.purge, world.bulk_touch, world.call, self.move)
        return {act.__name__: act for act in acts}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return Five9Mover.life(self.world, n, seed, [KINDS])

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one user
        return {
            "FIVE9_BASE_URL": f"{url}/five9",
            "FIVE9_USERNAME": self.user,
            "FIVE9_PASSWORD": self.password,
            "FIVE9_TZ": ZONE,
        }
