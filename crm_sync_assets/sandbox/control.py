"""The sandbox's own endpoints: operations, truth, knobs, faults, clock, ledger, reset."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.answers import text
from crm_sync_assets.sandbox.clock import Clock, iso
from crm_sync_assets.sandbox.crm import Crm
from crm_sync_assets.sandbox.faults import Faults
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Ledger

_CHUNK = 500


def _json(content: Any, status: int = 200) -> Response:
    return Response(text(content), status, media_type="application/json")


class Control:
    """Answers 400 with {"error": ...} to what makes no sense, 404 to what does not exist."""

    def __init__(
        self, clock: Clock, knobs: Knobs, faults: Faults, ledger: Ledger, crms: Mapping[str, Crm]
    ) -> None:
        self._clock = clock
        self._knobs = knobs
        self._faults = faults
        self._ledger = ledger
        self._crms = crms

    def routes(self) -> list[BaseRoute]:
        """Everything below `/_sandbox`."""
        return [
            Route("/knobs", self._endpoint(self._knob), methods=["GET", "POST"]),
            Route("/faults", self._endpoint(self._fault), methods=["GET", "POST", "DELETE"]),
            Route("/clock", self._endpoint(self._time), methods=["GET", "POST"]),
            Route("/ledger", self._endpoint(self._requests), methods=["GET", "DELETE"]),
            Route("/reset", self._endpoint(self._reset), methods=["POST"]),
            Route("/truth/{crm}/{what:path}", self._truth),
            Route("/{crm}/{operation}", self._endpoint(self._operate), methods=["POST"]),
        ]

    def mutate(self, operations: Mapping[str, Any] | list[Mapping[str, Any]], crm: str) -> None:
        """Carry out {"op": ..., arguments}, one or several, on `crm` or the "crm" one names."""
        for one in [operations] if isinstance(operations, Mapping) else operations:
            arguments = dict(one)
            operation, name = arguments.pop("op"), arguments.pop("crm", crm)
            self._crms[name].operate(operation, arguments)

    def reset(self) -> None:
        """Data, knobs, faults, ledger and clock as they were in the beginning."""
        self._clock.reset()
        self._knobs.reset()
        self._faults.clear()
        self._ledger.reset()
        for crm in self._crms.values():
            crm.reset()

    def _endpoint(self, handle: Callable[[Request, Any], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            raw = await request.body()
            try:
                body = json.loads(raw) if raw else {}
                return _json(await run_in_threadpool(handle, request, body))
            except LookupError as error:
                return _json({"error": str(error.args[0] if error.args else error)}, 404)
            except (ValueError, TypeError) as error:
                return _json({"error": str(error)}, 400)

        return answer

    def _knob(self, request: Request, body: Any) -> Any:
        if request.method == "POST":
            self._knobs.turn(body)
        return self._knobs.as_dict()

    def _fault(self, request: Request, body: Any) -> Any:
        if request.method == "DELETE":
            self._faults.clear()
        for one in ([body] if isinstance(body, dict) else body) if request.method == "POST" else []:
            # A rule may nest its action or spell it out beside `match` and `on`.
            nested = dict(one)
            action = nested.pop("action", {})
            self._faults.add(nested.pop("match", ""), nested.pop("on", 1), **action, **nested)
        return self._faults.as_list()

    def _time(self, _request: Request, body: Any) -> Any:
        if "freeze" in body:
            self._clock.freeze(body["freeze"])
        if body.get("thaw"):
            self._clock.thaw()
        if "advance" in body:
            self._clock.advance(float(body["advance"]))
        return {"now": iso(self._clock.now_ms()), "now_ms": self._clock.now_ms()}

    def _requests(self, request: Request, _: Any) -> Any:
        if request.method == "DELETE":
            self._ledger.reset()
        return self._ledger.summary(int(request.query_params.get("last", "1000")))

    def _reset(self, _: Request, __: Any) -> Any:
        self.reset()
        return {"reset": True}

    def _operate(self, request: Request, body: Any) -> Any:
        result = self._crm(request).operate(request.path_params["operation"], body)
        return {"result": result}

    def _crm(self, request: Request) -> Crm:
        crm = self._crms.get(request.path_params["crm"])
        if crm is None:
            raise LookupError(f"no CRM {request.path_params['crm']!r}, have {list(self._crms)}")
        return crm

    async def _truth(self, request: Request) -> Response:
        try:
            rows = self._crm(request).truth(request.path_params["what"])
            first = await run_in_threadpool(lambda: list(islice(rows, _CHUNK)))
        except LookupError as error:
            return _json({"error": str(error.args[0])}, 404)

        def lines() -> Iterator[bytes]:
            chunk = first
            while chunk:
                yield "".join(text(row) + "\n" for row in chunk).encode()
                chunk = list(islice(rows, _CHUNK))

        return StreamingResponse(lines(), media_type="application/x-ndjson")
