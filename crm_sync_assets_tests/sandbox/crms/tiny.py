"""A CRM that nobody has: made of the shared parts, with every kind of paging and of credentials."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.answers import (
    address,
    by_id,
    by_number,
    by_offset,
    cut,
    link,
    opened,
    sealed,
)
from crm_sync_assets.sandbox.auth import Grant, Tokens, after_scheme, basic, quoted_token
from crm_sync_assets.sandbox.calls import (
    Answer,
    BadRequest,
    Call,
    Desk,
    Door,
    Refusal,
    content_type,
)
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Crm, Entry, Option, Stage
from crm_sync_assets.sandbox.faults import Manner
from crm_sync_assets.sandbox.ledger import Quota
from crm_sync_assets.sandbox.life import Life
from crm_sync_assets.sandbox.mover import Mover
from crm_sync_assets.sandbox.people import address_of, email_of, first_of, money
from crm_sync_assets.sandbox.seeded import Base, Kind, blocks_of
from crm_sync_assets.sandbox.store import Table, Version

CLIENT = ("tiny-client", "tiny-secret")
NORTH, SOUTH = "ACC1", "ACC2"


def _seconds(milliseconds: int) -> str:
    return iso(milliseconds)[:19] + "Z"


DEALS = Kind(
    "deals", "deal", "add_time", "update_time", first_id=1_000, id_step=3, moment=_seconds,
    archived_every=5,
)  # fmt: skip
CALLS = Kind(
    "calls", "call", "start_time", "changed_at",
    write_id=lambda n: f"CAL{n:06x}",
    read_id=lambda text: int(text[3:], 16) if text.startswith("CAL") else None,
    archived_every=0,
)  # fmt: skip
UNIQUE = {"name": first_of, "email": email_of, "address": address_of}


@dataclass(slots=True)
class TinyKnobs:
    """`tiny_burst` tokens per 2 s, `tiny_daily` per day."""

    tiny_burst: int = 40
    tiny_daily: int = 1_000


class World(Life[Table]):
    """Archiving a deal sets its modified date; after thirty days it is in no list."""

    bin_days = 30

    def __init__(self, stage: Stage, count: int) -> None:
        self._count = count
        super().__init__(stage)

    def begin(self) -> dict[str, Table]:
        def table(kind: Kind) -> Table:
            values = blocks_of(["note", "value"], lambda name: money(self._rng) + name)
            return Table(Base(self.seed, kind, kind.enough_for(self._count), UNIQUE, values))

        return {kind.name: table(kind) for kind in (DEALS, CALLS)}

    def dates(self, act: str) -> bool:
        return act == "archive"


class Tiny(Desk):
    """The endpoints."""

    def __init__(self, stage: Stage, knobs: TinyKnobs, world: World, tokens: Tokens) -> None:
        super().__init__(stage)
        self._knobs = knobs
        self._world = world
        self._tokens = tokens

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, {"success": False, "error": message})

    def admit(self, request: Request) -> Grant:
        token = request.headers.get("x-api-token") or quoted_token(request)
        grant = self._tokens.find(token or after_scheme(request, "bearer") or "")
        if grant is None or self._tokens.is_expired(grant):
            raise self.refusal(401, "unauthorized access")
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:
        yield Quota("burst", grant.token, self._knobs.tiny_burst, 2)
        yield Quota(
            "daily", grant.account, self._knobs.tiny_daily, day=iso(self.clock.now_ms())[:10]
        )

    def spent(self, quota: Quota) -> Refusal:
        return Refusal(429, f"<html>{quota.name}</html>", self.retry_after())

    def headers(self, grant: Grant, door: Door) -> dict[str, str]:
        return {"x-ratelimit-remaining": str(40 - self.ledger.used("burst", grant.token))}

    def _row(self, table: Table, number: int, version: Version | None) -> dict[str, Any]:
        return {**table.values(number, version), "id": table.id_of(number)}

    def deals(self, call: Call) -> Answer:
        """A cursor that is bound to its query."""
        table, asked = self._world.table("deals"), dict(call.request.query_params)
        cursor = asked.pop("cursor", "")
        archived = call.request.url.path.endswith("/archived")

        def walk(start: int) -> Iterator[tuple[int, Version | None]]:
            found = table.walk(table.base.number_from(start), archived, call.now)
            return (
                (n, v)
                for n, v in found
                if not self._world.is_emptied(table.archived_at(n, v) or call.now)
                and table.kind.moment(table.modified(n, v)) >= (call.query("updated_since") or "")
            )

        page = by_id(
            opened(cursor, asked),
            call.number("limit", 100, 500),
            self.common,
            walk,
            lambda seen: table.base.id_of(seen[0]),
        )
        following = sealed(page.following, asked) if page.following else None
        rows = [self._row(table, n, v) for n, v in page.items]
        return Answer({"data": rows, "additional_data": {"next_cursor": following}})

    def offset(self, call: Call) -> Answer:
        """`start` counts in the list as it is now."""
        table, start = self._world.table("deals"), call.number("start", 0, 10**9, lowest=0)
        rows = list(table.walk(0, False, call.now))
        limit = call.number("limit", 100, 500)
        page = by_offset(rows[start:], start, limit, len(rows), self.common)
        return Answer(
            {"data": [self._row(table, n, v) for n, v in page.items], "next_start": page.following}
        )

    def calls(self, call: Call) -> Answer:
        """Numbered pages with totals and a `Link`, of the accounts that the key sees."""
        if call.path("account") != call.grant.account:
            raise self.refusal(404, "no such account")
        table = self._world.table("calls")
        rows = list(table.walk(0, False, call.now))
        size, number = call.number("per_page", 100, 250), call.number("page", 1, 10**6)
        page = by_number(rows, number, size, self.common)
        more = link(address(call.request, page=number + 1)) if number < page.pages else {}
        found = {
            "page": number,
            "total_pages": page.pages,
            "total_records": page.total,
            "calls": [self._row(table, n, v) for n, v in page.items],
        }
        return Answer(found, headers=more)

    def after(self, call: Call) -> Answer:
        """Names after the last one."""
        names = [f"n{n}" for n in range(5) if f"n{n}" > (call.query("last") or "")]
        page, last = cut(names, 2)
        return Answer({"names": page, "last": last})

    def token(self, call: Call) -> Answer:
        """A form, and the client's own credentials in the header."""
        if content_type(call.request) != "application/x-www-form-urlencoded":
            raise BadRequest("content must be application/x-www-form-urlencoded")
        if basic(call.request) != CLIENT:
            raise BadRequest("Invalid client")
        renewed = self._tokens.renew(call.body.get("refresh_token", ""))
        if renewed is None:
            raise BadRequest("Invalid grant")
        return Answer({"access": renewed.access_token, "refresh": renewed.refresh_token})


class TinyCrm(Crm):
    name = "tiny"
    manner = Manner(
        lists=frozenset(["data", "calls"]),
        bodies={"over": {"success": False, "error": "over"}, "down": "<b>down</b>"},
        usual={429: "over"},
        otherwise="down",
    )
    pace = 2

    def __init__(self, stage: Stage, knobs: TinyKnobs, tiny_deals: int) -> None:
        self.world = World(stage, tiny_deals)
        self.tokens = Tokens(stage)
        self.desk = Tiny(stage, knobs, self.world, self.tokens)
        self.reset()

    def reset(self) -> None:
        self.world.reset()
        self.tokens.reset()
        self.tokens.accept("north", NORTH)
        self.tokens.accept("south", SOUTH)
        self.tokens.accept_refresh("first", NORTH)

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        desk = self.desk
        doors = {
            "/deals": Door(desk.deals, cost=10),
            "/deals/archived": Door(desk.deals, cost=20),
            "/v1/deals": Door(desk.offset),
            "/a/{account}/calls.json": Door(desk.calls),
            "/names": Door(desk.after),
            "/{rest:path}": Door(desk.nothing),
        }
        form = Door(desk.token, anonymous=True, form=True)
        return {
            "/tiny": [
                Route("/oauth/token", desk.endpoint(form), methods=["POST"]),
                *(Route(path, desk.endpoint(door)) for path, door in doors.items()),
            ]
        }

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        world = self.world
        return {act.__name__: act for act in (world.edit, world.archive, world.merge)}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        return self.world.truth(what)

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        return Mover.life(self.world, n, seed, ["deals", "calls"])

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:
        return {"TINY_URL": f"{url}/tiny", **({"TINY_REFRESH": "first"} if oauth else {})}


CRM = Entry(
    "tiny",
    TinyCrm,
    knobs=TinyKnobs,
    options=(Option("tiny_deals", 40, "deals to begin with", int),),
)
