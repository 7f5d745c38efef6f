"""Arrivy's endpoints."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant, Tokens
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.arrivy.knobs import ArrivyKnobs
from crm_sync_assets.sandbox.crms.arrivy.records import OWNER
from crm_sync_assets.sandbox.crms.arrivy.world import HOUR_MS, Planned, Row, World
from crm_sync_assets.sandbox.ledger import Quota
from crm_sync_assets.sandbox.store import Version

SIZES = {"groups": 100}
UNPAGED = ("statuses", "bookings")
Seen = tuple[int, Version | None]


class ArrivyDesk(Desk):
    """Lists are bare arrays; parameters that they do not know are ignored."""

    def __init__(self, stage: Stage, knobs: ArrivyKnobs, world: World, tokens: Tokens) -> None:
        super().__init__(stage)
        self._knobs = knobs
        self._world = world
        self._tokens = tokens

    def refusal(self, status: int, message: str) -> Refusal:
        name = "description" if self._knobs.arrivy_described else "message"
        return Refusal(status, {name: message})

    def admit(self, request: Request) -> Grant:
        key, token = (request.headers.get(name, "") for name in ("x-auth-key", "x-auth-token"))
        grant = self._tokens.find(f"{key}/{token}")
        if grant is None:
            raise self.refusal(401, "UNAUTHORIZED")
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002  each costs one
        yield Quota("arrivy minute", grant.account, self._knobs.arrivy_per_minute, 60)

    def spent(self, quota: Quota) -> Refusal:  # noqa: ARG002  it does not say which
        headers = {} if self._knobs.arrivy_silent else self.retry_after()
        return Refusal(429, {"message": "Too many requests"}, headers)

    # -- endpoints -------------------------------------------------------------------------------

    def profile(self, call: Call) -> Answer:  # noqa: ARG002
        """Whose credentials these are."""
        return Answer({"id": OWNER + 1, "owner": OWNER, "fullname": "Lakeside Exteriors"})

    def listing(self, kind: str) -> Any:
        """The handler of a list."""

        def answer(call: Call) -> Answer:
            seen, rows = self._seen(call, kind), partial(self._shown, kind)
            if kind in UNPAGED and self._knobs.arrivy_unpaged:
                return Answer(rows(seen))
            number = call.number("page", 1, 10**6)
            size = call.number("items_per_page", SIZES.get(kind, 500), 10**6)
            size = min(size, self._knobs.arrivy_cap)
            return Answer(rows(seen[(number - 1) * size : number * size]))

        return answer

    def single(self, kind: str) -> Any:
        """The handler of one record, disabled or not."""

        def answer(call: Call) -> Answer:
            return Answer(self._world.row(kind, *self._found(call, kind)))

        return answer

    def statuses(self, call: Call) -> Answer:
        """All that became of a task."""
        told = self._world.statuses_of(*self._found(call, "tasks"))
        shown = [{name: v for name, v in one.items() if name != "_at"} for one in told]
        return Answer(shown)

    def nothing(self, call: Call) -> Answer:  # noqa: ARG002
        """Any other address."""
        raise self.refusal(404, "NOT_FOUND")

    # -- what a list has -------------------------------------------------------------------------

    def _found(self, call: Call, kind: str) -> tuple[int, Version | None]:
        table = self._world.table(kind)
        number = table.number_of(call.path("id"))
        state, version = table.state(number, call.now) if number is not None else (None, None)
        if number is None or state != "live":
            raise self.refusal(404, "NOT_FOUND")
        return number, version

    def _shown(self, kind: str, seen: list[Seen]) -> list[Row]:
        return [self._world.row(kind, *one, listed=True) for one in seen]

    def _seen(self, call: Call, kind: str) -> list[Seen]:
        if kind == "tasks":
            return [(one.number, one.version) for one in self._tasks(call)]
        table = self._world.table(kind)
        seen = list(table.walk(0, False, call.now))
        if kind == "groups" and not call.flag("get_disabled_groups"):
            return [one for one in seen if not table.values(*one)["is_disabled"]]
        return seen

    def _tasks(self, call: Call) -> list[Planned]:
        tasks = self._world.schedule(call.now)
        if call.flag("unscheduled"):
            without = call.flag("tasks_with_no_datetime")
            return [one for one in tasks if one.unscheduled and without == (one.begin is None)]
        first, last = (self._moment(call, name) for name in ("from", "to"))
        found = []
        for one in tasks:
            if one.unscheduled or one.begin is None:
                continue
            end = (one.end or one.begin) if self._knobs.arrivy_contained else one.begin
            if (first is None or first <= one.begin) and (last is None or end <= last):
                found.append(one)
        return sorted(found, key=lambda one: (one.begin, one.number))

    def _moment(self, call: Call, name: str) -> int | None:
        """An end of a window, epoch ms. BadRequest for one without an offset."""
        given = call.query(name)
        if given is None:
            return None
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise BadRequest("MISSING_REQUEST_INFO") from None
        if moment.tzinfo is None:
            raise BadRequest("MISSING_REQUEST_INFO")
        off = self._knobs.arrivy_zone_ignored * HOUR_MS
        return round(moment.timestamp() * 1000) + off
