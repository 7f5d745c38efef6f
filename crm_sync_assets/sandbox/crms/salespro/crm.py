"""SalesPro while it is played: Athena below one address, and the two files beside it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.salespro.desk import BODIES, AthenaDesk
from crm_sync_assets.sandbox.crms.salespro.knobs import SalesProKnobs
from crm_sync_assets.sandbox.crms.salespro.queries import Queries
from crm_sync_assets.sandbox.crms.salespro.schema import FILES
from crm_sync_assets.sandbox.crms.salespro.world import World
from crm_sync_assets.sandbox.faults import Manner

REGION, DATABASE = "us-east-1", "home_genius_db"


class SalesPro(Crm):
    """Its APIs."""

    name = "salespro"
    manner = Manner(
        bodies=BODIES,
        usual={429: "limit", 400: "refused", 401: "denied", 403: "closed", 404: "missing"},
        kind="application/x-amz-json-1.1",
    )
    pace = 4

    def __init__(
        self, stage: Stage, knobs: SalesProKnobs, salespro_rows: int, salespro_users: int
    ) -> None:
        self.world = World(stage, knobs, salespro_rows, salespro_users)
        digest = hashlib.sha256(f"{stage.seed}/salespro".encode()).hexdigest()
        self.keys = ("AKIA" + digest[:16].upper(), digest[16:56])
        self.queries = Queries(stage.clock, knobs, self.world)
        self._athena = AthenaDesk(stage, knobs, self.queries, self.keys, REGION, DATABASE)

    def reset(self) -> None:
        self.world.reset()
        self.queries.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        call = self._athena.endpoint(Door(self._athena.call))
        files = Route("/files/{name}.csv", self._file)
        # Some clients keep the slash at the end of an address, some do not.
        calls = [Route(path, call, methods=["POST"]) for path in ("/athena", "/athena/")]
        return {"/salespro": [files, *calls]}

    async def _file(self, request: Request) -> Response:
        """One of the files, for whoever asks."""
        name = request.path_params["name"]
        if name not in FILES:
            return Response("Not Found", 404)
        return Response(self.world.file(name), media_type="text/csv")

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        acts = (world.create, world.edit, world.touch, world.undate, world.copy, world.delete)
        return {a.__name__: a for a in (*acts, world.half_write, world.written, self.move)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return self.world.move(n, seed)

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one pair
        access_key, secret = self.keys
        return {
            "SALESPRO_BASE_URL": f"{url}/salespro/athena",
            "SALESPRO_ACCESS_KEY_ID": access_key,
            "SALESPRO_SECRET_ACCESS_KEY": secret,
            "SALESPRO_S3_LOCATION": "s3://sandbox-bucket/",
            "SALESPRO_OFFICES_CSV": f"{url}/salespro/files/offices.csv",
            "SALESPRO_USERS_CSV": f"{url}/salespro/files/users.csv",
        }
