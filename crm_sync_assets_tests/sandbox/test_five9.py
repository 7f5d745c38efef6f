"""The sandbox's Five9, asked by zeep as it is, and by hand where zeep would ask nothing wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
import zeep
from zeep.exceptions import Fault, TransportError, XMLSyntaxError
from zeep.transports import Transport

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.five9.reports import FOLDER, NAME
from crm_sync_assets.sandbox.crms.five9.wsdl import NAMESPACE

NOON = datetime(2026, 11, 20, 20, tzinfo=UTC)
PATH = "/wsadmin/v13/AdminWebService"
ENVELOPE = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:ser="{}"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)


class Domain:
    """What zeep makes of the WSDL, with a transport of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.world = sandbox, sandbox.five9
        env = sandbox.env()
        self.auth = env["FIVE9_USERNAME"], env["FIVE9_PASSWORD"]
        self.url = env["FIVE9_BASE_URL"] + PATH
        session = requests.Session()
        session.auth = self.auth
        client = zeep.Client(
            f"{self.url}?wsdl&user={self.auth[0]}", transport=Transport(session=session)
        )
        self.ask: Any = client.service

    def found(self, **criteria: str) -> list[dict[str, str | None]]:
        given = [{"field": n.replace("__", " "), "value": v} for n, v in criteria.items()]
        answer = self.ask.getContactRecords(lookupCriteria={"criteria": given})
        if answer is None:
            return []
        fields = answer["fields"]
        rows = [one["values"]["data"] for one in answer["records"]]
        return [dict(zip(fields, row, strict=True)) for row in rows]

    def post(self, inside: str, namespace: str = NAMESPACE, **options: Any) -> httpx.Response:
        body = ENVELOPE.format(namespace, inside).encode()
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        given = {"auth": self.auth, "headers": headers, **options}
        return httpx.post(self.url, content=body, verify=False, **given)


@pytest.fixture(scope="module")
def domain() -> Iterator[Domain]:
    with Sandbox(seed=7, contacts=1, zipcodes=1, five9_contacts=120) as sandbox:
        sandbox.clock.freeze(NOON)
        yield Domain(sandbox)


@pytest.fixture(autouse=True)
def anew(domain: Domain) -> None:
    domain.sandbox.reset()
    domain.sandbox.clock.freeze(NOON)


def _fault(asked: Any, name: str) -> Any:
    """What the detail of the fault says."""
    with pytest.raises(Fault) as raised:
        asked()
    detail = raised.value.detail[0]
    assert detail.tag == f"{{{NAMESPACE}}}{name}"
    return {child.tag: child.text for child in detail}


# -- what it refuses


def test_the_wsdl_and_the_service_are_behind_basic(domain: Domain) -> None:
    assert httpx.get(f"{domain.url}?wsdl", verify=False).status_code == 401
    assert domain.post("<ser:getListsInfo/>", auth=None).status_code == 401
    assert domain.post("<ser:getListsInfo/>", auth=("api", "wrong")).status_code == 401
    assert domain.post("<ser:getListsInfo/>").status_code == 200


@pytest.mark.parametrize(
    ("inside", "namespace"),
    [
        ("<ser:getListsInfo/>", "http://service.admin.ws.five9.com/v13"),
        ("<getListsInfo/>", NAMESPACE),
        (
            "<ser:getListsInfo><ser:listNamePattern>x</ser:listNamePattern></ser:getListsInfo>",
            NAMESPACE,
        ),
        ("<ser:deleteEverything/>", NAMESPACE),
        ("", NAMESPACE),
    ],
    ids=["wrong namespace", "no namespace", "qualified children", "unknown", "nothing"],
)
def test_a_message_that_is_none_of_the_wsdl_is_a_fault(
    domain: Domain, inside: str, namespace: str
) -> None:
    answer = domain.post(inside, namespace)
    assert answer.status_code == 500
    assert "<faultcode>env:Client</faultcode>" in answer.text
    assert "<detail>" not in answer.text


def test_the_end_of_a_window_comes_before_its_start(domain: Domain) -> None:
    time = "<start>2024-04-12T00:00:00.000</start><end>2024-04-13T00:00:00.000</end>"
    asked = f"<ser:runReport><criteria><time>{time}</time></criteria></ser:runReport>"
    assert "is not where it belongs" in domain.post(asked).text


def test_faults_say_by_their_name_what_is_wrong(domain: Domain) -> None:
    assert _fault(lambda: domain.found(nothing="1"), "CrmFieldNotFoundFault")["fieldName"] == (
        "nothing"
    )
    _fault(lambda: domain.ask.getContactRecords(lookupCriteria={}), "MissedArgumentFault")
    said = _fault(lambda: domain.ask.getListsInfo(listNamePattern="("), "InvalidRegexpPatternFault")
    assert said["pattern"] == "("
    _fault(lambda: domain.ask.getReportResultCsv("no-such"), "UnknownIdentifierFault")
    _fault(lambda: domain.ask.runReport("x", "y", {}), "ReportNotFoundFault")


# -- contacts


def test_a_criterion_is_a_value_or_has_wildcards(domain: Domain) -> None:
    everybody = domain.found(contactID="%")
    assert len(everybody) == 120
    one = next(row for row in everybody if row["number1"])
    number = str(one["number1"])
    assert one in domain.found(number1=number)
    prefixed = domain.found(number1=f"{number[:3]}%")
    assert one in prefixed
    assert {str(row["number1"])[:3] for row in prefixed} == {number[:3]}
    assert domain.found(number1=number, contactID=str(one["contactID"])) == [one]
    assert domain.found(contactID="nobody") == []


def test_an_empty_criterion_fits_what_is_empty(domain: Domain) -> None:
    blank = domain.found(number1="")
    assert blank
    assert {row["number1"] for row in blank} == {None}
    domain.sandbox.knobs.five9_blank_matches = False
    assert domain.found(number1="") == []


def test_values_stand_in_the_order_of_the_fields_and_empty_ones_keep_their_place(
    domain: Domain,
) -> None:
    (one, *_) = domain.found(contactID="%")
    names = [field["name"] for field in domain.ask.getContactFields()]
    assert list(one) == ["contactID", *names]
    id = str(one["contactID"])
    domain.world.edit("contacts", id, {"last_name": None, "company": "after the gap"})
    assert [r["company"] for r in domain.found(contactID=id)] == ["after the gap"]


def test_no_answer_has_more_than_so_many_and_none_says_so(domain: Domain) -> None:
    domain.sandbox.knobs.five9_most = 50
    found = domain.found(contactID="%")
    ids = [str(row["contactID"]) for row in found]
    assert len(ids) == 50
    assert ids != sorted(ids)
    assert set(ids) != set(domain.world.ids("contacts")[:50])


def test_who_is_called_has_another_disposition_and_who_is_edited_has_not(domain: Domain) -> None:
    called, edited = domain.world.ids("contacts")[:2]
    before = {row["contactID"]: row for row in domain.found(contactID="%")}
    domain.world.call(called, "Do Not Call")
    domain.world.edit("contacts", edited, {"city": "Columbus"})
    after = {row["contactID"]: row for row in domain.found(contactID="%")}
    times = "sys_last_disposition_time"
    assert after[called][times] == "2026-11-20 12:00:00.000" != before[called][times]
    assert after[edited][times] == before[edited][times]
    for id in (called, edited):
        assert after[id]["New Contact Field"] == "2026-11-20 12:00:00.000"
    assert {r["contactID"] for r in domain.found(New__Contact__Field="2026-11-20 12%")} == {
        called,
        edited,
    }


def test_a_deleted_contact_is_nowhere(domain: Domain) -> None:
    gone = domain.world.ids("contacts")[3]
    lists = {one["name"]: one["size"] for one in domain.ask.getListsInfo()}
    domain.world.purge("contacts", gone)
    assert domain.found(contactID=gone) == []
    after = {one["name"]: one["size"] for one in domain.ask.getListsInfo()}
    assert sum(after.values()) == sum(lists.values()) - 1


def test_characters_that_xml_has_not_are_in_it_as_they_are(domain: Domain) -> None:
    domain.sandbox.knobs.five9_control_characters = True
    with pytest.raises((TransportError, XMLSyntaxError)):
        domain.found(contactID="%")
    asked = "<criteria><field>contactID</field><value>%</value></criteria>"
    answer = domain.post(
        f"<ser:getContactRecords><lookupCriteria>{asked}</lookupCriteria></ser:getContactRecords>"
    )
    assert answer.content.count(b"\x0b") == 120


def test_wildcards_can_be_turned_off(domain: Domain) -> None:
    domain.sandbox.knobs.five9_id_wildcards = False
    assert domain.found(contactID="1%") == []
    domain.sandbox.knobs.five9_date_wildcards = False
    _fault(lambda: domain.found(New__Contact__Field="2026%"), "IncorrectArgumentFault")


# -- lists, fields, counters


def test_lists_say_how_many_they_have_and_contacts_are_in_none_or_in_several(
    domain: Domain,
) -> None:
    sizes = {one["name"]: one["size"] for one in domain.ask.getListsInfo()}
    assert sizes["Empty"] == 0
    assert 0 < sum(sizes.values()) != 120
    (one,) = domain.ask.getListsInfo("OH.*")
    assert (one["name"], one["size"]) == ("OH New Leads", sizes["OH New Leads"])
    domain.sandbox.knobs.five9_lists_have_all = True
    assert sum(one["size"] for one in domain.ask.getListsInfo()) == 120


def test_fields_say_what_they_are_mapped_to(domain: Domain) -> None:
    mapped = {one["name"]: one["mapTo"] for one in domain.ask.getContactFields()}
    assert mapped["New Contact Field"] == "LastModifiedDateTime"
    assert mapped["last_list"] == "LastList"
    assert mapped["Product"] == "None"
    domain.sandbox.knobs.turn({"five9_unmapped": True, "five9_more_fields": True})
    mapped = {one["name"]: one["mapTo"] for one in domain.ask.getContactFields()}
    assert (mapped["New Contact Field"], mapped["Storm Name"]) == ("None", "None")


def test_counters_rise_and_then_there_is_a_fault(domain: Domain) -> None:
    domain.ask.getListsInfo()
    (window,) = domain.ask.getCallCountersState()
    assert {one["value"] for one in window["callCounterStates"]} == {0}, "none is enforced"
    domain.sandbox.reset()
    domain.sandbox.knobs.turn({"five9_queries": 3, "limits": True})

    def used() -> dict[str, int]:
        (window,) = domain.ask.getCallCountersState()
        assert window["timeout"] == 60
        return {one["operationType"]: one["value"] for one in window["callCounterStates"]}

    assert used()["Query"] == 0
    for number in range(1, 4):
        domain.ask.getListsInfo()
        assert used()["Query"] == number
    said = _fault(domain.ask.getListsInfo, "OperationsLimitExceededFault")
    assert (said["limit"], said["operationType"]) == ("3", "Query")


# -- reports


def _run(domain: Domain, start: str, end: str) -> str:
    time = {"start": datetime.fromisoformat(start), "end": datetime.fromisoformat(end)}
    return str(domain.ask.runReport(FOLDER, NAME, {"time": time}))


def test_a_report_runs_and_then_has_what_changed_in_its_window(domain: Domain) -> None:
    ids = domain.world.ids("contacts")[:3]
    for id in ids:
        domain.world.edit("contacts", id, {"city": "Tampa, FL"})
    report = _run(domain, "2026-11-20T00:00:00", "2026-11-21T00:00:00")
    _fault(lambda: domain.ask.getReportResultCsv(report), "ResultIsNotReadyFault")
    assert domain.ask.isReportRunning(report, 5) is True
    assert domain.ask.isReportRunning(report, 5) is False
    lines = str(domain.ask.getReportResultCsv(report)).splitlines()
    assert lines[0].startswith("CONTACT ID,number1,")
    assert sorted(line.partition(",")[0] for line in lines[1:]) == ids
    result = domain.ask.getReportResult(report)
    assert result["header"]["values"]["data"][0] == "CONTACT ID"
    assert len(result["records"]) == 3


def test_a_report_is_cut_without_a_word_and_forgotten(domain: Domain) -> None:
    domain.sandbox.knobs.turn({"five9_report_rows": 40, "five9_report_polls": 0})
    report = _run(domain, "2020-01-01T00:00:00", "2027-01-01T00:00:00")
    assert len(str(domain.ask.getReportResultCsv(report)).splitlines()) == 41
    domain.sandbox.knobs.five9_reports_forgotten = True
    _fault(lambda: domain.ask.getReportResultCsv(report), "UnknownIdentifierFault")


# -- the fault script and the life


def test_the_fault_script_knows_requests_by_what_they_ask_for(domain: Domain) -> None:
    rule = domain.sandbox.faults.add("getContactRecords contactID=1", status=500, body="session")
    assert len(domain.found(contactID="%")) == 120
    domain.ask.getListsInfo()
    _fault(lambda: domain.found(contactID="1%"), "AdminSessionClosedFault")
    assert rule.hits == 1
    domain.sandbox.faults.add("getContactRecords", lie="short")
    assert len(domain.found(contactID="%")) == 119
    entry = domain.sandbox.ledger.entries[-1]
    assert entry.query == "getContactRecords contactID=%"


def test_a_random_life_is_the_same_for_the_same_seed(domain: Domain) -> None:
    crm = domain.sandbox.crms["five9"]
    first = crm.move(40, seed=3)
    assert {line.split()[0] for line in first} >= {"create", "edit", "call"}
    truth = list(crm.truth("contacts"))
    crm.reset()
    assert crm.move(40, seed=3) == first
    assert list(crm.truth("contacts")) == truth
