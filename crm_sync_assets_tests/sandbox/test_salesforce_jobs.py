"""Salesforce's sandbox: bulk query jobs, and the log of what was deleted and updated."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from crm_sync_assets_tests.sandbox.salesforce import DATA, Org, parsed, refused

PLAYED = {"salesforce_contacts": 60}
NAMES = "Id, LastName, Description, DoNotCall, SystemModstamp, Birthdate"
CONTACTS = f"SELECT {NAMES} FROM Contact"


# -- jobs ----------------------------------------------------------------------------------------


def test_a_job_goes_through_its_states(org: Org) -> None:
    org.sandbox.knobs.salesforce_job_polls = 2
    job = org.job(CONTACTS).json()
    assert (job["state"], job["operation"], job["object"]) == (
        "UploadComplete", "queryAll", "Contact",
    )  # fmt: skip
    assert (job["id"][:3], len(job["id"]), job["apiVersion"]) == ("750", 18, 67.0)
    refused(org.results(job), 400, "INVALIDJOBSTATE")
    path = f"jobs/query/{job['id']}"
    told = [org.get(path).json() for _ in range(4)]
    assert [one["state"] for one in told] == ["InProgress"] * 2 + ["JobComplete"] * 2
    assert "numberRecordsProcessed" not in told[0]
    assert told[2]["numberRecordsProcessed"] == 60
    assert told[2]["isPkChunkingSupported"] is True
    assert org.done(f"{CONTACTS} ORDER BY Id")["isPkChunkingSupported"] is False


def test_results_are_pages_of_csv_whose_last_locator_is_the_word_null(org: Org) -> None:
    job, rows, locator = org.done(CONTACTS), [], ""
    sizes = []
    while locator != "null":
        more = {"locator": locator} if locator else {}
        page = org.results(job, maxRecords=25, **more)
        assert page.headers["content-type"].startswith("text/csv")
        assert page.text.splitlines()[0] == ",".join(f'"{n}"' for n in NAMES.split(", "))
        sizes.append(int(page.headers["sforce-numberofrecords"]))
        rows += parsed(page.text)
        again = org.results(job, maxRecords=25, **more)
        assert (again.text, again.headers["sforce-locator"]) == (
            page.text, page.headers["sforce-locator"],
        )  # fmt: skip
        locator = page.headers["sforce-locator"]
    assert sizes == [25, 25, 10]
    assert org.results(job, maxRecords=60).headers["sforce-locator"] == "null"
    ids = [row["Id"] for row in rows]
    assert sorted(ids) == org.world.ids("Contact")
    assert ids != sorted(ids), "chunks come in no order"
    page = org.results(org.done(f"{CONTACTS} ORDER BY Id"))
    assert [row["Id"] for row in parsed(page.text)] == sorted(ids)


def test_cells_say_what_json_says_in_their_own_words(org: Org) -> None:
    names = f"{NAMES}, Notes__c, MailingCity"
    page = org.results(org.done(f"SELECT {names} FROM Contact")).text
    assert '"\n' in page
    assert "\0" in page
    assert any('""' in line for line in page.splitlines())
    rows = sorted(parsed(page.replace("\0", "")), key=lambda row: row["Id"])
    for row, record in zip(rows, org.rows(f"SELECT {names} FROM Contact"), strict=True):
        for name in names.split(", "):
            value = record[name]
            if name == "SystemModstamp":
                value = value.replace("+0000", "Z")
            if isinstance(value, bool):
                value = str(value).lower()
            assert row[name] == (value or "")
    assert any("\n" in row["Description"] for row in rows)
    whole = {row["NumberOfEmployees"] for row in parsed(
        org.results(org.done("SELECT NumberOfEmployees FROM Lead")).text)}  # fmt: skip
    assert {one.endswith(".0") for one in whole if one} == {True, False}


def test_what_is_referred_to_has_a_column_of_its_own(org: Org) -> None:
    soql = "SELECT Id, Owner.Name, Account.Name FROM Contact LIMIT 9"
    rows = parsed(org.results(org.done(soql)).text)
    for row, record in zip(rows, org.rows(soql), strict=True):
        assert row["Owner.Name"] == record["Owner"]["Name"]
        assert row["Account.Name"] == ((record["Account"] or {}).get("Name") or "")


@pytest.mark.parametrize("delimiter", ["TAB", "PIPE", "SEMICOLON", "CARET", "BACKQUOTE"])
def test_delimiters_and_ends_of_lines_can_be_chosen(org: Org, delimiter: str) -> None:
    signs = {"TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
    job = org.done("SELECT Id, LastName FROM Contact", columnDelimiter=delimiter, lineEnding="CRLF")
    assert (job["columnDelimiter"], job["lineEnding"]) == (delimiter, "CRLF")
    text = org.results(job).content.decode()
    assert text.count("\r\n") == text.count("\n") == 61
    assert len(parsed(text, signs[delimiter])) == 60


def test_nothing_found_is_a_header_alone(org: Org) -> None:
    page = org.results(org.done(f"{CONTACTS} WHERE LastName = 'nobody'"))
    assert len(page.text.splitlines()) == 1
    assert page.headers["sforce-numberofrecords"] == "0"
    assert page.headers["sforce-locator"] == "null"


def test_a_job_tells_of_the_records_as_they_were(org: Org) -> None:
    one, two, three = org.world.ids("Contact")[:3]
    org.world.edit("Contact", one, {"LastName": "Before"})
    job = org.done("SELECT Id, LastName, IsDeleted FROM Contact", all=False)
    for changed in (one, two):
        org.world.edit("Contact", changed, {"LastName": "After"})
    org.world.purge("Contact", three)
    rows = {row["Id"]: row for row in parsed(org.results(job).text)}
    assert rows[one]["LastName"] == "Before"
    assert rows[two]["LastName"] != "After"
    assert rows[three]["IsDeleted"] == "false"


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("SELECT Nme FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT COUNT() FROM Contact", "API_ERROR"),
        ("SELECT FIELDS(ALL) FROM Contact LIMIT 5", "API_ERROR"),
        ("SELECT Id FROM Contact OFFSET 5", "API_ERROR"),
        ("SELECT Id, MailingAddress FROM Contact", "API_ERROR"),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY"),
    ],
)
def test_what_no_job_does(org: Org, soql: str, code: str) -> None:
    message = refused(org.job(soql), 400, code)
    assert "is not supported by the Bulk API" in message or code != "INVALIDENTITY"


@pytest.mark.parametrize(
    "wrong",
    [{"operation": "insert"}, {"query": ""}, {"contentType": "XML"}, {"columnDelimiter": ","},
     {"lineEnding": "CR"}],
    ids=str,
)  # fmt: skip
def test_a_job_that_is_not_described_right(org: Org, wrong: dict[str, str]) -> None:
    body = {"operation": "query", "query": CONTACTS, **wrong}
    refused(org.http.post(f"{DATA}/jobs/query", json=body), 400, "INVALIDJOB")


def test_a_job_may_fail(org: Org) -> None:
    org.sandbox.knobs.salesforce_jobs_fail = "InternalServerError : Retried 15 times"
    job = org.done(CONTACTS)
    assert (job["state"], job["errorMessage"]) == (
        "Failed", "InternalServerError : Retried 15 times",
    )  # fmt: skip
    refused(org.results(job), 400, "INVALIDJOBSTATE")
    org.sandbox.knobs.salesforce_jobs_fail = ""
    assert org.done(CONTACTS)["state"] == "JobComplete"


def test_jobs_are_aborted_and_deleted(org: Org) -> None:
    job = org.job(CONTACTS).json()
    path = f"{DATA}/jobs/query/{job['id']}"
    refused(org.http.delete(path), 400, "API_ERROR")
    assert org.http.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    refused(org.http.patch(path, json={"state": "Aborted"}), 400, "INVALIDJOBSTATE")
    refused(org.results(job), 400, "INVALIDJOBSTATE")
    assert org.http.delete(path).status_code == 204
    refused(org.get(path), 404, "NOT_FOUND")


def test_job_and_results_are_of_one_version(org: Org) -> None:
    job = org.done(CONTACTS)
    for path in (f"{job['id']}", f"{job['id']}/results", f"{job['id']}/resultPages"):
        refused(org.get(f"/services/data/v66.0/jobs/query/{path}"), 409, "API_VERSION_MISMATCH")


def test_results_are_kept_for_a_week(org: Org) -> None:
    job = org.done(CONTACTS)
    org.sandbox.clock.advance(7 * 86_400 - 60)
    org.begin()
    assert org.results(job).status_code == 200
    org.sandbox.clock.advance(120)
    refused(org.results(job), 404, "NOT_FOUND")


def test_where_pages_begin_is_told_ahead(org: Org) -> None:
    job, links, url = org.done(CONTACTS), [], ""
    whole = parsed(org.results(job).text)
    org.sandbox.knobs.salesforce_job_page = 8
    while True:
        told = (org.get(url) if url else org.get(f"jobs/query/{job['id']}/resultPages")).json()
        links += [one["resultUrl"] for one in told["resultPages"]]
        assert len(told["resultPages"]) <= 5
        if told["done"]:
            assert told["nextRecordsUrl"] is None
            break
        url = told["nextRecordsUrl"]
    pages = [parsed(org.get(link).text) for link in reversed(links)]
    found = [row["Id"] for page in reversed(pages) for row in page]
    assert found == [row["Id"] for row in whole]
    assert len(links) == 8


def test_jobs_are_listed_and_so_many_a_day(org: Org) -> None:
    made = [org.job(CONTACTS).json()["id"] for _ in range(3)]
    told = org.get("jobs/query", jobType="V2Query").json()
    assert [one["id"] for one in told["records"]] == made
    assert told["done"] is True
    assert org.get("limits").json()["DailyBulkV2QueryJobs"]["Remaining"] == 9_997
    org.sandbox.knobs.salesforce_daily_jobs = 3
    org.sandbox.knobs.limits = True
    refused(org.job(CONTACTS), 400, "LIMIT_EXCEEDED")


def test_a_page_may_be_cut_or_no_place_at_all(org: Org) -> None:
    job = org.done(CONTACTS)
    refused(org.results(job, locator="???"), 400, "INVALIDLOCATOR")
    refused(org.results(job, locator="OTk5OTk"), 400, "INVALIDLOCATOR")
    org.sandbox.faults.add("/results", truncate=0.5)
    with pytest.raises(httpx.RemoteProtocolError):
        org.results(job)


# -- the log -------------------------------------------------------------------------------------


def _log(org: Org, what: str = "deleted", kind: str = "Contact", **window: str) -> Any:
    start, end = "2026-11-20T00:00:00+00:00", "2026-11-20T17:00:00+00:00"
    return org.get(f"sobjects/{kind}/{what}/", **{"start": start, "end": end, **window})


def _gone(org: Org, **window: str) -> set[str]:
    return {one["id"] for one in _log(org, **window).json()["deletedRecords"]}


def test_the_log_has_what_was_deleted_whatever_became_of_it(org: Org) -> None:
    one, two, three, four, five = org.world.ids("Contact")[:5]
    org.sandbox.clock.freeze("2026-11-20T12:00:30Z")
    org.world.archive("Contact", one)
    org.world.purge("Contact", two)
    org.world.archive("Contact", three)
    org.world.purge("Contact", three)
    org.world.merge("Contact", five, four)
    org.sandbox.clock.freeze("2026-11-20T17:00:00Z")
    told = _log(org).json()
    assert {row["id"]: row["deletedDate"] for row in told["deletedRecords"]} == dict.fromkeys(
        (one, two, three, four), "2026-11-20T12:00:30.000+0000"
    )
    assert told["latestDateCovered"] == "2026-11-20T17:00:00.000+0000"
    assert told["earliestDateAvailable"] < "2024"
    assert _gone(org, start="2026-11-20T12:01:00Z") == set()
    assert _gone(org, start="2026-11-20T12:00:59Z") == {one, two, three, four}, "no seconds"
    assert _gone(org, end="2026-11-20T12:00:59Z") == set()
    org.world.restore("Contact", one)
    assert _gone(org) == {two, three, four}


def test_a_window_has_its_first_minute_and_not_its_last(org: Org) -> None:
    org.sandbox.clock.freeze("2026-11-20T12:00:00Z")
    one = org.world.ids("Contact")[0]
    org.world.archive("Contact", one)
    org.sandbox.clock.freeze("2026-11-20T17:00:00Z")
    assert _gone(org, start="2026-11-20T12:00:00Z") == {one}
    assert _gone(org, end="2026-11-20T12:00:00Z") == set()


def test_what_was_updated_is_told_by_id(org: Org) -> None:
    one, two, three = org.world.ids("Contact")[:3]
    for changed in (one, two, three):
        org.world.edit("Contact", changed, {"LastName": "X"}, at="2026-11-20T12:00:30Z")
    org.world.archive("Contact", three)
    told = _log(org, "updated").json()
    assert told == {"ids": [one, two], "latestDateCovered": "2026-11-20T17:00:00.000+0000"}


@pytest.mark.parametrize(
    ("window", "code"),
    [
        ({"start": "2026-11-20T16:59:00Z"}, "INVALID_REPLICATION_DATE"),
        ({"start": "2026-11-20T18:00:00Z"}, "INVALID_REPLICATION_DATE"),
        ({"start": "2026-11-05T16:00:00Z"}, "INVALID_REPLICATION_DATE"),
        ({"end": "2026-11-20T17:05:00Z"}, "INVALID_REPLICATION_DATE"),
        ({"start": "yesterday"}, "INVALID_FIELD"),
        ({"end": "2026-11-20"}, "INVALID_FIELD"),
    ],
    ids=str,
)
@pytest.mark.parametrize("what", ["deleted", "updated"])
def test_windows_that_are_refused(org: Org, what: str, window: dict[str, str], code: str) -> None:
    refused(_log(org, what, **window), 400, code)


def test_a_log_that_was_purged_and_one_that_is_too_long(org: Org) -> None:
    org.world.archive("Contact", org.world.ids("Contact")[0])
    org.sandbox.clock.advance(120)
    end = "2026-11-20T17:02:00Z"
    assert len(_gone(org, end=end)) == 1
    org.sandbox.knobs.salesforce_most_ids = 0
    refused(_log(org, end=end), 400, "EXCEEDED_ID_LIMIT")
    org.sandbox.knobs.salesforce_most_ids = 10
    org.sandbox.knobs.salesforce_log_hours = 2
    refused(_log(org, end=end), 400, "INVALID_REPLICATION_DATE")
    assert len(_gone(org, start="2026-11-20T15:03:00Z", end=end)) == 1


def test_objects_without_a_log(org: Org) -> None:
    refused(_log(org, kind="CaseStatus"), 400, "INVALID_TYPE_FOR_OPERATION")
    refused(_log(org, kind="Nothing"), 404, "NOT_FOUND")
