"""CallRail while it is played."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import Tokens
from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.callrail.desk import CallRailDesk
from crm_sync_assets.sandbox.crms.callrail.integrations import Integrations
from crm_sync_assets.sandbox.crms.callrail.knobs import CallRailKnobs
from crm_sync_assets.sandbox.crms.callrail.mover import CallRailMover
from crm_sync_assets.sandbox.crms.callrail.world import World
from crm_sync_assets.sandbox.faults import Manner

LISTS = {
    "companies": "companies",
    "trackers": "trackers",
    "tags": "tags",
    "users": "users",
    "calls": "calls",
    "form_submissions": "form_submissions",
    "text-messages": "conversations",
}
"""The last part of a path → the kind, which is also where a page has its records."""


class CallRail(Crm):
    """The API v3."""

    name = "callrail"
    manner = Manner(
        lists=frozenset(["accounts", *LISTS.values()]),
        bodies={
            "limit": {"error": "Rate limit exceeded"},
            "denied": {"error": "HTTP Token: Access denied."},
            "closed": {"error": "You do not have permission to access this resource"},
            "missing": {"error": "Not found"},
            "several": {"errors": ["start_date is invalid", "end_date is invalid"]},
            "internal": {"error": "Internal server error"},
        },
        usual={429: "limit", 401: "denied", 403: "closed", 404: "missing", 400: "several"},
    )
    pace = 4

    def __init__(
        self,
        stage: Stage,
        knobs: CallRailKnobs,
        callrail_calls: int,
        callrail_accounts: int,
        callrail_others: int,
    ) -> None:
        self.world = World(stage, callrail_calls, callrail_accounts, callrail_others)
        self._tokens = Tokens(stage)
        self._desk = CallRailDesk(stage, knobs, self.world, self._tokens)
        self.integrations = Integrations(stage, self.world, self._desk.refusal)
        self.key = hashlib.sha256(f"{stage.seed}/callrail".encode()).hexdigest()[:32]
        self.reset()

    def reset(self) -> None:
        self.world.reset()
        self._tokens.reset()
        self._tokens.accept(self.key, "callrail")
        self.integrations.reset()

    def close(self) -> None:
        self.integrations.forget()

    def webhooks_env(self) -> dict[str, str]:
        """The keys of all companies: each has its own."""
        return {"CALLRAIL_WEBHOOK_KEY": ",".join(self.integrations.keys())}

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        doors = {"/v3/a.json": Door(desk.accounts)}
        for name, kind in LISTS.items():
            doors[f"/v3/a/{{account}}/{name}.json"] = Door(desk.listing(kind, kind))
            doors[f"/v3/a/{{account}}/{name}/{{id}}.json"] = Door(desk.single(kind))
        made = self.integrations
        places = {
            "/v3/a/{account}/integrations.json": (made.listed, ["GET", "POST"]),
            "/v3/a/{account}/integrations/{id}.json": (made.one, ["GET", "PUT", "DELETE"]),
        }
        found: list[BaseRoute] = [
            Route(path, desk.endpoint(Door(handler)), methods=methods)
            for path, (handler, methods) in places.items()
        ]
        doors |= {"/v3/a/{account}.json": Door(desk.account), "/{rest:path}": Door(desk.nothing)}
        found += [Route(path, desk.endpoint(door)) for path, door in doors.items()]
        return {"/callrail": found}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.begin_call, world.create, world.edit, world.purge, world.disable, world.tag)
        others = (self.integrations.turn_off, self.integrations.close_to_all)
        return {act.__name__: act for act in (*acts, *others, world.say, world.spam, self.move)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return CallRailMover.life(self.world, n, seed, list(self.world.tables))

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one key
        return {"CALLRAIL_BASE_URL": f"{url}/callrail/v3", "CALLRAIL_API_KEY": self.key}
