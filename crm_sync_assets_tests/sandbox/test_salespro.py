"""The sandbox's Athena, judged by Amazon's own client and by PyAthena, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pyathena import connect
from pyathena.error import OperationalError

from crm_sync_assets.sandbox import Sandbox

OUTPUT = {"OutputLocation": "s3://sandbox-bucket/athena-results/"}
TOKEN = "a" * 32


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(seed=9, contacts=1, zipcodes=1, salespro_rows=30) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def options(sandbox: Sandbox, **given: str) -> dict[str, Any]:
    env = sandbox.env()
    return {
        "region_name": "us-east-1",
        "endpoint_url": env["SALESPRO_BASE_URL"],
        "aws_access_key_id": env["SALESPRO_ACCESS_KEY_ID"],
        "aws_secret_access_key": env["SALESPRO_SECRET_ACCESS_KEY"],
        **given,
    }


@pytest.fixture
def athena(sandbox: Sandbox) -> Any:
    config = Config(retries={"max_attempts": 0})
    return boto3.client("athena", config=config, **options(sandbox))


def started(athena: Any, query: str, **more: Any) -> str:
    found = athena.start_query_execution(QueryString=query, ResultConfiguration=OUTPUT, **more)
    return str(found["QueryExecutionId"])


def state(athena: Any, query: str) -> dict[str, Any]:
    found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    return found


def kind(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_amazons_client_polls_and_pages_with_the_header_once(athena: Any) -> None:
    query = started(athena, 'SELECT "customer_id" FROM "customer" ORDER BY "customer_id"')
    assert [state(athena, query)["Status"]["State"] for _ in range(2)] == ["QUEUED", "SUCCEEDED"]
    pages = athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=query, PaginationConfig={"PageSize": 10}
    )
    sizes, cells = [], []
    for page in pages:
        rows = page["ResultSet"]["Rows"]
        sizes.append(len(rows))
        cells += [row["Data"][0]["VarCharValue"] for row in rows]
    assert sizes == [10, 10, 10, 1]
    assert cells[0] == "customer_id"
    assert cells[1:] == sorted(cells[1:])
    assert len({*cells}) == 31


def test_pyathena_reads_types_null_and_empty_text(sandbox: Sandbox) -> None:
    key, other = sandbox.salespro.keys("customer")[:2]
    sandbox.salespro.edit("customer", key, {"crm_source": None})
    sandbox.salespro.edit("customer", other, {"crm_source": ""})
    where = connect(
        s3_staging_dir="s3://sandbox-bucket/x/",
        schema_name="home_genius_db",
        poll_interval=0.01,
        **options(sandbox),
    )
    cursor = where.cursor()
    cursor.execute(
        "SELECT crm_source, updated_at FROM customer WHERE customer_id = %(one)s "
        "OR customer_id = %(other)s ORDER BY crm_source NULLS FIRST",
        {"one": key[0], "other": other[0]},
    )
    (first, second) = cursor.fetchall()
    assert (first[0], second[0]) == (None, "")
    assert isinstance(first[1], datetime)
    with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND"):
        cursor.execute("SELECT nothing FROM customer")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT a FROM nowhere", "TABLE_NOT_FOUND"),
        ("SELECT customer_id FROM elsewhere.customer", "SCHEMA_NOT_FOUND"),
        ('SELECT "nothing" FROM customer', "COLUMN_NOT_FOUND"),
        ("SELECT customer_id FROM customer WHERE updated_at >= '2024-01-01'", "TYPE_MISMATCH"),
        ("SELECT customer_id FROM customer WHERE company_id = 5", "TYPE_MISMATCH"),
        (
            "SELECT customer_id FROM customer WHERE updated_at >= TIMESTAMP 'soon'",
            "INVALID_LITERAL",
        ),
        ("SELECT customer_id FROM customer WHERE", "SYNTAX_ERROR"),
        ("SELECT customer_id; DROP TABLE customer", "SYNTAX_ERROR"),
        ("DROP TABLE customer", "SYNTAX_ERROR"),
    ],
)
def test_a_query_that_trino_refuses_fails(athena: Any, query: str, reason: str) -> None:
    found = started(athena, query)
    state(athena, found)
    status = state(athena, found)["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(reason)
    with pytest.raises(ClientError, match="did not finish successfully"):
        athena.get_query_results(QueryExecutionId=found)


def test_a_token_orders_one_query_and_no_other_one(athena: Any) -> None:
    first = started(athena, "SELECT 1 AS one", ClientRequestToken=TOKEN)
    assert started(athena, "SELECT 1 AS one", ClientRequestToken=TOKEN) == first
    with pytest.raises(ClientError, match="Idempotent parameters") as caught:
        started(athena, "SELECT 2 AS two", ClientRequestToken=TOKEN)
    assert kind(caught) == "InvalidRequestException"


def test_what_cannot_be_met_is_refused(athena: Any) -> None:
    query = started(athena, "SELECT 1 AS one")
    with pytest.raises(ClientError, match="Current state: QUEUED"):
        athena.get_query_results(QueryExecutionId=query)
    for _ in range(2):
        state(athena, query)
    with pytest.raises(ClientError, match="1000"):
        athena.get_query_results(QueryExecutionId=query, MaxResults=1001)
    with pytest.raises(ClientError, match="nextToken"):
        athena.get_query_results(QueryExecutionId=query, NextToken="bm8=")
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId="of nobody")
    with pytest.raises(ClientError, match="262144"):
        started(athena, "SELECT 1 AS one " + " " * 262_144)
    with pytest.raises(ClientError) as caught:
        athena.list_named_queries()
    assert kind(caught) == "UnknownOperationException"


def test_a_query_that_is_stopped_is_cancelled(sandbox: Sandbox, athena: Any) -> None:
    sandbox.knobs.turn({"salespro_polls": 5})
    query = started(athena, "SELECT customer_id FROM customer")
    assert state(athena, query)["Status"]["State"] == "QUEUED"
    assert state(athena, query)["Status"]["State"] == "RUNNING"
    athena.stop_query_execution(QueryExecutionId=query)
    assert state(athena, query)["Status"]["State"] == "CANCELLED"


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIAWRONG"}, "UnrecognizedClientException"),
        ({"region_name": "eu-west-1"}, "InvalidSignatureException"),
    ],
)
def test_a_wrong_signature_is_refused(
    sandbox: Sandbox, given: dict[str, str], refused: str
) -> None:
    client = boto3.client("athena", **options(sandbox, **given))
    with pytest.raises(ClientError) as caught:
        started(client, "SELECT 1 AS one")
    assert kind(caught) == refused


def test_what_is_not_signed_is_not_let_in(sandbox: Sandbox) -> None:
    url = sandbox.env()["SALESPRO_BASE_URL"]
    told = httpx.post(url, json={})
    assert (told.status_code, told.json()["__type"]) == (403, "MissingAuthenticationTokenException")
    told = httpx.post(url, json={}, headers={"Authorization": "Bearer x"})
    assert (told.status_code, told.json()["__type"]) == (400, "IncompleteSignatureException")


def test_more_orders_than_a_second_has_are_throttled(sandbox: Sandbox, athena: Any) -> None:
    sandbox.knobs.turn({"salespro_starts_per_second": 2, "limits": True})
    for _ in range(2):
        started(athena, "SELECT 1 AS one")
    with pytest.raises(ClientError) as caught:
        started(athena, "SELECT 1 AS one")
    assert kind(caught) == "ThrottlingException"


def test_a_life_is_the_same_each_time_and_changes_every_table(sandbox: Sandbox) -> None:
    sandbox.clock.freeze("2026-11-20T12:00:00Z")
    before = {name: list(sandbox.salespro.truth(name)) for name in sandbox.salespro.tables}
    done = sandbox.salespro.move(300, seed=3)
    after = {name: list(sandbox.salespro.truth(name)) for name in sandbox.salespro.tables}
    assert [name for name in before if before[name] == after[name]] == []
    sandbox.reset()
    sandbox.clock.freeze("2026-11-20T12:00:00Z")
    assert sandbox.salespro.move(300, seed=3) == done
