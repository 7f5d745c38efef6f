"""Pipedrive as a part of the sandbox: its world, its endpoints, its operations."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import Tokens
from crm_sync_assets.sandbox.calls import Answer, Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.pipedrive.desk import Company
from crm_sync_assets.sandbox.crms.pipedrive.entrance import CLIENT, COMPANY, MANNER
from crm_sync_assets.sandbox.crms.pipedrive.hooks import Hooks
from crm_sync_assets.sandbox.crms.pipedrive.knobs import PipedriveKnobs
from crm_sync_assets.sandbox.crms.pipedrive.values import CUSTOM
from crm_sync_assets.sandbox.crms.pipedrive.world import World

V2 = ("deals", "persons", "organizations", "activities", "products")
_WORLD = """
    create edit archive restore purge merge bulk_touch recalculate shelve unshelve convert hide show
    expire_cursors move ids get
"""


class Pipedrive(Crm):
    """One company, its tokens and its endpoints."""

    name = "pipedrive"
    manner = MANNER

    def __init__(
        self,
        stage: Stage,
        knobs: PipedriveKnobs,
        pipedrive_deals: int,
        pipedrive_archived_every: int,
    ) -> None:
        self.world = World(stage, knobs, pipedrive_deals, pipedrive_archived_every)
        self.tokens = Tokens(stage)
        self.hooks = Hooks(stage, self.world)
        self._company = Company(stage, knobs, self.world, self.tokens)
        self.token = hashlib.sha1(f"pipedrive/{stage.seed}".encode()).hexdigest()
        self.refresh_token = f"refresh-{self.token}"
        self._accept()

    def reset(self) -> None:
        """Everything as it was in the beginning."""
        self.world.reset()
        self.tokens.reset()
        self.hooks.reset()
        self._accept()

    def close(self) -> None:
        """Tell nobody any more."""
        self.hooks.forget()

    def webhooks_env(self) -> dict[str, str]:
        """What they are to send along."""
        return {
            "PIPEDRIVE_WEBHOOK_USER": "crm_sync",
            "PIPEDRIVE_WEBHOOK_PASSWORD": f"webhooks-{self.token[:24]}",
        }

    def _accept(self) -> None:
        company = str(COMPANY["company_id"])
        self.tokens.accept(self.token, company)
        self.tokens.accept_refresh(self.refresh_token, company)

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """Endpoints by mount point."""
        desk = self._company
        doors: dict[str, Door] = {"/api/v1/users/me": Door(desk.me, cost=2)}
        for kind in V2:
            doors[f"/api/v2/{kind}"] = Door(desk.listed(kind), cost=10)
        doors["/api/v2/deals/archived"] = Door(desk.listed("deals", archived=True), cost=20)
        doors["/api/v1/leads"] = Door(desk.offset("leads"), cost=20)
        doors["/api/v1/leads/archived"] = Door(desk.offset("leads", archived=True), cost=40)
        doors["/api/v1/notes"] = Door(desk.offset("notes"), cost=20)
        doors["/api/v1/recents"] = Door(desk.recents, cost=40)
        doors["/api/v1/users"] = Door(desk.few("users", paged=False), cost=20)
        doors["/api/v1/users/{id}"] = Door(desk.one_of_few("users"), cost=2)
        for name in ("pipelines", "stages"):
            doors[f"/api/v2/{name}"] = Door(desk.few(name), cost=5)
            doors[f"/api/v2/{name}/{{id}}"] = Door(desk.one_of_few(name))
        for entity in CUSTOM:
            doors[f"/api/v2/{entity}Fields"] = Door(desk.few(f"fields/{entity}"), cost=10)
        for name in ("activityTypes", "leadLabels", "leadSources", "currencies"):
            doors[f"/api/v1/{name}"] = Door(
                lambda _: Answer({"success": True, "data": None}), cost=10
            )
        for kind in V2:
            doors[f"/api/v2/{kind}/{{id}}"] = Door(desk.single(kind))
        for kind in ("leads", "notes"):
            doors[f"/api/v1/{kind}/{{id}}"] = Door(desk.single(kind), cost=2)
        doors["/{rest:path}"] = Door(desk.nothing)
        form = Door(desk.token, anonymous=True, form=True)
        return {
            "/pipedrive": [
                Route("/oauth/token", desk.endpoint(form), methods=["POST"]),
                *self._hook_routes(),
                *(Route(path, desk.endpoint(door)) for path, door in doors.items()),
            ]
        }

    def _hook_routes(self) -> Iterator[Route]:
        hooks, endpoint = self.hooks, self._company.endpoint
        for method, handler, path, cost in (
            ("GET", hooks.listed, "", 10),
            ("POST", hooks.make, "", 10),
            ("DELETE", hooks.remove, "/{id}", 6),
        ):
            door = Door(handler, cost=cost)
            yield Route(f"/api/v1/webhooks{path}", endpoint(door), methods=[method])

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        """Of the world, and of what there are few of."""
        directory = self.world.directory
        return {
            **{name: getattr(self.world, name) for name in _WORLD.split()},
            "put": directory.put,
            "remove": directory.remove,
            "rename_option": directory.rename_option,
            "turn_off_webhook": self.hooks.turn_off,
        }

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The final state; see `World.truth`."""
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of the world."""
        return self.world.move(n, seed)

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:
        """Settings of a client with the API token, or with what gives it tokens."""
        grants = {
            "PIPEDRIVE_CLIENT_ID": CLIENT[0],
            "PIPEDRIVE_CLIENT_SECRET": CLIENT[1],
            "PIPEDRIVE_REFRESH_TOKEN": self.refresh_token,
            "PIPEDRIVE_OAUTH_URL": f"{url}/pipedrive",
        }
        given = grants if oauth else {"PIPEDRIVE_TOKEN": self.token, "PIPEDRIVE_COMPANY": "acme"}
        return {"PIPEDRIVE_BASE_URL": f"{url}/pipedrive", **given}
