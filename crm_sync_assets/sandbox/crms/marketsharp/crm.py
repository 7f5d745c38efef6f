"""MarketSharp while it is played."""

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.marketsharp.atom import AtomManner, error
from crm_sync_assets.sandbox.crms.marketsharp.desk import XML, MarketSharpDesk
from crm_sync_assets.sandbox.crms.marketsharp.knobs import MarketSharpKnobs
from crm_sync_assets.sandbox.crms.marketsharp.mover import MarketSharpMover
from crm_sync_assets.sandbox.crms.marketsharp.values import COMPANY
from crm_sync_assets.sandbox.crms.marketsharp.world import World


class MarketSharp(Crm):
    """Its data service."""

    name = "marketsharp"
    manner = AtomManner(
        bodies={
            "denied": error("Unauthorized"),
            "missing": error("Resource not found for the segment."),
            "bad": error("Bad Request - Error in query syntax."),
            "busy": error("The service is unavailable."),
            "internal": error("An error occurred while processing this request."),
        },
        usual={401: "denied", 404: "missing", 400: "bad", 503: "busy"},
        kind=XML,
    )
    pace = 4

    def __init__(self, stage: Stage, knobs: MarketSharpKnobs, marketsharp_contacts: int) -> None:
        mixed = hashlib.sha256(f"{stage.seed}/marketsharp".encode()).digest()
        self.key = str(uuid.UUID(bytes=mixed[:16]))
        self.secret = base64.b64encode(mixed).decode()
        self.world = World(stage, knobs, marketsharp_contacts)
        self._desk = MarketSharpDesk(stage, knobs, self.world, self.key, self.secret)

    def reset(self) -> None:
        self.world.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        doors = {
            "/": Door(desk.service),
            "/$metadata": Door(desk.metadata),
            "/{rest:path}": Door(desk.set),
        }
        return {"/marketsharp": [Route(path, desk.endpoint(door)) for path, door in doors.items()]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.create, world.edit, world.purge, world.bulk_touch, world.convert, self.move)
        return {act.__name__: act for act in acts}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return MarketSharpMover.life(self.world, n, seed, list(self.world.tables))

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one key
        return {
            "MARKETSHARP_BASE_URL": f"{url}/marketsharp",
            "MARKETSHARP_COMPANY_ID": COMPANY,
            "MARKETSHARP_API_KEY": self.key,
            "MARKETSHARP_SECRET_KEY": self.secret,
        }
