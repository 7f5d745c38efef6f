"""What the endpoints of an API have in common: credentials, limits, bodies, errors."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from crm_sync_assets.sandbox.auth import Grant
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.ledger import Quota


class BadRequest(ValueError):
    """A parameter or body that the API refuses, in words; the desk makes it a refusal."""


class Refusal(Exception):
    """An answer other than success; `body` is a text or anything JSON-able."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


@dataclass(slots=True)
class Call:
    """One request as a handler sees it; `now` is the sandbox clock in ms."""

    request: Request
    body: Any
    now: int
    grant: Grant

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
        """`true` or `false`, absent means false. BadRequest otherwise."""
        value = (self.query(name) or "false").lower()
        if value not in ("true", "false"):
            raise BadRequest(f"{name} must be true or false, not {value!r}")
        return value == "true"

    def number(self, name: str, default: int, highest: int, lowest: int = 1) -> int:
        """A whole number. BadRequest outside."""
        value = self.query(name)
        if value is None or value == "":
            return default
        if not value.isascii() or not value.isdigit() or not lowest <= int(value) <= highest:
            raise BadRequest(
                f"{name} must be a number between {lowest} and {highest}, not {value!r}"
            )
        return int(value)

    def text(self, name: str) -> str:
        """A required text (or number) of the body. BadRequest when it is missing."""
        value = self.body.get(name) if isinstance(self.body, Mapping) else None
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise BadRequest(f"Invalid input JSON: {name} is required")
        return str(value)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with content: ready JSON text, or anything JSON-able; None for no body."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Door:
    """A handler and how one gets to it: `kind` and `cost` are for the limits, `anonymous` asks for
    no credentials, `form` takes a form instead of JSON."""

    handle: Handler
    kind: str = ""
    cost: int = 1
    anonymous: bool = False
    form: bool = False


def content_type(request: Request) -> str:
    """What a request says of its body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class Desk(ABC):
    """Where every request to one API arrives. A CRM overrides what it does in its own way.

    In this order: the length of the URL, `before`, the credentials, the limits, the body.
    """

    media_type = "application/json"

    def __init__(self, stage: Stage) -> None:
        self.clock = stage.clock
        self.common = stage.knobs
        self.ledger = stage.ledger

    # -- the CRM's own way -----------------------------------------------------------------------

    @abstractmethod
    def refusal(self, status: int, message: str) -> Refusal:
        """400 for a bad request, 404 where nothing is, 414 and 415, as this API says it."""

    def overlong(self, request: Request) -> Refusal | None:
        """What says that the URL is too long; None where it is not."""
        length = len(request.scope["raw_path"]) + len(request.scope["query_string"]) + 1
        return self.refusal(414, "URI Too Long") if length > self.common.max_url else None

    def before(self, door: Door) -> None:  # noqa: B027  nothing, unless a CRM says so
        """What may keep every request out. Refusal."""

    @abstractmethod
    def admit(self, request: Request) -> Grant:
        """The grant of the credentials. Refusal when they are not right."""

    def quotas(self, grant: Grant, door: Door) -> Iterable[Quota]:  # noqa: ARG002  none by default
        """The limits a request counts in, in the order they are looked at."""
        return ()

    def spent(self, quota: Quota) -> Refusal:
        """What says that a limit is reached."""
        return self.refusal(429, f"{quota.name} limit reached")

    def headers(self, grant: Grant, door: Door) -> dict[str, str]:  # noqa: ARG002  the same
        """What every answer to a request with credentials carries."""
        return {}

    def parsed(self, request: Request, raw: bytes) -> Any:
        """The JSON of a request that may have a body; None for the others."""
        if request.method in ("GET", "HEAD", "DELETE") or (request.method == "PUT" and not raw):
            return None
        if content_type(request) != "application/json":
            raise self.refusal(415, "Unsupported Media Type")
        try:
            return json.loads(raw)
        except ValueError as error:
            raise BadRequest(f"Invalid input JSON: {error}") from None

    # -- the way of a request --------------------------------------------------------------------

    def retry_after(self) -> dict[str, str]:
        """The header of a 429, as the knob says."""
        wait = self.common.retry_after
        return {} if wait is None else {"Retry-After": str(wait)}

    def endpoint(self, door: Door) -> Callable[[Request], Any]:
        """The handler as Starlette wants it, with everything that comes before and after."""

        async def answer(request: Request) -> Response:
            raw = await request.body()
            # World operations may hold the lock for long; other requests go on meanwhile.
            return await run_in_threadpool(self._answer, request, raw, door)

        return answer

    def nothing(self, _: Call) -> Answer:
        """The handler of paths that there are not."""
        raise self.refusal(404, "resource not found")

    def _answer(self, request: Request, raw: bytes, door: Door) -> Response:
        headers: dict[str, str] = {}
        try:
            found = self._handled(request, raw, door, headers)
        except (Refusal, BadRequest) as error:
            refusal = error if isinstance(error, Refusal) else self.refusal(400, str(error))
            headers.update(refusal.headers)
            body = refusal.body
            content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
            return Response(content, refusal.status, headers, media_type=self.media_type)
        headers.update(found.headers)
        if found.content is None:
            return Response(status_code=found.status, headers=headers)
        content = (
            found.content.encode()
            if isinstance(found.content, str)
            else msgspec.json.encode(found.content)
        )
        return Response(content, found.status, headers, media_type=self.media_type)

    def _handled(self, request: Request, raw: bytes, door: Door, headers: dict[str, str]) -> Answer:
        if overlong := self.overlong(request):
            raise overlong
        self.before(door)
        grant = Grant("", "")
        if not door.anonymous:
            grant = self.admit(request)
            request.scope["sandbox"].update(token=grant.token, account=grant.account)
            quotas = self.quotas(grant, door)
            spent = self.ledger.spend(quotas, door.cost, enforced=self.common.limits)
            if spent is not None:
                raise self.spent(spent)
            headers.update(self.headers(grant, door))
        body = dict(parse_qsl(raw.decode())) if door.form else self.parsed(request, raw)
        return door.handle(Call(request, body, self.clock.now_ms(), grant))
