"""Google Sheets while it is played: Sheets and Drive below one address, and the token server."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import Tokens
from crm_sync_assets.sandbox.calls import Door
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.gsheet.desk import MANNER_BODIES, SHEET, GSheetDesk
from crm_sync_assets.sandbox.crms.gsheet.knobs import GSheetKnobs
from crm_sync_assets.sandbox.crms.gsheet.tokens import account
from crm_sync_assets.sandbox.crms.gsheet.world import World
from crm_sync_assets.sandbox.faults import Manner


class GSheet(Crm):
    """Its APIs."""

    name = "gsheet"
    manner = Manner(
        lists=frozenset(["values"]),
        bodies=MANNER_BODIES,
        usual={429: "limit", 400: "refused", 401: "denied", 403: "closed", 404: "missing"},
    )
    pace = 4

    def __init__(
        self,
        stage: Stage,
        knobs: GSheetKnobs,
        gsheet_leads: int,
        gsheet_years: int,
        gsheet_spends: int,
    ) -> None:
        self.world = World(stage, knobs, gsheet_leads, gsheet_years, gsheet_spends)
        self.key = "AIza" + hashlib.sha256(f"{stage.seed}/gsheet".encode()).hexdigest()[:35]
        self._tokens = Tokens(stage)
        self._desk = GSheetDesk(stage, knobs, self.world, self._tokens, self.key)

    def reset(self) -> None:
        self.world.reset()
        self._tokens.reset()

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self._desk
        book = "/v4/spreadsheets/{id}"
        doors = {
            f"{book}/values/{{range:path}}": Door(desk.values, SHEET),
            f"{book}/values:batchGet": Door(desk.batch, SHEET),
            book: Door(desk.spreadsheet, SHEET),
            "/drive/v3/files/{id}": Door(desk.file),
            "/{rest:path}": Door(desk.nothing),
        }
        token = desk.endpoint(Door(desk.token, anonymous=True, form=True))
        routes = [Route("/token", token, methods=["POST"])]
        routes += [Route(path, desk.endpoint(door)) for path, door in doors.items()]
        return {"/gsheet": [*routes]}

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        of_rows = (world.create, world.edit, world.recalculate, world.clear, world.delete)
        of_files = (world.copy, world.blank, world.sort, world.rename, world.insert_column)
        others = (world.move_column, world.set, world.touch, self.move)
        return {act.__name__: act for act in (*of_rows, *of_files, *others)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return self.world.move(n, seed)

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  as it is
        books = self.world.books
        years = {
            f"GSHEET_{name}_MARKETING_LEADS_ID": book.id
            for name, book in books.items()
            if book.year is not None
        }
        return {
            "GSHEET_SERVICE_ACCOUNT": account(f"{url}/gsheet/token"),
            "GSHEET_BASE_URL": f"{url}/gsheet/v4",
            "GSHEET_DRIVE_URL": f"{url}/gsheet/drive/v3",
            "GSHEET_TOKEN_URL": f"{url}/gsheet",
            **years,
            "GSHEET_MARKETING_SPENDS_ID": books["spends"].id,
        }
