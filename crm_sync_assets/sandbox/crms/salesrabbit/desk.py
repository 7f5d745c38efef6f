"""SalesRabbit's endpoints."""

from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

from starlette.requests import Request

from crm_sync_assets.sandbox.answers import by_number
from crm_sync_assets.sandbox.auth import Grant, Tokens, after_scheme
from crm_sync_assets.sandbox.calls import Answer, BadRequest, Call, Desk, Door, Refusal
from crm_sync_assets.sandbox.clock import epoch_ms
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salesrabbit.knobs import SalesRabbitKnobs
from crm_sync_assets.sandbox.crms.salesrabbit.world import STATUSES, Row, World
from crm_sync_assets.sandbox.ledger import Quota
from crm_sync_assets.sandbox.store import Version

MOST = 2_000
SINCE = {"if-modified-since": "dateModified", "if-status-modified-since": "statusModified"}
Seen = tuple[int, Version | None]


class SalesRabbitDesk(Desk):
    """Lists ascend by creation; a header asks for what changed since."""

    def __init__(self, stage: Stage, knobs: SalesRabbitKnobs, world: World, tokens: Tokens) -> None:
        super().__init__(stage)
        self._knobs = knobs
        self._world = world
        self._tokens = tokens

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, {"error": {"message": message}})

    def admit(self, request: Request) -> Grant:
        grant = self._tokens.find(after_scheme(request, "bearer") or "")
        if grant is None:
            raise self.refusal(401, "Unauthorized")
        return grant

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:  # noqa: ARG002  each costs one
        yield Quota("salesrabbit second", grant.account, self._knobs.salesrabbit_per_second, 1)

    def spent(self, quota: Quota) -> Refusal:  # noqa: ARG002  it does not say which
        return Refusal(429, {"message": "Too Many Requests"}, self.retry_after())

    # -- endpoints -------------------------------------------------------------------------------

    def statuses(self, _: Call) -> Answer:
        """What a lead's status may be."""
        return Answer({"data": [{"id": n, "name": name} for n, name in enumerate(STATUSES, 1)]})

    def leads(self, call: Call) -> Answer:
        """A page; 304 where nothing changed since."""
        return self._page(call, self._leads, lambda seen: {"data": seen})

    def histories(self, call: Call) -> Answer:
        """A page of leads, each with the statuses it had."""

        def row(seen: Seen) -> Row:
            key = self._world.table("leads").id_of(seen[0])
            return {key: self._world.histories(*seen)}

        return self._page(
            call, row, lambda rows: {"data": {k: v for r in rows for k, v in r.items()}}
        )

    def lead(self, call: Call) -> Answer:
        """One that is not deleted."""
        table = self._world.table("leads")
        number = table.number_of(call.path("id"))
        state, version = table.state(number, call.now) if number is not None else (None, None)
        is_shown = state == "archived" and self._knobs.salesrabbit_shows_deleted
        if number is None or not (state == "live" or is_shown):
            raise self.refusal(404, "Lead not found")
        return Answer({"data": self._world.row("leads", number, version)})

    def users(self, call: Call) -> Answer:
        """All of them, whatever page is asked for."""
        table = self._world.table("users")
        rows = [self._world.row("users", *seen) for seen in table.walk(0, False, call.now)]
        if not self._knobs.salesrabbit_pages_users:
            return Answer({"data": rows})
        number, size = self._asked(call)
        page = by_number(rows, number, size, self.common)
        return Answer({"data": page.items, **self._more(number < page.pages)})

    # -- pages -----------------------------------------------------------------------------------

    def _leads(self, seen: Seen) -> Row:
        return self._world.row("leads", *seen)

    def _page(
        self, call: Call, row: Callable[[Seen], Row], shaped: Callable[[list[Row]], Row]
    ) -> Answer:
        number, size = self._asked(call)
        asked = {name: self._since(call, name) for name in SINCE}
        found = [seen for seen in self._listed(call) if self._changed(seen, asked)]
        if not found and any(since is not None for since in asked.values()):
            return Answer(None, 304)
        if call.query("order") == "desc":
            found.reverse()
        page = by_number(found, number, size, self.common)
        more = self._more(number < page.pages) if row == self._leads else {}
        return Answer({**shaped([row(seen) for seen in page.items]), **more})

    def _listed(self, call: Call) -> list[Seen]:
        """What a list has, by creation."""
        table = self._world.table("leads")
        found = list(table.walk(0, False, call.now))
        if self._knobs.salesrabbit_shows_deleted:
            found += table.walk(0, True, call.now)
        return sorted(found, key=lambda seen: (table.created(seen[0]), seen[0]))

    def _changed(self, seen: Seen, asked: dict[str, int | None]) -> bool:
        row = self._world.row("leads", *seen)
        for name, since in asked.items():
            at = epoch_ms(row[SINCE[name]])
            if since is not None and not (
                at >= since if self._knobs.salesrabbit_inclusive else at > since
            ):
                return False
        return True

    def _since(self, call: Call, name: str) -> int | None:
        """Epoch ms; None where the header is not there. BadRequest for one that is no moment."""
        given = call.request.headers.get(name)
        if given is None:
            return None
        try:
            moment = parsedate_to_datetime(given)
        except ValueError:
            if self._knobs.salesrabbit_http_dates:
                raise BadRequest(f"{name}: {given!r} is no date") from None
            try:
                moment = datetime.fromisoformat(given)
            except ValueError:
                raise BadRequest(f"{name}: {given!r} is no date") from None
        return epoch_ms(moment)

    def _asked(self, call: Call) -> tuple[int, int]:
        """Page and size, which is cut and not refused."""
        size = call.number("perPage", MOST, 10**9)
        return call.number("page", 1, 10**6), min(size, MOST)

    def _more(self, more: bool) -> Row:
        return {} if self._knobs.salesrabbit_silent else {"meta": {"morePages": more}}
