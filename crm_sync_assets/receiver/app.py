"""The receiver over HTTP: /webhooks/<crm> takes deliveries, /health says whether it can keep them.

Body as it came → proof → one INSERT → answer. What is answered with 2xx is committed. Whatever
goes wrong here is a 503, so that who sends again does so.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from crm_sync_assets.declarations.proofs import Delivery, Denied, NoSecret
from crm_sync_assets.declarations.webhooks import Webhooks, unread
from crm_sync_assets.errors import SyncError
from crm_sync_assets.log import logger
from crm_sync_assets.receiver.bodies import Bodies, TooLarge, TooMany
from crm_sync_assets.receiver.known import Seldom, Surroundings
from crm_sync_assets.receiver.tally import Tally
from crm_sync_assets.receiver.writer import Full, Keeper, Writer
from crm_sync_assets.redaction import redact
from crm_sync_assets.settings import Environment
from crm_sync_assets.told import words
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.webhook_events import Received

log = logger(__name__)

KEPT_HEADERS: Final = ("user-agent", "x-hubspot-request-timestamp")
ANSWER_WITHIN: Final = 0.8
"""Of the time that a sender waits: what is not stored by then is sent away to come again."""

HEALTH_SECONDS: Final = 1.0
"""For so long an answer about the health holds: asking often must not cost more."""

_JSON: Final = ("application/json", "text/json")


class Refusal(Exception):
    """A delivery that is not taken: the status, and a word for the sender."""

    def __init__(self, status: int, said: str, retry_after: int | None = None) -> None:
        super().__init__(said)
        self.status, self.said, self.retry_after = status, said, retry_after


class Receiver:
    """Takes the deliveries of these senders, by the CRM's name."""

    def __init__(
        self,
        senders: Mapping[str, Webhooks],
        open_warehouse: Callable[[], Warehouse],
        environment: Callable[[], Environment],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._senders = senders
        self._open_warehouse = open_warehouse
        self._known = Surroundings(environment, senders)
        self._now = now
        self._warn = Seldom(log.warning)
        self._bodies = Bodies()
        self._writer = Writer(Keeper(open_warehouse))
        self._tally = Tally(open_warehouse, self._ready, now)
        self._healthy: tuple[float, str | None] = (-HEALTH_SECONDS, None)
        self._looking = asyncio.Lock()
        self.answered: Counter[tuple[str, int]] = Counter()
        """By sender and status, since this process began."""

    @asynccontextmanager
    async def running(self, _: Any = None) -> AsyncIterator[None]:
        """While it lasts, what arrives is stored."""
        self._writer.start()
        self._tally.start()
        try:
            yield
        finally:
            await self._writer.close()
            await self._tally.close()

    async def take(self, request: Request) -> Response:
        """The answer to a delivery."""
        name = request.path_params["crm"]
        webhooks = self._senders.get(name)
        topic = request.path_params.get("topic", "")
        if webhooks is None or ((topic or webhooks.topics) and topic not in webhooks.topics):
            return PlainTextResponse("no webhooks are received here\n", 404)
        try:
            async with asyncio.timeout(ANSWER_WITHIN * webhooks.patience_seconds):
                response = await self._taken(request, name, webhooks, topic)
        except Refusal as refusal:
            response = _refused(refusal)
        except TooLarge:
            response = _refused(Refusal(413, f"at most {webhooks.most_bytes} bytes are taken"))
        except TooMany:
            response = _refused(Refusal(503, "too many are being read", 5))
        except TimeoutError:
            response = _refused(Refusal(503, "it could not be stored in time", 60))
        except ClientDisconnect:
            response = _refused(Refusal(400, "it ended in the middle"))
        except Exception as error:  # noqa: BLE001  the sender shall send it again
            log.error("webhooks: %s: %s", name, redact(words(error)))
            response = _refused(Refusal(503, "it could not be taken", 60))
        self.answered[name, response.status_code] += 1
        return response

    async def _taken(self, request: Request, name: str, webhooks: Webhooks, topic: str) -> Response:
        kind = request.headers.get("content-type", _JSON[0]).partition(";")[0].strip().lower()
        if kind not in _JSON and not kind.endswith("+json"):
            raise Refusal(415, "send it as application/json")
        async with self._bodies.read(request, webhooks.most_bytes) as body:
            delivery = Delivery(
                body, dict(request.headers), request.method, self._address(request), topic
            )
            received = self._proven(name, webhooks, delivery)
            if received:
                await self._store(received)
                self._tally.hear(received)
        if webhooks.answer is None:
            return Response(status_code=200)
        return JSONResponse(webhooks.answer)

    def _proven(self, name: str, webhooks: Webhooks, delivery: Delivery) -> list[Received]:
        known = self._known()
        try:
            webhooks.proof.check(delivery, known.given[name], self._now())
        except NoSecret as error:
            self._tally.refuse(name, str(error))
            self._warn("webhooks: a delivery of %s cannot be proven: %s", name, str(error))
            raise Refusal(503, "the secret is not set here", 600) from None
        except Denied as error:
            self._tally.refuse(name, str(error))
            self._warn("webhooks: a delivery to %s was denied: %s", name, str(error))
            raise Refusal(401, str(error)) from None
        kept = {one: delivery.headers[one] for one in KEPT_HEADERS if one in delivery.headers}
        try:
            told = webhooks.events(delivery, known.environment)
            return [Received(name, each, kept) for each in told]
        except SyncError:
            raise
        except Exception as error:  # noqa: BLE001  it is proven, so it is kept, whatever it is
            self._warn("webhooks: a delivery of %s cannot be read: %s", name, type(error).__name__)
            text = delivery.body.decode("utf-8", "backslashreplace")
            return [Received(name, unread(text, error), kept)]

    def _ready(self) -> list[str]:
        given = self._known().given
        return [name for name, one in self._senders.items() if one.lacking(given[name]) is None]

    async def _store(self, received: list[Received]) -> None:
        try:
            await self._writer.put(received)
        except Full:
            raise Refusal(503, "too many are being stored", 5) from None
        except (SyncError, psycopg.Error):
            raise Refusal(503, "the warehouse does not take it", 30) from None

    def _address(self, request: Request) -> str:
        """The address as the sender has it, which it may have signed."""
        scope = request.scope
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        public = self._known().environment.webhooks_url
        base = public.rstrip("/") if public else f"{scope['scheme']}://{_host(request)}"
        return f"{base}{path}?{query}" if query else base + path

    async def health(self, _: Request) -> Response:
        """200 while the warehouse can be asked, with what was answered by this process."""
        async with self._looking:
            at, problem = self._healthy
            if time.monotonic() - at >= HEALTH_SECONDS:
                problem = await run_in_threadpool(self._problem)
                self._healthy = time.monotonic(), problem
        answered: dict[str, dict[str, int]] = {}
        for (name, status), count in sorted(self.answered.items()):
            answered.setdefault(name, {})[str(status)] = count
        told = {"status": problem or "ok", "answered": answered, "new_events": self._writer.new}
        return JSONResponse(told, 503 if problem else 200)

    def _problem(self) -> str | None:
        try:
            with self._open_warehouse().connection() as connection:
                connection.execute("SELECT FROM ingestion_webhook_event LIMIT 1")
        except (SyncError, psycopg.Error) as error:
            log.warning("webhooks: %s", redact(words(error)))
            return "the warehouse cannot be asked"
        return None


def app(receiver: Receiver) -> Starlette:
    """The application of a receiver."""
    found = Starlette(
        routes=[
            Route("/health", receiver.health, methods=["GET"]),
            Route("/webhooks/{crm}", receiver.take, methods=["POST"]),
            Route("/webhooks/{crm}/{topic}", receiver.take, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _explained},  # type: ignore[dict-item]
        lifespan=receiver.running,
    )
    found.router.redirect_slashes = False
    return found


async def _explained(_: Request, error: HTTPException) -> Response:
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


def _refused(refusal: Refusal) -> Response:
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    return PlainTextResponse(f"{refusal.said}\n", refusal.status, headers=headers)


def _host(request: Request) -> str:
    return request.headers.get("host", "localhost")
