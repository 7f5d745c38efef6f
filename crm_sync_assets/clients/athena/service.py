"""Athena's four operations, each a POST that names it in a header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from crm_sync_assets.clients.athena.results import problem_of
from crm_sync_assets.clients.http import Session

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
STATES: Final = ("QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
START, GET = "start", "get"
"""Windows of the account's budget."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where queries run, and where their results are kept; without `output` the workgroup says."""

    region: str
    database: str
    workgroup: str
    output: str | None
    catalog: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """How far a query is. `why` is what Athena says of a failure, `scanned` are bytes so far."""

    state: State
    why: str
    retryable: bool
    scanned: int

    @property
    def is_over(self) -> bool:
        return self.state not in ("QUEUED", "RUNNING")


@dataclass(frozen=True, slots=True)
class Service:
    """The operations of one reading. They raise what `Session.request` raises."""

    session: Session
    settings: Settings

    def start(self, statement: str, token: str) -> str:
        """Order a query; its id. The same token with the same statement is the same query."""
        settings = self.settings
        context = {"Database": settings.database}
        if settings.catalog:
            context["Catalog"] = settings.catalog
        order: dict[str, Any] = {
            "QueryString": statement,
            "ClientRequestToken": token,
            "QueryExecutionContext": context,
            "WorkGroup": settings.workgroup,
        }
        if settings.output:
            order["ResultConfiguration"] = {"OutputLocation": settings.output}
        return str(self._ask("StartQueryExecution", order, _lacks_id, START)["QueryExecutionId"])

    def execution(self, query: str) -> Execution:
        """How far a query is."""
        body = self._ask("GetQueryExecution", {"QueryExecutionId": query}, _lacks_state)
        found = body["QueryExecution"]
        status, error = found["Status"], found["Status"].get("AthenaError") or {}
        why = status.get("StateChangeReason") or error.get("ErrorMessage") or ""
        scanned = (found.get("Statistics") or {}).get("DataScannedInBytes") or 0
        return Execution(status["State"], str(why), bool(error.get("Retryable")), int(scanned))

    def page(self, query: str, columns: Sequence[str], token: str | None, rows: int) -> Any:
        """A page of a query's result, of at most so many rows; None begins it."""
        asked: dict[str, Any] = {"QueryExecutionId": query, "MaxResults": rows}
        if token is not None:
            asked["NextToken"] = token
        check = partial(problem_of, columns=columns, is_first=token is None)
        return self._ask("GetQueryResults", asked, check)

    def stop(self, query: str) -> None:
        """End a query; one that has ended stays as it is."""
        self._ask("StopQueryExecution", {"QueryExecutionId": query}, lambda _: None, START)

    def _ask(self, operation: str, asked: Mapping[str, Any], check: Any, window: str = GET) -> Any:
        return self.session.post(
            "/",
            asked,
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"AmazonAthena.{operation}",
            },
            check=check,
            windows=(window,),
        ).json


def _lacks_id(body: Any) -> str | None:
    told = isinstance(body, dict) and isinstance(body.get("QueryExecutionId"), str)
    return None if told else "the answer has no id of the query"


def _lacks_state(body: Any) -> str | None:
    found = body.get("QueryExecution") if isinstance(body, dict) else None
    status = found.get("Status") if isinstance(found, dict) else None
    told = isinstance(status, dict) and status.get("State") in STATES
    return None if told else "the answer has no state of the query"
