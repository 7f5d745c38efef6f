"""Salesforce while it is played.

As everywhere, `nextRecordsUrl` and its like are paths that follow the instance's URL, which here
ends with `/salesforce`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.salesforce.entrance import MANNER
from crm_sync_assets.sandbox.crms.salesforce.knobs import SalesforceKnobs
from crm_sync_assets.sandbox.crms.salesforce.mover import SalesforceMover
from crm_sync_assets.sandbox.crms.salesforce.replication import Replication
from crm_sync_assets.sandbox.crms.salesforce.sessions import CLIENT, USERNAME, Sessions
from crm_sync_assets.sandbox.crms.salesforce.world import World

_WORLD = """
    create edit archive restore purge merge bulk_touch recalculate automate shelve convert empty_bin
    add_field remove_field hide_field show_field hide_object show_object hide show permit
    expire_locators
    ids get
"""


class Salesforce(Crm):
    """One org and its API."""

    name = "salesforce"
    manner = MANNER
    pace = 3

    def __init__(self, stage: Stage, knobs: SalesforceKnobs, salesforce_contacts: int) -> None:
        self.world = World(stage, knobs, salesforce_contacts)
        self.sessions = Sessions(stage, knobs)
        self._desk = Replication(stage, knobs, self.world, self.sessions)
        self._begin()

    def reset(self) -> None:
        self.world.reset()
        self._begin()

    def _begin(self) -> None:
        self.sessions.reset()
        self._desk.forget()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk, at = self._desk, "/services/data/{version}"
        doors = {
            "/services/oauth2/userinfo": Door(self.sessions.whose),
            "/id/{org}/{user}": Door(self.sessions.whose),
            "/services/data": Door(desk.versions, anonymous=True),
            f"{at}/query": Door(desk.query(all=False)),
            f"{at}/queryAll": Door(desk.query(all=True)),
            f"{at}/query/{{locator}}": Door(desk.more),
            f"{at}/queryAll/{{locator}}": Door(desk.more),
            f"{at}/sobjects": Door(desk.objects),
            f"{at}/sobjects/{{name}}": Door(desk.basics),
            f"{at}/sobjects/{{name}}/describe": Door(desk.describe),
            f"{at}/sobjects/{{name}}/deleted": Door(desk.deleted),
            f"{at}/sobjects/{{name}}/updated": Door(desk.updated),
            f"{at}/sobjects/{{name}}/{{id}}": Door(desk.record),
            f"{at}/jobs/query/{{id}}/results": Door(desk.results),
            f"{at}/jobs/query/{{id}}/resultPages": Door(desk.pages),
            f"{at}/limits": Door(desk.limits),
        }
        found: list[BaseRoute] = [
            Route(
                "/services/oauth2/token",
                desk.endpoint(Door(self.sessions.token, anonymous=True, form=True)),
                methods=["POST"],
            ),
            Route(f"{at}/composite/batch", desk.endpoint(Door(desk.batch)), methods=["POST"]),
        ]
        jobs = {
            (f"{at}/jobs/query", "POST"): desk.create,
            (f"{at}/jobs/query", "GET"): desk.listing,
            (f"{at}/jobs/query/{{id}}", "GET"): desk.poll,
            (f"{at}/jobs/query/{{id}}", "PATCH"): desk.abort,
            (f"{at}/jobs/query/{{id}}", "DELETE"): desk.delete,
        }
        for (path, method), handle in jobs.items():
            end = desk.endpoint(Door(handle))
            found += [Route(path, end, methods=[method]), Route(f"{path}/", end, methods=[method])]
        for path, door in doors.items():
            # With and without a slash at the end, as clients have it.
            found += [Route(path, desk.endpoint(door)), Route(f"{path}/", desk.endpoint(door))]
        others = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        rest = Route("/{rest:path}", desk.endpoint(Door(desk.nothing)), methods=others)
        return {"/salesforce": [*found, rest]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        return {
            **{name: getattr(self.world, name) for name in _WORLD.split()},
            "move": self.move,
            "end_sessions": self.sessions.end,
            "private_key": self.sessions.private_key,
        }

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return SalesforceMover.life(self.world, n, seed, list(SalesforceMover.busy))

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:
        """Settings of a client with its own credentials, or with what somebody granted it."""
        found = {
            "SALESFORCE_LOGIN_URL": f"{url}/salesforce",
            "SALESFORCE_CLIENT_ID": CLIENT[0],
            "SALESFORCE_CLIENT_SECRET": CLIENT[1],
        }
        if oauth:
            found["SALESFORCE_REFRESH_TOKEN"] = self.sessions.refresh_token
        return found

    def signed_env(self, url: str) -> dict[str, str]:
        """Settings of a client that signs assertions."""
        return {
            "SALESFORCE_LOGIN_URL": f"{url}/salesforce",
            "SALESFORCE_CLIENT_ID": CLIENT[0],
            "SALESFORCE_USERNAME": USERNAME,
            "SALESFORCE_PRIVATE_KEY": self.sessions.private_key(),
        }
