"""Every request passes here: numbered, delayed, broken if the script says so, written down."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from crm_sync_assets.sandbox.clock import Clock, iso
from crm_sync_assets.sandbox.crm import Crm
from crm_sync_assets.sandbox.faults import Action, Faults, Manner
from crm_sync_assets.sandbox.knobs import Common
from crm_sync_assets.sandbox.ledger import Entry, Ledger

log = logging.getLogger(__name__)
CONTROL = "/_sandbox"
_TICK = 0.05


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which lets the app close the connection under a request."""

    def on_message_begin(self) -> None:
        """Put the transport where the gate finds it."""
        super().on_message_begin()
        self.scope["extensions"] = {"sandbox": {"transport": self.transport}}


class Gate:
    """The outermost app. `mutate` carries out the world operations of the fault script.

    `crms` are by the first part of the paths they are mounted at.
    """

    def __init__(
        self,
        app: ASGIApp,
        clock: Clock,
        knobs: Common,
        faults: Faults,
        ledger: Ledger,
        mutate: Callable[[Any, str], None],
        crms: Mapping[str, Crm],
    ) -> None:
        self._app = app
        self._clock = clock
        self._knobs = knobs
        self._faults = faults
        self._ledger = ledger
        self._mutate = mutate
        self._crms = crms
        self.closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        if scope["path"].startswith(CONTROL):
            await self._app(scope, receive, self._dated(send))
            return
        started = time.monotonic()
        number = self._ledger.next_number()
        seen = scope["sandbox"] = {"token": "", "account": ""}
        query = scope["query_string"].decode("latin-1")
        crm = self._crms.get(_first(scope["path"]))
        if crm and crm.manner.one_address and scope["method"] == "POST":
            receive, body = await _read_ahead(receive)
            query = query or crm.manner.named(body)
        line = f"{scope['method']} {scope['path']}" + (f"?{query}" if query else "")
        asked = _action_of(scope)
        action = self._faults.meet(f"{line} {asked}" if asked else line)
        written = False

        def write(status: int) -> None:
            """Before the answer goes out, so that whoever has it finds it in the ledger."""
            nonlocal written
            if written:
                return
            written = True
            self._ledger.write(
                Entry(
                    number=number,
                    crm=_first(scope["path"]),
                    method=scope["method"],
                    path=scope["path"],
                    query=query,
                    token=seen["token"],
                    account=seen["account"],
                    status=status,
                    at=iso(self._clock.now_ms()),
                    seconds=round(time.monotonic() - started, 6),
                    action=asked,
                )
            )

        try:
            with self._ledger.counted(_first(scope["path"])):
                await self._sleep(self._knobs.latency)
                await self._serve(scope, receive, send, action, number, write)
        finally:
            write(0)

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        action: Action | None,
        number: int,
        write: Callable[[int], None],
    ) -> None:
        if action is None:
            reply = await self._ask(scope, receive)
            write(reply.status)
            await reply.give(self._dated(send))
            return
        await self._sleep(action.hang)
        crm = self._crms.get(_first(scope["path"]))
        manner = crm.manner if crm else Manner()
        try:
            if action.callback:
                await asyncio.to_thread(action.callback, number)
            if action.mutate:
                await asyncio.to_thread(self._mutate, action.mutate, crm.name if crm else "")
        except Exception:
            log.exception("sandbox: the fault script could not change the world")
            raise
        transport: asyncio.Transport = scope["extensions"]["sandbox"]["transport"]
        if action.drop:
            write(0)
            transport.abort()
            await asyncio.sleep(_TICK)
            return
        if action.status is None and action.body is None:
            reply = await self._ask(scope, receive)
        else:
            reply = _fake(action, manner)
        for name, value in action.headers.items():
            reply.set(name, value)
        if action.retry_after is not None:
            reply.set("Retry-After", str(action.retry_after))
        if action.rewrite or action.lie:
            if action.lie:
                reply.body = manner.untrue(action.lie, reply.body)
            if action.rewrite:
                reply.body = action.rewrite(reply.body)
            reply.set("Content-Length", str(len(reply.body)))
        write(reply.status)
        if action.truncate is not None or action.content_length:
            await self._break(transport, reply, action)
        elif action.drip:
            await self._drip(self._dated(send), reply, action.drip)
        else:
            await reply.give(self._dated(send))

    async def _ask(self, scope: Scope, receive: Receive) -> "_Reply":
        reply = _Reply()
        try:
            await self._app(scope, receive, reply.take)
        except ClientDisconnect:
            # A client that was stopped is nobody's mistake.
            log.info("sandbox: whoever asked for %s is gone", scope["path"])
        except Exception:
            # Nobody scripted this one: it is a mistake of the sandbox itself.
            log.exception("sandbox: %s %s", scope["method"], scope["path"])
        return reply

    async def _break(self, transport: asyncio.Transport, reply: "_Reply", action: Action) -> None:
        """Write the answer past the framework, then close."""
        reply.set("Content-Length", str(max(0, len(reply.body) + action.content_length)))
        reply.set("Date", self._clock.http_date())
        head = f"HTTP/1.1 {reply.status} {_phrase(reply.status)}\r\n".encode()
        head += b"".join(name + b": " + value + b"\r\n" for name, value in reply.headers) + b"\r\n"
        share = 1.0 if action.truncate is None else action.truncate
        transport.write(head + reply.body[: int(len(reply.body) * share)])
        transport.close()
        await asyncio.sleep(_TICK)

    async def _drip(self, send: Send, reply: "_Reply", pause: float) -> None:
        await send(reply.start())
        for place in range(len(reply.body)):
            body = reply.body[place : place + 1]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await self._sleep(pause)
            if self.closing:
                return
        await send({"type": "http.response.body", "body": b""})

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless the server is closing."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.closing:
            await asyncio.sleep(min(left, _TICK))

    def _dated(self, send: Send) -> Send:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", self._clock.http_date().encode())
                message = {**message, "headers": [*message.get("headers", []), date]}
            await send(message)

        return dated


class _Reply:
    """An answer, held back to be looked at."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def take(self, message: Message) -> None:
        """Instead of sending it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def set(self, name: str, value: str) -> None:
        """Set a header, replacing it."""
        key = name.lower().encode("latin-1")
        self.headers = [h for h in self.headers if h[0].lower() != key]
        self.headers.append((key, value.encode("latin-1", "replace")))

    def start(self) -> Message:
        """The first message."""
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}

    async def give(self, send: Send) -> None:
        """Send it after all."""
        await send(self.start())
        await send({"type": "http.response.body", "body": self.body})


def _fake(action: Action, manner: Manner) -> _Reply:
    reply = _Reply()
    reply.status = action.status or 200
    reply.body, kind = manner.body(action.body, reply.status)
    reply.set("Content-Type", kind)
    reply.set("Content-Length", str(len(reply.body)))
    return reply


def _action_of(scope: Scope) -> str:
    """What a header asks for where the address does not say it, as AWS's and SOAP's do; or ""."""
    named = dict(scope["headers"])
    found: bytes = named.get(b"x-amz-target") or named.get(b"soapaction") or b""
    return found.decode("latin-1").strip('"')


async def _read_ahead(receive: Receive) -> tuple[Receive, bytes]:
    """What gives the same messages once more, and the body that they have."""
    messages: list[Message] = []
    while True:
        messages.append(await receive())
        if not messages[-1].get("more_body"):
            break
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again, body


def _first(path: str) -> str:
    return path.split("/", 2)[1]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
