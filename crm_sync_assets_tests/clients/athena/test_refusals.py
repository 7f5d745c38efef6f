"""What Athena's refusals mean: what waits, what is tried again, what is final."""

from __future__ import annotations

import json

import pytest

from crm_sync_assets.clients.answers import Answer, Fatal, Pause, Retry
from crm_sync_assets.clients.athena.dialect import AthenaDialect
from crm_sync_assets.clients.athena.failures import failure_of, passes
from crm_sync_assets.clients.athena.service import Execution
from crm_sync_assets.errors import BadRequest, Forbidden, Gone, Unauthorized, Unknown

DIALECT = AthenaDialect()


def answer(kind: str, message: str = "", status: int = 400) -> Answer:
    body = json.dumps({"__type": kind, "Message": message}).encode()
    return Answer(status, {}, body, None, "POST /", None)


@pytest.mark.parametrize("kind", ["ThrottlingException", "TooManyRequestsException"])
def test_throttling_waits_from_a_second_to_a_hundred(kind: str) -> None:
    waits = []
    for tries in range(1, 10):
        verdict = DIALECT.verdict(answer(kind, "Rate exceeded"), tries)
        assert isinstance(verdict, Pause)
        waits.append(verdict.seconds)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 100, 100]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("InvalidSignatureException", Unauthorized),
        ("ExpiredTokenException", Unauthorized),
        ("com.amazonaws.athena#UnrecognizedClientException", Unauthorized),
        ("AccessDeniedException", Forbidden),
    ],
)
def test_what_is_refused_for_good_has_its_class(kind: str, wanted: type[Exception]) -> None:
    verdict = DIALECT.verdict(answer(kind), 1)
    assert isinstance(verdict, Fatal)
    assert verdict.kind is wanted


def test_the_right_that_is_missing_is_found_in_the_words() -> None:
    said = "User: x is not authorized to perform: athena:StartQueryExecution on resource: y"
    assert DIALECT.grants(answer("AccessDeniedException", said)) == ["athena:StartQueryExecution"]


def test_a_server_that_fails_is_asked_again() -> None:
    assert isinstance(DIALECT.verdict(answer("InternalServerException", status=500), 1), Retry)


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("Could not find results for query", True),
        ("QueryExecution 1 was not found", True),
        ("Query has not yet finished. Current state: RUNNING", False),
    ],
)
def test_a_result_that_is_gone_is_told_from_one_that_is_not_there_yet(
    message: str, gone: bool
) -> None:
    verdict = DIALECT.verdict(answer("InvalidRequestException", message), 1)
    assert (isinstance(verdict, Fatal) and verdict.kind is Gone) is gone


def failed(why: str, *, retryable: bool = False) -> Execution:
    return Execution("FAILED", why, retryable, 0)


@pytest.mark.parametrize(
    ("query", "passing"),
    [
        (failed("GENERIC_INTERNAL_ERROR: oops"), True),
        (failed("Throttled by S3: SlowDown"), True),
        (failed("whatever", retryable=True), True),
        (failed("whatever"), False),
        (failed("SYNTAX_ERROR: line 1", retryable=True), False),
        (failed("COLUMN_NOT_FOUND: line 1", retryable=True), False),
        (failed("Access Denied (Service: Amazon S3)", retryable=True), False),
    ],
)
def test_a_failure_passes_if_athena_says_so_and_names_nothing_that_stays(
    query: Execution, passing: bool
) -> None:
    assert passes(query) is passing


@pytest.mark.parametrize(
    ("why", "wanted"),
    [
        ("TABLE_NOT_FOUND: no", Unknown),
        ("SCHEMA_NOT_FOUND: no", Unknown),
        ("COLUMN_NOT_FOUND: no", BadRequest),
        ("Insufficient permissions: glue:GetTable", Forbidden),
    ],
)
def test_a_failure_that_stays_has_its_class(why: str, wanted: type[Exception]) -> None:
    assert type(failure_of(failed(why), "customers: query 1")) is wanted
