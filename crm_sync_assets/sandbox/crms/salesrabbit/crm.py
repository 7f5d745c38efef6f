"""SalesRabbit while it is played."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import Tokens
from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.salesrabbit.desk import SalesRabbitDesk
from crm_sync_assets.sandbox.crms.salesrabbit.knobs import SalesRabbitKnobs
from crm_sync_assets.sandbox.crms.salesrabbit.mover import SalesRabbitMover
from crm_sync_assets.sandbox.crms.salesrabbit.world import World
from crm_sync_assets.sandbox.faults import Manner


class SalesRabbit(Crm):
    """Its API."""

    name = "salesrabbit"
    manner = Manner(
        lists=frozenset(["data"]),
        bodies={
            "limit": {"message": "Too Many Requests"},
            "denied": {"error": {"message": "Unauthorized"}},
            "closed": {"error": {"message": "Forbidden"}},
            "missing": {"error": {"message": "Not found"}},
            "internal": {"error": {"message": "Internal server error"}},
        },
        usual={429: "limit", 401: "denied", 403: "closed", 404: "missing"},
    )
    pace = 4

    def __init__(
        self,
        stage: Stage,
        knobs: SalesRabbitKnobs,
        salesrabbit_leads: int,
        salesrabbit_users: int,
    ) -> None:
        self.world = World(stage, knobs, salesrabbit_leads, salesrabbit_users)
        self._tokens = Tokens(stage)
        self._desk = SalesRabbitDesk(stage, knobs, self.world, self._tokens)
        self.token = hashlib.sha256(f"{stage.seed}/salesrabbit".encode()).hexdigest()[:48]
        self.reset()

    def reset(self) -> None:
        self.world.reset()
        self._tokens.reset()
        self._tokens.accept(self.token, "salesrabbit")

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        doors = {
            "/leads": Door(desk.leads),
            "/leads/{id}": Door(desk.lead),
            "/users": Door(desk.users),
            "/leadStatusHistories": Door(desk.histories),
            "/leadStatuses": Door(desk.statuses),
            "/{rest:path}": Door(desk.nothing),
        }
        return {"/salesrabbit": [Route(path, desk.endpoint(door)) for path, door in doors.items()]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.create, world.edit, world.archive, world.restore, world.purge)
        return {act.__name__: act for act in (*acts, world.set_status, self.move)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return SalesRabbitMover.life(self.world, n, seed, list(self.world.tables))

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one token
        return {"SALESRABBIT_BASE_URL": f"{url}/salesrabbit", "SALESRABBIT_TOKEN": self.token}
