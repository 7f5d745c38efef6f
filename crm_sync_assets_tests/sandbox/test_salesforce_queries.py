"""Salesforce's sandbox: what SOQL finds, and what of it is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crm_sync_assets.sandbox.crms.salesforce.soql import Malformed, parse
from crm_sync_assets_tests.sandbox.salesforce import Org, refused

PLAYED = {"salesforce_contacts": 60}
SINCE = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "soql",
    [
        "", "SELECT", "SELECT Id", "SELECT Id FROM", "SELECT FROM Account", "SELECT * FROM Account",
        "SELECT Id, FROM Account", "SELECT Id FROM Account, Contact", "SELECT Id FROM Account a",
        "SELECT Id FROM Account WHERE", "SELECT Id FROM Account WHERE Name", "SELECT Id Account",
        "SELECT Id FROM Account WHERE Name = ", "SELECT Id FROM Account WHERE Name = 'x",
        "SELECT Id FROM Account WHERE Name = x", 'SELECT Id FROM Account WHERE Name = "x"',
        "SELECT Id FROM Account WHERE Name = 'x' AND", "SELECT Id FROM Account WHERE (Name = 'x'",
        "SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
        "SELECT Id FROM Account WHERE Name = 'a' OR Name = 'b' AND Name = 'c'",
        "SELECT Id FROM Account WHERE NOT Name = 'a'", "SELECT Id FROM Account WHERE Name IN ()",
        "SELECT Id FROM Account WHERE Name NOT IN ('a')", "SELECT Id FROM Account WHERE Name ~ 'a'",
        "SELECT Id FROM Account WHERE Name IN (SELECT Name FROM Contact)",
        "SELECT Id FROM Account WHERE Name = 'a\\q'", "SELECT Id FROM Account GROUP BY Id",
        "SELECT COUNT(Id) FROM Account", "SELECT MAX(CreatedDate) FROM Account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account", "SELECT TYPEOF What END FROM Task",
        "SELECT Id FROM Account LIMIT", "SELECT Id FROM Account LIMIT -1",
        "SELECT Id FROM Account LIMIT 5 ORDER BY Id", "SELECT Id FROM Account ORDER Id",
        "SELECT Id FROM Account ORDER BY Id UP", "SELECT Id FROM Account; SELECT Id FROM Lead",
        "SELECT FIELDS(SOME) FROM Account LIMIT 5", "SELECT Id FROM Account FOR UPDATE",
        "SELECT Id FROM Account WHERE CreatedDate > LAST_MONTH",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-01-01T00:00:00",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-13-01T00:00:00Z",
        "SELECT Id FROM Account ALL ROWS", "UPDATE Account SET Name = 'x'",
    ],
)  # fmt: skip
def test_what_is_no_query_is_malformed(soql: str) -> None:
    with pytest.raises(Malformed):
        parse(soql)


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        (f"SELECT Id FROM Account WHERE SystemModstamp > '{SINCE}'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Birthdate = '2026-01-01'", "MALFORMED_QUERY"),
        (f"SELECT Id FROM Contact WHERE Birthdate = {SINCE}", "MALFORMED_QUERY"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY"),
        ("SELECT FIELDS(ALL) FROM Account LIMIT 201", "MALFORMED_QUERY"),
        ("SELECT Id, Nme FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Nme = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account ORDER BY Nme", "INVALID_FIELD"),
        ("SELECT Id, Id FROM Account", "INVALID_FIELD"),
        ("SELECT Id, Owner.Nme FROM Account", "INVALID_FIELD"),
        ("SELECT Id, Boss.Name FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE AnnualRevenue = '5'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE IsDeleted = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM User WHERE IsDeleted = false", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE IsDeleted > false", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Account WHERE AnnualRevenue LIKE 5", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Account WHERE Id > '1'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Acount", "INVALID_TYPE"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_a_query_that_is_refused_says_why(org: Org, soql: str, code: str) -> None:
    for all in (False, True):
        assert refused(org.ask(soql, all=all), 400, code)


def test_an_unknown_column_is_named(org: Org) -> None:
    message = refused(org.ask("SELECT Foo__c FROM Account"), 400, "INVALID_FIELD")
    assert "No such column 'Foo__c' on entity 'Account'" in message


def test_a_record_has_exactly_what_was_asked_for(org: Org) -> None:
    row = org.rows("select id, NAME, phone, BillingAddress from account limit 1")[0]
    assert list(row) == ["attributes", "Id", "Name", "Phone", "BillingAddress"]
    assert row["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v67.0/sobjects/Account/{row['Id']}",
    }
    assert {"street", "city", "postalCode"} <= row["BillingAddress"].keys()


def test_what_is_referred_to_is_nested(org: Org) -> None:
    rows = org.rows("SELECT Id, OwnerId, Owner.Name, Owner.Email, Account.Name FROM Contact")
    users = {row["Id"]: row for row in org.rows("SELECT Id, Name, Email FROM User")}
    for row in rows:
        owner = dict(row["Owner"])
        assert owner.pop("attributes")["type"] == "User"
        assert owner == {name: users[row["OwnerId"]][name] for name in ("Name", "Email")}
    assert {row["Account"] is None for row in rows} == {True, False}


def test_every_value_has_its_form(org: Org) -> None:
    forms = {
        "SystemModstamp": r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000",
        "Due_Date__c": r"2\d{3}-\d\d-\d\d",
        "Best_Time__c": r"\d\d:\d\d:00\.000Z",
    }
    rows = org.rows(f"SELECT Paid__c, Amount__c, Regions__c, {', '.join(forms)} FROM Invoice__c")
    for name, form in forms.items():
        values = [row[name] for row in rows if row[name] is not None]
        assert values
        assert all(re.fullmatch(form, value) for value in values)
    assert {type(row["Paid__c"]) for row in rows} == {bool}
    assert {type(row["Amount__c"]) for row in rows} == {float, type(None)}
    assert any(";" in (row["Regions__c"] or "") for row in rows)


def _money(row: dict[str, Any]) -> Any:
    return row["AnnualRevenue"]


def _expected(org: Org, holds: Any) -> list[str]:
    names = "Id, Name, Type, AnnualRevenue, SystemModstamp, IsDeleted, Phone"
    return [row["Id"] for row in org.rows(f"SELECT {names} FROM Account") if holds(row)]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ("Type = 'customer'", lambda r: r["Type"] == "Customer"),
        ("Type != 'Customer'", lambda r: r["Type"] != "Customer"),
        ("Type <> 'Customer'", lambda r: r["Type"] != "Customer"),
        ("Type = null", lambda r: r["Type"] is None),
        ("Type != NULL", lambda r: r["Type"] is not None),
        ("Type IN ('Customer', 'Partner')", lambda r: r["Type"] in ("Customer", "Partner")),
        ("Name LIKE '%llc'", lambda r: r["Name"].endswith("LLC")),
        ("Name LIKE 'r_y%'", lambda r: r["Name"][0] == "R" and r["Name"][2] == "y"),
        ("AnnualRevenue >= 5000.5", lambda r: (_money(r) or 0) >= 5000.5),
        ("AnnualRevenue < 5000", lambda r: _money(r) is not None and _money(r) < 5000),
        ("IsDeleted = false", lambda r: not r["IsDeleted"]),
        ("(Type = 'Partner' OR Phone = null) AND AnnualRevenue > 0",
         lambda r: (r["Type"] == "Partner" or r["Phone"] is None) and (_money(r) or 0) > 0),
        (f"SystemModstamp >= {SINCE}", lambda r: r["SystemModstamp"] >= "2026-01-01"),
        ("SystemModstamp < 2025-12-31T19:00:00.000-05:00",
         lambda r: r["SystemModstamp"] < "2026-01-01"),
        ("SystemModstamp > 2025-06-01T00:00:00+02:00 AND SystemModstamp <= 2026-06-01T00:00:00Z",
         lambda r: "2025-05-31T22" < r["SystemModstamp"] <= "2026-06-01"),
        ("SystemModstamp < 2025-01-01T00:00:00Z OR SystemModstamp > 2026-06-01T00:00:00Z",
         lambda r: not "2025-01-01" <= r["SystemModstamp"] < "2026-06-01"),
    ],
)  # fmt: skip
def test_conditions_let_through_what_holds(org: Org, where: str, holds: Any) -> None:
    every = org.ids("SELECT Id FROM Account")
    expected = _expected(org, holds)
    assert 0 < len(expected) < len(every) or where.startswith("IsDeleted") or "r_y" in where
    assert org.ids(f"SELECT Id FROM Account WHERE {where}") == expected
    counted = org.ask(f"SELECT COUNT() FROM Account WHERE {where}").json()
    assert counted == {"totalSize": len(expected), "done": True, "records": []}


def test_ids_and_stamps_narrow_what_is_looked_at_and_hide_nothing(org: Org) -> None:
    ids = org.world.ids("Contact")
    for one in (ids[3], ids[40]):
        org.world.edit("Contact", one, {"LastName": "X"}, at="2026-11-20T11:00:00Z")
    every = org.rows("SELECT Id, SystemModstamp FROM Contact")
    some = [ids[3], ids[9][:15], ids[40]]
    known = ", ".join(f"'{one}'" for one in some)
    far = "2026-11-20T10:00:00Z"
    cases: dict[str, Any] = {
        f"Id IN ({known})": lambda one, _: one[:15] in {other[:15] for other in some},
        f"Id IN ({known}) AND SystemModstamp > {far}": lambda one, _: one in (ids[3], ids[40]),
        f"Id >= '{ids[9][:15]}' AND Id < '{ids[41]}'": lambda one, _: ids[9] <= one < ids[41],
        f"Id > '{ids[-1]}'": lambda *_: False,
        f"Id = '{org.world.ids('Account')[0]}'": lambda *_: False,
        f"Id > '{ids[20]}' OR SystemModstamp > {far}": lambda one, at: one > ids[20] or at > far,
        "SystemModstamp = null": lambda *_: False,
        "Id != null AND SystemModstamp != null": lambda *_: True,
    }
    for where, holds in cases.items():
        found = org.ids(f"SELECT Id FROM Contact WHERE {where}")
        assert found == [row["Id"] for row in every if holds(row["Id"], row["SystemModstamp"])]


def test_a_stamp_of_a_record_that_was_written_to_is_found(org: Org) -> None:
    one = org.world.ids("Account")[3]
    org.world.edit("Account", one, {"Name": "It's \\ new"}, at="2026-11-20T11:00:00.700Z")
    for where in (
        "SystemModstamp = 2026-11-20T11:00:00Z",
        "SystemModstamp <= 2026-11-20T11:00:00Z AND SystemModstamp > 2026-11-20T10:59:59Z",
        "Name = 'it\\'s \\\\ NEW'",
        f"Id = '{one[:15]}'",
        f"Id IN ('{one}')",
    ):
        assert org.ids(f"SELECT Id FROM Account WHERE {where}") == [one]


def test_rows_are_sorted_with_nothing_first_unless_asked_otherwise(org: Org) -> None:
    def types(order: str) -> list[Any]:
        return [row["Type"] for row in org.rows(f"SELECT Id, Type FROM Account ORDER BY {order}")]

    known = sorted(value for value in types("Type") if value is not None)
    empty = [None] * types("Type").count(None)
    assert empty
    assert types("Type") == types("Type ASC NULLS FIRST") == empty + known
    assert types("Type NULLS LAST") == known + empty
    assert types("Type DESC") == empty + known[::-1]
    assert types("Type DESC NULLS LAST") == known[::-1] + empty
    rows = org.rows("SELECT Id, SystemModstamp FROM Account ORDER BY SystemModstamp ASC, Id DESC")
    assert len(rows) > 5
    assert [r["SystemModstamp"] for r in rows] == sorted(r["SystemModstamp"] for r in rows)


def test_ids_tell_upper_from_lower_case_and_ascend_by_their_bytes(org: Org) -> None:
    ids = org.ids("SELECT Id FROM Contact ORDER BY Id")
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {18}
    assert len({one[:15].lower() for one in ids}) < len(ids), "15 characters are not enough"
    assert len({one.lower() for one in ids}) == len(ids)
    place = len(ids) // 2
    assert org.ids(f"SELECT Id FROM Contact WHERE Id > '{ids[place]}'") == ids[place + 1 :]


def test_limit_and_offset(org: Org) -> None:
    ids = org.ids("SELECT Id FROM Contact")
    assert org.ids("SELECT Id FROM Contact LIMIT 5 OFFSET 7") == ids[7:12]
    assert org.ids("SELECT Id FROM Contact LIMIT 0") == []
    assert org.ids("SELECT Id FROM Contact OFFSET 2000") == []


def test_a_query_that_finds_much_may_take_too_long(org: Org) -> None:
    org.sandbox.knobs.salesforce_timeout_rows = 20
    refused(org.ask("SELECT Id FROM Contact"), 400, "QUERY_TIMEOUT")
    assert len(org.ids("SELECT Id FROM Contact LIMIT 20")) == 20


def test_all_fields_of_a_few_records(org: Org) -> None:
    [row] = org.rows("SELECT FIELDS(ALL) FROM Account LIMIT 1")
    fields = [f["name"] for f in org.get("sobjects/Account/describe").json()["fields"]]
    assert list(row) == ["attributes", *fields]
    [row] = org.rows("SELECT FIELDS(CUSTOM) FROM Account LIMIT 1")
    assert list(row) == ["attributes", "Tier__c", "Trades__c", "Health__c"]
