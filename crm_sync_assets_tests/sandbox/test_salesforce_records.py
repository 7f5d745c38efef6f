"""Salesforce's sandbox: pages, descriptions, single records, and what happens to records."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets_tests.sandbox.salesforce import DATA, Org, refused

PLAYED = {"salesforce_contacts": 60}
CONTACTS = "SELECT Id, LastName, SystemModstamp, IsDeleted FROM Contact"


def _row(org: Org, kind: str, one: str, names: str) -> dict[str, Any]:
    [row] = org.rows(f"SELECT {names} FROM {kind} WHERE Id = '{one}'")
    return row


# -- pages ---------------------------------------------------------------------------------------


def test_pages_lead_on_by_a_locator_that_begins_like_theirs(org: Org) -> None:
    org.sandbox.knobs.salesforce_page_size = 25
    first = org.ask(CONTACTS).json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (60, False, 25)
    start = f"{DATA}/query/0r8"
    assert first["nextRecordsUrl"].startswith(start)
    assert len(first["nextRecordsUrl"]) == len(start) + 15 + len("-25")
    assert org.ids(CONTACTS) == org.world.ids("Contact")


@pytest.mark.parametrize(
    ("asked", "shrunk", "got"),
    [("500", 0, 500), ("5", 0, 200), ("9000", 0, 2_000), ("500", 7, 493)],
)
def test_the_size_of_a_page_is_asked_for_within_bounds(
    org: Org, asked: str, shrunk: int, got: int
) -> None:
    for _ in range(2_100):
        org.world.create("Contact", {"LastName": "New"})
    org.sandbox.knobs.page_shrink = shrunk
    header = {"Sforce-Query-Options": f"batchSize={asked}"}
    answer = org.http.get(f"{DATA}/query", params={"q": CONTACTS}, headers=header)
    assert len(answer.json()["records"]) == got


def test_long_texts_make_pages_small(org: Org) -> None:
    for _ in range(250):
        org.world.create("Contact", {"LastName": "New"})
    org.world.add_field("Contact", "More__c", "textarea")
    assert len(org.ask("SELECT Id, Notes__c FROM Contact").json()["records"]) == 310
    assert len(org.ask("SELECT Id, Notes__c, More__c FROM Contact").json()["records"]) == 200


def test_a_locator_is_forgotten_after_two_days_or_when_it_is_told_to_be(org: Org) -> None:
    org.sandbox.knobs.salesforce_page_size = 25

    def following() -> str:
        return str(org.ask(CONTACTS).json()["nextRecordsUrl"])

    url = following()
    assert org.get(url).json()["records"] == org.get(url).json()["records"], "can be read again"
    org.sandbox.clock.advance(2 * 86_400 + 1)
    org.begin()
    refused(org.get(url), 400, "INVALID_QUERY_LOCATOR")
    url = following()
    org.world.expire_locators()
    refused(org.get(url), 400, "INVALID_QUERY_LOCATOR")
    refused(org.get(f"{DATA}/query/0r8nonsense-25"), 400, "INVALID_QUERY_LOCATOR")
    org.sandbox.knobs.salesforce_locators_once = True
    url = following()
    assert org.get(url).status_code == 200
    refused(org.get(url), 400, "INVALID_QUERY_LOCATOR")


def test_pages_may_overlap_be_stuck_or_fewer_than_their_total(org: Org) -> None:
    org.sandbox.knobs.turn({"salesforce_page_size": 20, "repeat_page": True, "short_total": 3})
    assert org.ask(CONTACTS).json()["totalSize"] == 63
    ids = org.ids(CONTACTS)
    assert (len(ids), len(set(ids))) == (100, 60)
    org.sandbox.knobs.turn({"repeat_page": False, "stuck_cursor": True})
    url = org.ask(CONTACTS).json()["nextRecordsUrl"]
    assert url.endswith("-0")
    assert org.get(url).json()["nextRecordsUrl"] == url


@pytest.mark.parametrize("live", [False, True])
def test_what_changes_between_pages_is_read_as_it_is_then(org: Org, live: bool) -> None:
    org.sandbox.knobs.salesforce_page_size = 25
    org.sandbox.knobs.salesforce_live_pages = live
    ids = org.world.ids("Contact")
    page = org.ask(f"{CONTACTS} WHERE SystemModstamp < 2026-11-20T00:00:00Z").json()
    org.world.edit("Contact", ids[30], {"LastName": "Changed"})
    org.world.purge("Contact", ids[31])
    found = org.get(page["nextRecordsUrl"]).json()["records"]
    seen = {row["Id"]: row["LastName"] for row in found}
    assert seen.get(ids[30]) == (None if live else "Changed")
    assert ids[31] not in seen
    assert ids[32] in seen


def test_many_rows_may_have_one_stamp(org: Org) -> None:
    for _ in range(3_000):
        org.world.create("Lead", {"LastName": "Import"}, at="2026-11-20T10:00:00Z")
    at = "SystemModstamp = 2026-11-20T10:00:00Z"
    ids, last = [], ""
    while True:
        after = f" AND Id > '{last}'" if last else ""
        page = org.ids(f"SELECT Id FROM Lead WHERE {at}{after} ORDER BY Id LIMIT 700")
        if not page:
            break
        ids, last = ids + page, page[-1]
    assert (len(ids), len(set(ids))) == (3_000, 3_000)


# -- what there is -------------------------------------------------------------------------------


def test_versions_are_told_to_everybody_and_others_are_not_there(org: Org) -> None:
    del org.http.headers["Authorization"]
    versions = org.get("/services/data/").json()
    assert {"label": "Summer '26", "url": DATA, "version": "67.0"} in versions
    org.begin()
    refused(org.get("/services/data/v12.0/limits"), 404, "NOT_FOUND")
    refused(org.get("/services/nothing"), 404, "NOT_FOUND")
    refused(org.http.post(f"{DATA}/limits", json={}), 405, "METHOD_NOT_ALLOWED")


def test_objects_and_their_fields_are_described(org: Org) -> None:
    objects = {one["name"]: one for one in org.get("sobjects/").json()["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Event", "User",
            "Campaign", "Asset", "Invoice__c"} <= objects.keys()  # fmt: skip
    assert objects["Contact"]["keyPrefix"] == "003"
    assert [objects[n]["custom"] for n in ("Asset", "Invoice__c")] == [False, True]
    assert [objects[n]["replicateable"] for n in ("User", "CaseStatus")] == [True, False]
    whole = org.get("sobjects/Account/describe").json()
    fields = {field["name"]: field for field in whole.pop("fields")}
    assert objects["Account"].items() <= whole.items()
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert fields["OwnerId"]["relationshipName"] == "Owner"
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["Health__c"]["calculated"] is True
    assert fields["IsDeleted"]["calculated"] is False
    assert [one["value"] for one in fields["Tier__c"]["picklistValues"]] == [
        "Gold",
        "Silver",
        "Bronze",
    ]
    assert [name for name, field in fields.items() if not field["nillable"]] == ["Id", "IsDeleted"]
    users = {field["name"] for field in org.get("sobjects/User/describe/").json()["fields"]}
    assert not users & {"IsDeleted", "MasterRecordId"}
    refused(org.get("sobjects/Nothing/describe"), 404, "NOT_FOUND")
    assert org.get("sobjects/Account").json()["objectDescribe"] == objects["Account"]


def test_several_are_described_at_once(org: Org) -> None:
    def batch(*urls: str, halt: bool = True, method: str = "GET") -> Any:
        asked = [{"method": method, "url": url} for url in urls]
        body = {"haltOnError": halt, "batchRequests": asked}
        return org.http.post(f"{DATA}/composite/batch", json=body)

    urls = [f"v67.0/sobjects/{name}/describe" for name in ("Account", "Nothing", "Contact")]
    told = batch(*urls).json()
    assert told["hasErrors"] is True
    assert [one["statusCode"] for one in told["results"]] == [200, 404, 412]
    told = batch(*urls, halt=False).json()
    assert [one["statusCode"] for one in told["results"]] == [200, 404, 200]
    assert told["results"][2]["result"] == org.get("sobjects/Contact/describe").json()
    used = org.get("limits").json()["DailyApiRequests"]["Remaining"]
    told = batch("v67.0/query/?q=SELECT+COUNT()+FROM+Contact", "v67.0/limits").json()
    assert org.get("limits").json()["DailyApiRequests"]["Remaining"] == used - 3, "each counts"
    assert told["hasErrors"] is False
    assert told["results"][0]["result"]["totalSize"] == 60
    assert batch(urls[0], method="DELETE").json()["results"][0]["statusCode"] == 405
    assert batch("v66.0/limits").json()["results"][0]["statusCode"] == 400
    assert batch(*["v67.0/limits"] * 26).status_code == 400
    assert batch().status_code == 400


def test_one_record(org: Org) -> None:
    one = org.world.ids("Contact")[4]
    row = org.get(f"sobjects/Contact/{one}").json()
    assert row["attributes"]["url"] == f"{DATA}/sobjects/Contact/{one}"
    fields = [f["name"] for f in org.get("sobjects/Contact/describe").json()["fields"]]
    assert list(row) == ["attributes", *fields]
    assert org.get(f"sobjects/Contact/{one}", fields="Name").json().keys() == {
        "attributes", "Id", "Name",
    }  # fmt: skip
    refused(org.get(f"sobjects/Contact/{one}", fields="Nme"), 400, "INVALID_FIELD")
    refused(org.get("sobjects/Contact/003000000000001AAA"), 404, "NOT_FOUND")
    org.world.archive("Contact", one)
    refused(org.get(f"sobjects/Contact/{one}"), 404, "ENTITY_IS_DELETED")


# -- what happens --------------------------------------------------------------------------------


def test_a_deleted_record_is_in_query_all_until_the_bin_is_emptied(org: Org) -> None:
    one = org.world.ids("Contact")[4]
    before = _row(org, "Contact", one, "SystemModstamp")["SystemModstamp"]
    org.world.archive("Contact", one)
    row = _row(org, "Contact", one, "IsDeleted, SystemModstamp, MasterRecordId")
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, None)
    assert row["SystemModstamp"] > before
    assert one not in org.ids(CONTACTS, all=False)
    org.sandbox.clock.advance(60)
    org.world.restore("Contact", one)
    back = _row(org, "Contact", one, "IsDeleted, SystemModstamp")
    assert back["IsDeleted"] is False
    assert back["SystemModstamp"] > row["SystemModstamp"]
    org.world.archive("Contact", one)
    org.sandbox.clock.advance(15 * 86_400 + 1)
    org.begin()
    assert one not in org.ids(CONTACTS)


def test_what_comes_back_may_keep_its_stamp(org: Org) -> None:
    one = org.world.ids("Contact")[4]
    org.world.archive("Contact", one)
    gone = _row(org, "Contact", one, "SystemModstamp")
    org.sandbox.clock.advance(60)
    org.sandbox.knobs.salesforce_quiet_undelete = True
    org.world.restore("Contact", one)
    assert _row(org, "Contact", one, "SystemModstamp") == gone


@pytest.mark.parametrize("state", ["live", "archived"])
def test_a_hard_delete_is_in_no_query(org: Org, state: str) -> None:
    one = org.world.ids("Contact")[4]
    if state == "archived":
        org.world.archive("Contact", one)
        assert org.world.empty_bin("Contact") > 0
    else:
        org.world.purge("Contact", one)
    assert one not in org.ids(CONTACTS)
    assert org.world.get("Contact", one)["state"] == "purged"


def test_a_loser_says_who_won_and_what_hung_on_it_follows(org: Org) -> None:
    names = "AccountId, SystemModstamp, LastModifiedDate"
    child, untouched = org.world.ids("Contact")[0], org.world.ids("Account")[7]
    loser, winner = org.world.create("Account", {"Name": "A"}), org.world.ids("Account")[5]
    org.world.edit("Contact", child, {"AccountId": loser}, at="2026-11-20T10:00:00Z")
    org.world.merge("Account", winner, loser)
    row = _row(org, "Account", loser, "IsDeleted, MasterRecordId, SystemModstamp")
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, winner)
    assert row["SystemModstamp"] >= "2026-11-20T17:00:00"
    assert _row(org, "Account", winner, "IsDeleted")["IsDeleted"] is False
    moved = _row(org, "Contact", child, names)
    assert moved["AccountId"] == winner
    assert moved["SystemModstamp"] >= "2026-11-20T17:00:00"
    children = org.ids(f"SELECT Id FROM Contact WHERE AccountId = '{untouched}'", all=False)
    assert children
    org.world.merge("Account", winner, untouched)
    stamp = _row(org, "Account", untouched, "SystemModstamp")["SystemModstamp"]
    assert stamp >= "2026-11-20T17:00:00"
    assert not org.ids(f"SELECT Id FROM Contact WHERE AccountId = '{untouched}'", all=False)
    assert set(children) <= set(org.ids(f"SELECT Id FROM Contact WHERE AccountId = '{winner}'"))
    with pytest.raises(ValueError, match="not merged"):
        org.world.merge("Opportunity", *org.world.ids("Opportunity")[:2])


def test_a_change_that_nobody_made_moves_the_stamp_alone(org: Org) -> None:
    one = org.world.ids("Account")[0]
    names = "SystemModstamp, LastModifiedDate"
    before = _row(org, "Account", one, names)
    org.world.automate("Account", one, {"Phone": "1"})
    after = _row(org, "Account", one, names)
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["LastModifiedDate"] == before["LastModifiedDate"]
    org.world.edit("Account", one, {"Phone": "2"})
    assert _row(org, "Account", one, names)["LastModifiedDate"] > before["LastModifiedDate"]


def test_a_formula_changes_without_a_stamp(org: Org) -> None:
    one = org.world.ids("Account")[0]
    before = _row(org, "Account", one, "SystemModstamp")
    org.world.recalculate("Account", [one], {"Health__c": 99.5})
    assert _row(org, "Account", one, "Health__c")["Health__c"] == 99.5
    assert _row(org, "Account", one, "SystemModstamp") == before


def test_archived_activities_are_in_query_all_only(org: Org) -> None:
    every, live = org.ids("SELECT Id FROM Task"), org.ids("SELECT Id FROM Task", all=False)
    old = org.ids("SELECT Id FROM Task WHERE IsArchived = true")
    assert old
    assert set(every) - set(live) == set(old)
    org.world.shelve("Task", live[:1])
    assert org.ids("SELECT Id FROM Task", all=False) == live[1:]
    assert org.ids("SELECT Id FROM Task") == every


def test_a_converted_lead_stays(org: Org) -> None:
    lead = org.world.ids("Lead")[0]
    made = org.world.convert(lead)
    names = "IsConverted, ConvertedAccountId, ConvertedContactId, ConvertedOpportunityId, IsDeleted"
    row = _row(org, "Lead", lead, names)
    assert row.items() >= {**made, "IsConverted": True, "IsDeleted": False}.items()
    assert made["ConvertedContactId"] in org.ids(CONTACTS)


def test_fields_come_and_go_and_may_be_hidden(org: Org) -> None:
    def columns() -> set[str]:
        return {f["name"] for f in org.get("sobjects/Account/describe").json()["fields"]}

    one, before = org.world.ids("Account")[0], columns()
    org.world.add_field("Account", "Roof_Age__c", "double", label="Roof age")
    assert columns() - before == {"Roof_Age__c"}
    assert _row(org, "Account", one, "Roof_Age__c")["Roof_Age__c"] is None
    org.world.edit("Account", one, {"Roof_Age__c": 12.0})
    assert _row(org, "Account", one, "Roof_Age__c")["Roof_Age__c"] == 12.0
    for act, back in (("hide_field", "show_field"), ("remove_field", "add_field")):
        getattr(org.world, act)("Account", "Roof_Age__c")
        assert columns() == before
        refused(org.ask("SELECT Roof_Age__c FROM Account"), 400, "INVALID_FIELD")
        assert "Roof_Age__c" not in org.world.get("Account", one)["properties"]
        getattr(org.world, back)("Account", "Roof_Age__c")
        assert columns() - before == {"Roof_Age__c"}
    with pytest.raises(ValueError, match="no name of a custom field"):
        org.world.add_field("Account", "Roof")


def test_records_and_objects_may_be_hidden(org: Org) -> None:
    one = org.world.ids("Account")[0]
    org.world.hide("Account", one)
    assert one not in org.ids("SELECT Id FROM Account")
    refused(org.get(f"sobjects/Account/{one}"), 404, "NOT_FOUND")
    org.world.show("Account", one)
    assert one in org.ids("SELECT Id FROM Account")
    org.world.hide_object("Account")
    refused(org.ask("SELECT Id FROM Account"), 400, "INVALID_TYPE")
    refused(org.get("sobjects/Account/describe"), 404, "NOT_FOUND")
    assert "Account" not in [o["name"] for o in org.get("sobjects").json()["sobjects"]]
    org.world.show_object("Account")
    assert one in org.ids("SELECT Id FROM Account")


def test_currencies_are_told_where_there_are_several(org: Org) -> None:
    refused(org.ask("SELECT CurrencyIsoCode FROM Opportunity"), 400, "INVALID_FIELD")
    org.sandbox.knobs.salesforce_multicurrency = True
    rows = org.rows("SELECT CurrencyIsoCode FROM Opportunity")
    assert {row["CurrencyIsoCode"] for row in rows} == {"USD", "EUR"}
    refused(org.ask("SELECT CurrencyIsoCode FROM User"), 400, "INVALID_FIELD")


def test_users_are_never_deleted(org: Org) -> None:
    one = org.world.ids("User")[3]
    for act in (org.world.archive, org.world.purge):
        with pytest.raises(ValueError, match="never deleted"):
            act("User", one)
    org.world.edit("User", one, {"IsActive": False})
    assert _row(org, "User", one, "IsActive")["IsActive"] is False


def test_a_life_is_the_same_for_the_same_seed_and_truth_is_what_queries_say(org: Org) -> None:
    told = org.crm.move(150, seed=3)
    assert {line.split()[0] for line in told} >= {
        "create", "edit", "clear", "archive", "restore", "purge", "merge", "automate", "convert",
    }  # fmt: skip
    for kind in org.world.tables:
        names = ", ".join(f["name"] for f in org.get(f"sobjects/{kind}/describe").json()["fields"])
        rows = {row["Id"]: row for row in org.rows(f"SELECT {names} FROM {kind}")}
        for true in org.world.truth(kind):
            row = rows.pop(true["id"], None)
            if true["state"] == "live":
                assert row is not None
            if row is not None:
                assert row.pop("attributes")["type"] == kind
                assert row == true["properties"]
        assert rows == {}
    org.sandbox.reset()
    org.sandbox.clock.freeze("2026-11-20T17:00:00Z")
    assert org.crm.move(150, seed=3) == told
