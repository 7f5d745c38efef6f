"""Queries as they are written and cut, CSV files as they are read, and what the day has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from crm_sync_assets.clients.answers import Answer, Fatal, Pause, Retry
from crm_sync_assets.crms.salesforce import csvs, dialect, soql
from crm_sync_assets.crms.salesforce.described import Described, Shown
from crm_sync_assets.crms.salesforce.org import Rows
from crm_sync_assets.crms.salesforce.selecting import _together, parts_of
from crm_sync_assets.crms.salesforce.soql import Query
from crm_sync_assets.declarations import registry
from crm_sync_assets.errors import Deferred, FatalError, Unauthorized

T = "2026-11-20T08:01:12.345Z"
TYPES = {
    "Id": "id",
    "Name": "string",
    "IsDeleted": "boolean",
    "SystemModstamp": "datetime",
    "NumberOfEmployees": "int",
    "AnnualRevenue": "currency",
    "BillingAddress": "address",
    "Seen__c": "datetime",
    "Share__c": "percent",
}


def answer(status: int, code: str = "", message: str = "", usage: str | None = None) -> Answer:
    body = f'[{{"message": "{message}", "errorCode": "{code}"}}]'.encode()
    headers = {"content-type": "application/json"}
    headers |= {"sforce-limit-info": usage} if usage else {}
    return Answer(status, headers, body, None, "GET /x", None)


def shown() -> Shown:
    fields = [{"name": n, "type": t, "custom": n.endswith("__c")} for n, t in TYPES.items()]
    return Shown(
        registry.entity("salesforce.accounts"), Described.of({"name": "Account", "fields": fields})
    )


def test_a_query_goes_on_after_a_row_in_the_order_of_its_moment_and_its_id() -> None:
    query = Query(("Id", "Name"), "Account", soql.after("SystemModstamp", T, "001A"), ("Id",), 5)
    assert str(query) == (
        f"SELECT Id, Name FROM Account WHERE SystemModstamp >= {T} AND (SystemModstamp > {T} OR "
        f"(SystemModstamp = {T} AND Id > '001A')) ORDER BY Id ASC LIMIT 5"
    )
    assert str(query.counting).startswith("SELECT COUNT() FROM Account WHERE ")
    assert "LIMIT" not in str(query.counting)


def test_moments_are_in_utc_and_texts_cannot_end_themselves() -> None:
    at = datetime(2026, 11, 20, 3, 1, 12, 345_999, tzinfo=timezone(timedelta(hours=-5)))
    assert soql.moment(at) == T
    assert soql.among("Id", ["a'b\\"]) == "Id IN ('a\\'b\\\\')"
    assert soql.within("X", at, None) == (f"X >= {T}",)


def test_a_query_that_is_too_long_is_asked_in_parts_that_tell_their_records() -> None:
    names = (
        "Id",
        "SystemModstamp",
        *(f"A_field_of_forty_letters_and_more_{n}__c" for n in range(900)),
    )
    query = Query(names, "Account", soql.after("SystemModstamp", T, "001A"), ("SystemModstamp",), 9)
    parts = parts_of(query, ["Id", "SystemModstamp"])
    assert len(parts) > 2
    assert all(len(urlencode({"q": str(part)})) <= 12_000 for part in parts)
    assert all(part.fields[:2] == ("Id", "SystemModstamp") for part in parts)
    assert [n for part in parts for n in part.fields[2:]] == list(names[2:])
    assert {(part.where, part.order, part.limit) for part in parts} == {
        (query.where, query.order, query.limit)
    }
    assert parts_of(Query(("Id",), "Account"), ["Id"]) == [Query(("Id",), "Account")]


def test_compound_fields_are_not_asked_for_and_hidden_columns_are_named() -> None:
    assert shown().names[:2] == ["Id", "SystemModstamp"]
    assert "BillingAddress" not in shown().names
    assert "billing_street" in shown().hidden_columns
    assert "name" not in shown().hidden_columns


def csv_of(*rows: str) -> bytes:
    head = ",".join(f'"{name}"' for name in shown().names)
    return "\n".join([head, *rows, ""]).encode()


def test_a_line_becomes_what_json_would_have_had() -> None:
    names = shown().names
    values = dict.fromkeys(names, "") | {
        "Id": "001A",
        "Name": 'Reyes, ""Best""\nLLC\0',
        "IsDeleted": "false",
        "SystemModstamp": T,
        "NumberOfEmployees": "12.0",
        "AnnualRevenue": "123456789012345678.01",
        "Seen__c": T,
    }
    body = csv_of(",".join(f'"{values[name]}"' for name in names))
    [[record]] = csvs.records_in(body, shown(), skip=0, at_once=10)
    assert record == {
        "Id": "001A",
        "Name": 'Reyes, "Best"\nLLC',
        "IsDeleted": False,
        "SystemModstamp": "2026-11-20T08:01:12.345+0000",
        "NumberOfEmployees": 12,
        "AnnualRevenue": Decimal("123456789012345678.01"),
        "seen__c": "2026-11-20T08:01:12.345+0000",
        "share__c": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'"Id"\n"001A"\n',
        csv_of('"001A'),
        csv_of('"001A","2026"'),
        csv_of('"001A"x,""'),
    ],
    ids=["empty", "columns missing", "cut in a value", "cut in a line", "a quote astray"],
)
def test_a_file_that_was_cut_is_no_file(body: bytes) -> None:
    with pytest.raises(csvs.Broken):
        list(csvs.records_in(body, shown(), skip=0, at_once=10))


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (401, "INVALID_SESSION_ID", "Session expired or invalid", Unauthorized),
        (400, "QUERY_TIMEOUT", "too long", dialect.TooMuch),
        (400, "INVALID_FIELD", "No such column", dialect.NoSuchField),
        (431, "", "", FatalError),
    ],
)
def test_an_error_is_told_by_its_code(status: int, code: str, message: str, kind: Any) -> None:
    verdict = dialect.SalesforceDialect(dialect.Quota(0.2)).verdict(
        answer(status, code, message), 1
    )
    assert isinstance(verdict, Fatal)
    assert verdict.kind is kind


def test_what_is_used_up_for_a_day_is_deferred_and_what_runs_at_once_is_waited_for() -> None:
    says = dialect.SalesforceDialect(dialect.Quota(0.2))
    daily = says.verdict(answer(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), 1)
    assert isinstance(daily, Pause)
    assert daily.defer
    for message in ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
                    "ConcurrentPerOrgLongTxn Limit exceeded."):  # fmt: skip
        at_once = says.verdict(answer(403, "REQUEST_LIMIT_EXCEEDED", message), 1)
        assert isinstance(at_once, Pause)
        assert not at_once.defer
        assert 30 <= at_once.seconds <= 60
    page = Answer(403, {"content-type": "text/html"}, b"<html>", None, "GET /x", None)
    assert isinstance(says.verdict(page, 1), Retry)


def test_no_more_than_the_share_of_the_day_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    quota = dialect.Quota(0.2)
    quota.refuse_if_spent("salesforce.accounts")
    quota.note(answer(200, usage="api-usage=79/100; per-app-api-usage=80/90(appName=x)"))
    quota.refuse_if_spent("salesforce.accounts")
    quota.note(answer(200, usage="api-usage=80/100"))
    with pytest.raises(Deferred, match=r"80 of the 100 requests.*20% are left to others") as told:
        quota.refuse_if_spent("salesforce.accounts")
    assert told.value.until > datetime.now(UTC) + timedelta(minutes=55)
    # After a while one request looks whether there are more by now.
    monkeypatch.setattr(dialect, "LOOKED_AT", -1.0)
    quota.refuse_if_spent("salesforce.accounts")


def test_a_record_without_its_other_part_ends_the_rows() -> None:
    """It may have changed, or the answer be a shorter one: what follows is asked for again."""
    first = [{"Id": one, "SystemModstamp": T, "A": one} for one in "abc"]
    second = [{"Id": one, "SystemModstamp": T, "B": one} for one in "ac"]
    found = _together(Rows(first, True), Rows(second, True), ["Id", "SystemModstamp"])
    assert found == Rows([{"Id": "a", "SystemModstamp": T, "A": "a", "B": "a"}], done=False)
