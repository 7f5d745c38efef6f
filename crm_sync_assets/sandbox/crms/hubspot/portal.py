"""What every HubSpot endpoint has in common: scopes, limits and their headers."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant
from crm_sync_assets.sandbox.calls import Call, Desk, Door
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.auth import Auth
from crm_sync_assets.sandbox.crms.hubspot.errors import (
    BODIES,
    Refusal,
    invalid,
    missing_scope,
    moving,
    not_found,
)
from crm_sync_assets.sandbox.crms.hubspot.knobs import HubSpotKnobs
from crm_sync_assets.sandbox.crms.hubspot.properties import object_type, sensitive_scope
from crm_sync_assets.sandbox.crms.hubspot.records import Table
from crm_sync_assets.sandbox.crms.hubspot.render import renderers
from crm_sync_assets.sandbox.crms.hubspot.search import Searcher
from crm_sync_assets.sandbox.crms.hubspot.world import World
from crm_sync_assets.sandbox.ledger import Quota

TIME_ZONE = ZoneInfo("US/Eastern")
SEARCH = "search"
_DAY, _SECOND, _BURST = "day", "search, 1 s", "token, 10 s"
_TOO_MANY = {_DAY: "daily", _SECOND: "secondly", _BURST: "ten_secondly"}


class Portal(Desk):
    """The state behind the endpoints."""

    media_type = "application/json;charset=utf-8"

    def __init__(self, world: World, stage: Stage, knobs: HubSpotKnobs, auth: Auth) -> None:
        super().__init__(stage)
        self.world = world
        self.knobs = knobs
        self.auth = auth
        self.reset()

    def reset(self) -> None:
        """Forget cached results and renderings."""
        self.renderer = renderers()
        self._searchers: dict[str, Searcher] = {}

    def searcher(self, table: Table) -> Searcher:
        """The searcher over a table; a new one after the world was reset."""
        found = self._searchers.get(table.kind.name)
        if found is None or found.table is not table:
            found = self._searchers[table.kind.name] = Searcher(table)
        return found

    def table(self, call: Call, param: str = "type", scope: str | None = None) -> Table:
        """The records a path speaks of. Refusal on a type that is unknown or that the account has
        not, 403 without the scope.
        """
        kind = object_type(call.path(param))
        unknown = f"Unable to infer object type from: {call.path(param)}"
        if kind is None:
            raise not_found(unknown)
        if kind.name in self.knobs.missing_types:
            is_bad = self.knobs.missing_type_status == 400
            raise invalid(unknown) if is_bad else not_found(unknown)
        self.need(scope or kind.scope)
        return self.world.tables[kind.name]

    def need(self, scope: str) -> None:
        """Refusal 403 when the app lacks a scope."""
        if scope in self.knobs.missing_scopes:
            raise missing_scope(scope)

    def need_for(self, table: Table, names: Iterable[str]) -> None:
        """Refusal 403 when one of these properties is sensitive and the app lacks its scope."""
        if self.knobs.sensitive_properties.intersection(names):
            self.need(sensitive_scope(table.kind))

    # -- how HubSpot receives a request ----------------------------------------------------------

    def refusal(self, status: int, message: str) -> Refusal:
        """With the category of that status, where it has one."""
        if status == 404:
            return not_found()
        if status in (400, 415):
            return invalid(message, status)
        return Refusal(status, {"message": message})

    def before(self, door: Door) -> None:
        """Nobody is let in while the account moves."""
        if self.knobs.moving is not None:
            # The token endpoint answers a bad request, and says why in its body.
            raise moving(self.knobs.moving, 400 if door.anonymous else 477)

    def admit(self, request: Request) -> Grant:
        """A bearer token. Refusal 401 or 530."""
        return self.auth.check(request)

    def quotas(self, grant: Grant, door: Door) -> Iterator[Quota]:
        """The day of the account; searches by the second and account, the rest by token."""
        knobs, account = self.knobs, grant.account
        day = f"{datetime.fromtimestamp(self.clock.now_ms() / 1000, TIME_ZONE):%Y-%m-%d}"
        yield Quota(_DAY, account, knobs.daily_limit, day=day)
        if door.kind == SEARCH:
            yield Quota(_SECOND, account, knobs.search_limit, 1)
            return
        yield Quota("account, 10 s", account, None, 10)
        yield Quota("account, 1 s", account, None, 1)
        yield Quota(_BURST, grant.token, knobs.burst_limit, 10)

    def spent(self, quota: Quota) -> Refusal:
        """429 with the policy's name."""
        return Refusal(429, BODIES[_TOO_MANY[quota.name]], self.retry_after())

    def headers(self, grant: Grant, door: Door) -> dict[str, str]:
        """Searches tell nothing of their limits; who has an OAuth token, nothing of the day."""
        if door.kind == SEARCH:
            return {}
        knobs, used, day = self.knobs, 0, 0
        if self.common.limits:
            used = self.ledger.used(_BURST, grant.token)
            day = sum(n for (who, _), n in self.ledger.daily.items() if who == grant.account)
        headers = {
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(knobs.burst_limit),
            "X-HubSpot-RateLimit-Remaining": str(max(0, knobs.burst_limit - used)),
            "X-HubSpot-RateLimit-Secondly": str(knobs.burst_limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(max(0, knobs.burst_limit // 10 - 1)),
        }
        if grant.expires_at is None:
            headers["X-HubSpot-RateLimit-Daily"] = str(knobs.daily_limit)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, knobs.daily_limit - day))
        return headers
