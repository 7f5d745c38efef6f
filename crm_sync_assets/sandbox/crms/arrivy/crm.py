"""Arrivy while it is played."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import Tokens
from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.arrivy.desk import ArrivyDesk
from crm_sync_assets.sandbox.crms.arrivy.knobs import ArrivyKnobs
from crm_sync_assets.sandbox.crms.arrivy.mover import ArrivyMover
from crm_sync_assets.sandbox.crms.arrivy.world import World
from crm_sync_assets.sandbox.faults import Manner

_WORLD = """
    create edit purge touch set_status plan unplan book disable put_back
"""


class Arrivy(Crm):
    """One company and its endpoints."""

    name = "arrivy"
    manner = Manner(
        bodies={
            "limit": {"message": "Too many requests"},
            "denied": {"message": "UNAUTHORIZED"},
            "closed": {"description": "FORBIDDEN"},
            "missing": {"message": "NOT_FOUND"},
            "refused": {"description": "MISSING_REQUEST_INFO"},
            "internal": {"message": "INTERNAL_ERROR"},
        },
        usual={429: "limit", 401: "denied", 403: "closed", 404: "missing", 400: "refused"},
    )
    pace = 4

    def __init__(
        self, stage: Stage, knobs: ArrivyKnobs, arrivy_tasks: int, arrivy_others: int
    ) -> None:
        self.world = World(stage, knobs, arrivy_tasks, arrivy_others)
        self._tokens = Tokens(stage)
        self._desk = ArrivyDesk(stage, knobs, self.world, self._tokens)
        self.key, self.token = (
            hashlib.sha256(f"{stage.seed}/arrivy/{part}".encode()).hexdigest()[:32]
            for part in ("key", "token")
        )
        self.reset()

    def reset(self) -> None:
        self.world.reset()
        self._tokens.reset()
        self._tokens.accept(f"{self.key}/{self.token}", "arrivy")

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        doors = {"/api/users/profile": Door(desk.profile)}
        for kind in self.world.tables:
            doors[f"/api/{kind}"] = Door(desk.listing(kind))
            if kind != "statuses":
                doors[f"/api/{kind}/{{id}}"] = Door(desk.single(kind))
        doors["/api/tasks/{id}/status"] = Door(desk.statuses)
        doors["/{rest:path}"] = Door(desk.nothing)
        return {"/arrivy": [Route(path, desk.endpoint(door)) for path, door in doors.items()]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        acts = {name: getattr(self.world, name) for name in _WORLD.split()}
        return {**acts, "move": self.move}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return ArrivyMover.life(self.world, n, seed, list(self.world.tables))

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one pair
        return {
            "ARRIVY_BASE_URL": f"{url}/arrivy/api",
            "ARRIVY_AUTH_KEY": self.key,
            "ARRIVY_AUTH_TOKEN": self.token,
        }
