"""Athena's endpoint, which has one path and names its operations in a header."""

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from crm_sync_assets.sandbox.auth import Grant
from crm_sync_assets.sandbox.calls import Answer, Call, Desk, Refusal, content_type
from crm_sync_assets.sandbox.crm import Stage
from crm_sync_assets.sandbox.crms.salespro.knobs import SalesProKnobs
from crm_sync_assets.sandbox.crms.salespro.queries import Invalid, Queries, Query
from crm_sync_assets.sandbox.crms.salespro.signatures import Unsigned, access_key_of, verify
from crm_sync_assets.sandbox.crms.salespro.sql import MOST_BYTES, Column
from crm_sync_assets.sandbox.ledger import Quota

MEDIA = "application/x-amz-json-1.1"
PREFIX = "AmazonAthena."
MOST_ROWS = 1_000
_OUTPUT = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/.*)?")


def aws_error(kind: str, message: str, **further: Any) -> dict[str, Any]:
    """The body of an error of AWS's JSON protocol."""
    return {"__type": kind, "Message": message, **further}


LIMIT = aws_error("ThrottlingException", "Rate exceeded")
BUSY = aws_error(
    "TooManyRequestsException",
    "You have exceeded the limit for the number of queries you can run concurrently.",
    Reason="CONCURRENT_QUERY_LIMIT_EXCEEDED",
)


class AthenaDesk(Desk):
    """One user, whose requests are signed; everything that is refused is a 400 with a type."""

    media_type = MEDIA

    def __init__(
        self, stage: Stage, knobs: SalesProKnobs, queries: Queries, keys: tuple[str, str],
        region: str, database: str,
    ) -> None:  # fmt: skip
        super().__init__(stage)
        self._knobs, self._queries, self._keys = knobs, queries, keys
        self._region, self._database = region, database

    def refusal(self, status: int, message: str) -> Refusal:
        return Refusal(status, aws_error("InvalidRequestException", message))

    def admit(self, request: Request) -> Grant:
        try:
            return Grant(access_key_of(request), "salespro")
        except Unsigned as error:
            raise _denied(error) from None

    def parsed(self, request: Request, raw: bytes) -> Any:
        """The body, of a request whose signature is right."""
        try:
            verify(request, raw, *self._keys, self._region)
        except Unsigned as error:
            raise _denied(error) from None
        if content_type(request) != MEDIA:
            raise Refusal(400, aws_error("UnknownOperationException", ""))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            raise Refusal(400, aws_error("SerializationException", "")) from None
        if not isinstance(body, dict):
            raise Refusal(400, aws_error("SerializationException", "Start of structure expected"))
        return body

    def call(self, call: Call) -> Answer:
        """One operation."""
        name = (call.request.headers.get("x-amz-target") or "").removeprefix(PREFIX)
        operations = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._execution,
            "GetQueryResults": self._results,
            "StopQueryExecution": self._stop,
        }
        if name not in operations:
            raise Refusal(400, aws_error("UnknownOperationException", ""))
        self._throttle(name, call.grant)
        try:
            return Answer(operations[name](call.body))
        except Invalid as error:
            raise self.refusal(400, str(error)) from None

    def _throttle(self, name: str, grant: Grant) -> None:
        knobs = self._knobs
        if knobs.salespro_throttles > 0 and name == knobs.salespro_throttled:
            knobs.salespro_throttles -= 1
            raise Refusal(400, BUSY if name == "StartQueryExecution" else LIMIT)
        is_order = name in ("StartQueryExecution", "StopQueryExecution")
        limit = knobs.salespro_starts_per_second if is_order else knobs.salespro_gets_per_second
        quota = Quota(f"athena {name}", grant.account, limit, 1)
        if self.ledger.spend([quota], 1, enforced=self.common.limits) is not None:
            raise Refusal(400, LIMIT)

    # -- operations ------------------------------------------------------------------------------

    def _start(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        statement, token = body.get("QueryString"), body.get("ClientRequestToken")
        if not isinstance(statement, str) or not statement:
            raise Invalid("queryString is required")
        if len(statement.encode()) > MOST_BYTES:
            raise Invalid(f"queryString is longer than {MOST_BYTES} bytes")
        if not isinstance(token, str) or not 32 <= len(token) <= 128:
            raise Invalid("clientRequestToken must have 32 to 128 characters")
        output = (body.get("ResultConfiguration") or {}).get("OutputLocation")
        if not isinstance(output, str) or not _OUTPUT.fullmatch(output):
            raise Invalid("outputLocation is not a valid S3 path.")
        known = {name: value for name, value in body.items() if name != "ClientRequestToken"}
        return {"QueryExecutionId": self._queries.start(token, known, self._database).id}

    def _execution(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"QueryExecution": _shown(self._queries.look(_id_in(body)))}

    def _results(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        most = body.get("MaxResults", MOST_ROWS)
        if not isinstance(most, int) or not 1 <= most <= MOST_ROWS:
            raise Invalid(f"MaxResults is more than maximum allowed length {MOST_ROWS}.")
        columns, rows, token = self._queries.page(_id_in(body), body.get("NextToken"), most)
        data = [
            {"Data": [{} if cell is None else {"VarCharValue": cell} for cell in cells]}
            for cells in rows
        ]
        told = {"Rows": data, "ResultSetMetadata": {"ColumnInfo": [*map(_column, columns)]}}
        more = {"NextToken": token} if token else {}
        return {"UpdateCount": 0, "ResultSet": told, **more}

    def _stop(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._queries.stop(_id_in(body))
        return {}


def _denied(error: Unsigned) -> Refusal:
    status = 403 if error.kind == "MissingAuthenticationTokenException" else 400
    return Refusal(status, aws_error(error.kind, str(error)))


def _id_in(body: Mapping[str, Any]) -> str:
    found = body.get("QueryExecutionId")
    if not isinstance(found, str) or not found:
        raise Invalid("queryExecutionId is required")
    return found


def _shown(query: Query) -> Mapping[str, Any]:
    status: dict[str, Any] = {"State": query.state, "SubmissionDateTime": query.submitted}
    if query.ended is not None:
        status["CompletionDateTime"] = query.ended
    if query.state == "FAILED" and query.failure is not None:
        why, retryable = query.failure
        status["StateChangeReason"] = why
        status["AthenaError"] = {
            "ErrorCategory": 1 if retryable else 2,
            "ErrorType": 233 if retryable else 1001,
            "Retryable": retryable,
            "ErrorMessage": why,
        }
    if query.state == "CANCELLED":
        status["StateChangeReason"] = query.cancelled_by
    begun = query.state != "QUEUED"
    output = f"{query.asked['ResultConfiguration']['OutputLocation']}{query.id}.csv"
    return {
        "QueryExecutionId": query.id,
        "Query": query.asked["QueryString"],
        "StatementType": "DML",
        "ResultConfiguration": {"OutputLocation": output},
        "QueryExecutionContext": query.asked.get("QueryExecutionContext") or {},
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": 250,
            "DataScannedInBytes": query.scanned if begun else 0,
            "TotalExecutionTimeInMillis": 300,
        },
        "WorkGroup": query.asked.get("WorkGroup") or "primary",
    }


def _column(column: Column) -> Mapping[str, Any]:
    kind = column.kind.partition("(")[0]
    precision = {"decimal": 12, "varchar": 2_147_483_647, "timestamp": 3, "bigint": 19}
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": kind,
        "Precision": precision.get(kind, 0),
        "Scale": 2 if kind == "decimal" else 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


BODIES: Mapping[str, Any] = {
    "limit": LIMIT,
    "busy": BUSY,
    "refused": aws_error("InvalidRequestException", "Invalid request"),
    "lost": aws_error("InvalidRequestException", "Could not find results for query"),
    "denied": aws_error(
        "UnrecognizedClientException", "The security token included in the request is invalid."
    ),
    "closed": aws_error(
        "AccessDeniedException",
        "User: arn:aws:iam::1:user/sync is not authorized to perform: athena:GetQueryResults",
    ),
    "missing": aws_error("UnknownOperationException", ""),
    "internal": aws_error("InternalServerException", "An internal error occurred"),
}
