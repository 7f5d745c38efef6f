"""What every HubSpot endpoint has in common: credentials, limits, bodies, errors."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.hubspot.auth import Auth, Grant
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

TIME_ZONE = ZoneInfo("US/Eastern")
_JSON = "application/json;charset=utf-8"


@dataclass(slots=True)
class Call:
    """One request as a handler sees it; `now` is the sandbox clock in ms."""

    request: Request
    body: Any
    now: int

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A query parameter; the last one when repeated."""
        return self.request.query_params.get(name)

    def names(self, name: str) -> tuple[str, ...] | None:
        """A comma-separated (or repeated) query parameter; None when absent."""
        values = self.request.query_params.getlist(name)
        found = tuple(dict.fromkeys(n for v in values for n in v.split(",") if n))
        return found or None

    def flag(self, name: str) -> bool:
        """`true` or `false`, absent means false. Refusal otherwise."""
        value = (self.query(name) or "false").lower()
        if value not in ("true", "false"):
            raise invalid(f"{name} must be true or false, not {value!r}")
        return value == "true"

    def number(self, name: str, default: int, highest: int) -> int:
        """A whole number from 1 up. Refusal outside."""
        value = self.query(name)
        if value is None or value == "":
            return default
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= highest:
            raise invalid(f"{name} must be a number between 1 and {highest}, not {value!r}")
        return int(value)

    def text(self, name: str) -> str:
        """A required text (or number) of the body. Refusal when it is missing."""
        value = self.body.get(name) if isinstance(self.body, Mapping) else None
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise invalid(f"Invalid input JSON: {name} is required")
        return str(value)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with content: ready JSON text, or anything JSON-able; None for no body."""

    content: Any
    status: int = 200


Handler = Callable[[Call], Answer]


class Portal:
    """The state behind the endpoints."""

    def __init__(self, world: World, stage: Stage, knobs: HubSpotKnobs, auth: Auth) -> None:
        self.world = world
        self.common = stage.knobs
        self.knobs = knobs
        self.ledger = stage.ledger
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
        """The records a path speaks of. Refusal 404 on an unknown type, 403 without the scope."""
        kind = object_type(call.path(param))
        if kind is None:
            raise not_found(f"Unable to infer object type from: {call.path(param)}")
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

    def endpoint(
        self, handle: Handler, search: bool = False, anonymous: bool = False, form: bool = False
    ) -> Callable[[Request], Any]:
        """The handler as Starlette wants it, with everything that comes before and after."""

        async def answer(request: Request) -> Response:
            raw = await request.body()
            # World operations may hold the lock for long; other requests go on meanwhile.
            return await run_in_threadpool(self._answer, request, raw, handle, search, anonymous)

        async def answer_form(request: Request) -> Response:
            fields = dict(parse_qsl((await request.body()).decode()))
            raw = msgspec.json.encode(fields)
            return self._answer(request, raw, handle, search, anonymous, checked=True)

        return answer_form if form else answer

    def _answer(
        self,
        request: Request,
        raw: bytes,
        handle: Handler,
        search: bool,
        anonymous: bool,
        checked: bool = False,
    ) -> Response:
        headers: dict[str, str] = {}
        try:
            self._check_url(request)
            if self.knobs.moving is not None:
                # The token endpoint answers a bad request, and says why in its body.
                raise moving(self.knobs.moving, 400 if anonymous else 477)
            if not anonymous:
                grant = self.auth.check(request.headers.get("authorization"))
                request.scope["sandbox"].update(token=grant.token, account=grant.account)
                self._check_limits(grant, search)
                if not search:
                    headers.update(self._rate_headers(grant))
            body = json.loads(raw) if checked else _parsed(request, raw)
            found = handle(Call(request, body, self.world.clock.now_ms()))
        except Refusal as refusal:
            headers.update(refusal.headers)
            headers["X-HubSpot-Correlation-Id"] = refusal.body["correlationId"]
            content = msgspec.json.encode(refusal.body)
            return Response(content, refusal.status, headers, media_type=_JSON)
        if found.content is None:
            return Response(status_code=found.status, headers=headers)
        content = (
            found.content.encode()
            if isinstance(found.content, str)
            else msgspec.json.encode(found.content)
        )
        return Response(content, found.status, headers, media_type=_JSON)

    def _check_url(self, request: Request) -> None:
        length = len(request.scope["raw_path"]) + len(request.scope["query_string"]) + 1
        if length > self.common.max_url:
            raise Refusal(414, {"message": "URI Too Long"})

    def _check_limits(self, grant: Grant, search: bool) -> None:
        knobs, ledger = self.knobs, self.ledger
        day = f"{datetime.fromtimestamp(self.world.clock.now_ms() / 1000, TIME_ZONE):%Y-%m-%d}"
        on = self.common.limits
        if not ledger.take_daily(grant.account, day, knobs.daily_limit if on else None):
            raise self._too_many("daily")
        if search:
            limit = knobs.search_limit if on else None
            if not ledger.take("search, 1 s", grant.account, 1, limit):
                raise self._too_many("secondly")
            return
        burst = knobs.burst_limit if on else None
        ledger.take("account, 10 s", grant.account, 10, None)
        ledger.take("account, 1 s", grant.account, 1, None)
        if not ledger.take("token, 10 s", grant.token, 10, burst):
            raise self._too_many("ten_secondly")

    def _too_many(self, kind: str) -> Refusal:
        wait = self.common.retry_after
        return Refusal(429, BODIES[kind], {} if wait is None else {"Retry-After": str(wait)})

    def _rate_headers(self, grant: Grant) -> dict[str, str]:
        knobs, used, day = self.knobs, 0, 0
        if self.common.limits:
            used = self.ledger.used("token, 10 s", grant.token)
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


def _parsed(request: Request, raw: bytes) -> Any:
    if request.method in ("GET", "HEAD", "DELETE"):
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "PUT" and not raw:
        return None
    if kind != "application/json":
        raise Refusal(415, {"message": "Unsupported Media Type", "category": "VALIDATION_ERROR"})
    try:
        return json.loads(raw)
    except ValueError as error:
        raise invalid(f"Invalid input JSON: {error}") from None
