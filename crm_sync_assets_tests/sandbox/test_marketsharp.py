"""MarketSharp's sandbox: what it refuses, and what it imitates.

Feeds are read here with the standard library, which knows nothing of how the product reads them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.marketsharp.desk import signature

PLAYED = {"marketsharp_contacts": 50}
ATOM = "{http://www.w3.org/2005/Atom}"
META = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
DATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
SINCE = "lastUpdate ge datetime'2026-11-20T00:00:00'"


def test_a_signature_is_the_vendors() -> None:
    secret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    key = "11112222-3333-4444-5555-666677778888"
    expected = "zFpmUtmIif0GPilcBBN2soKZl9+wJ+vjoqMOEmulcZk="
    assert signature("1234", key, secret, "1712927564") == expected


class Api:
    """MarketSharp's paths, spoken with credentials that are signed here."""

    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.company, self.key = env["MARKETSHARP_COMPANY_ID"], env["MARKETSHARP_API_KEY"]
        self.secret = env["MARKETSHARP_SECRET_KEY"]
        self.client = httpx.Client(base_url=env["MARKETSHARP_BASE_URL"], verify=False)

    def header(self, **other: Any) -> str:
        given = {"company": self.company, "key": self.key, "second": int(time.time()), **other}
        message = "{company}{key}{second}".format(**given).encode()
        secret = base64.b64decode(given.get("secret", self.secret))
        signed = base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
        return "{company}:{key}:{second}:{signed}".format(signed=signed, **given)

    def get(self, path: str, header: str | None = None, **params: Any) -> httpx.Response:
        asked = {f"${name}": str(value) for name, value in params.items()}
        proof = self.header() if header is None else header
        return self.client.get(path, params=asked, headers={"Authorization": proof})

    def feed(self, path: str, **params: Any) -> list[dict[str, str | None]]:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return entries(answer.text)

    def ids(self, path: str, **params: Any) -> list[str | None]:
        return [one["id"] for one in self.feed(path, **params)]


def entries(text: str) -> list[dict[str, str | None]]:
    """What a feed holds; references that no XML has are left out first."""
    legal = re.sub(r"&#x(?:0|[1-8BCEF]|1[0-9A-F]);", "", text)
    found = []
    for one in ElementTree.fromstring(legal).iter(f"{META}properties"):
        record = {}
        for value in one:
            is_null = value.get(f"{META}null") == "true"
            record[value.tag.removeprefix(DATA)] = None if is_null else value.text or ""
        found.append(record)
    return found


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    api = Api(sandbox)
    with api.client:
        yield api


OTHER = base64.b64encode(b"another secret, of as many bytes").decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 200),
        ({"company": "4321"}, 401),
        ({"key": "11112222-3333-4444-5555-666677778888"}, 401),
        ({"secret": OTHER}, 401),
        ({"late": 200}, 200),
        ({"late": 400}, 401),
        ({"late": -400}, 401),
        ({"second": "soon"}, 401),
    ],
    ids=str,
)
def test_who_is_not_known_or_signs_wrongly_or_too_late_is_refused(
    api: Api, header: dict[str, Any], status: int
) -> None:
    signed = dict(header)
    if late := signed.pop("late", 0):
        signed["second"] = int(time.time()) - late
    answer = api.get("/Employees", api.header(**signed))
    assert answer.status_code == status
    if status == 401:
        root = ElementTree.fromstring(answer.text)
        assert (root.tag, root.findtext(f"{META}message")) == (f"{META}error", "Unauthorized")


@pytest.mark.parametrize("form", ["Bearer {}", "HMAC {}", "{}x", ""])
def test_a_word_for_the_scheme_is_refused(api: Api, form: str) -> None:
    assert api.get("/Employees", form.format(api.header())).status_code == 401


def test_what_there_is_not_is_not_found_and_nothing_can_be_written(api: Api) -> None:
    assert api.get("/Persons").status_code == 404
    assert api.get("/Contacts(guid'11112222-3333-4444-5555-666677778888')").status_code == 404
    assert api.client.post("/Contacts", headers={"Authorization": api.header()}).status_code == 405
    assert (
        api.client.delete("/Contacts", headers={"Authorization": api.header()}).status_code == 405
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"filter": "lastUpdate ge 2024-04-01T00:00:00"},
        {"filter": "lastUpdate ge '2024-04-01T00:00:00'"},
        {"filter": "LastUpdate ge datetime'2024-04-01T00:00:00'"},
        {"filter": "lastUpdated ge datetime'2024-04-01T00:00:00'"},
        {"filter": "id gt guid'11112222-3333-4444-5555-666677778888'"},
        {"filter": "id eq '11112222-3333-4444-5555-666677778888'"},
        {"filter": "isActive eq 1"},
        {"filter": "(firstName eq 'A'"},
        {"filter": "firstName eq 'A' firstName"},
        {"filter": "firstName like 'A'"},
        {"orderby": "LastUpdate asc"},
        {"orderby": "id up"},
        {"top": "many"},
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused(api: Api, asked: dict[str, str]) -> None:
    answer = api.get("/Contacts", **asked)
    assert answer.status_code == 400
    assert ElementTree.fromstring(answer.text).findtext(f"{META}message")


def test_conditions_leave_what_they_say(api: Api, sandbox: Sandbox) -> None:
    one, other, *_ = sandbox.marketsharp.ids("Contacts")
    sandbox.marketsharp.edit("Contacts", one, {"firstName": "O'Neil", "isActive": "false"})
    assert api.ids("/Contacts", filter="firstName eq 'O''Neil'") == [one]
    assert api.ids("/Contacts", filter=f"id eq guid'{other.upper()}'") == [other]
    both = f"(id eq guid'{one}' or id eq guid'{other}')"
    assert set(api.ids("/Contacts", filter=both)) == {one, other}
    assert api.ids("/Contacts", filter=f"{both} and {SINCE}") == [one]
    assert api.ids("/Contacts", filter=f"{both} and isActive eq false") == [one]
    assert len(api.ids("/Contacts", filter=f"id ne guid'{one}'")) == 49
    assert api.ids("/Contacts", filter="lastUpdate gt datetime'2026-11-20T17:00:00'") == []
    assert api.ids("/Contacts", filter="lastUpdate le datetime'2026-11-20T17:00:00'", top=99)
    found = api.feed("/Contacts", filter="source eq null")
    assert found
    assert all(one["source"] is None for one in found)
    single = api.get(f"/Contacts(guid'{one}')").text
    assert [record["firstName"] for record in entries(single)] == ["O'Neil"]


def test_pages_are_in_the_order_that_was_asked_for_and_in_none_without(api: Api) -> None:
    whole = api.ids("/Contacts", orderby="lastUpdate asc,id asc")
    pages = [
        api.ids("/Contacts", orderby="lastUpdate asc,id asc", top=20, skip=skip)
        for skip in (0, 20, 40, 60)
    ]
    assert [len(page) for page in pages] == [20, 20, 10, 0]
    assert [one for page in pages for one in page] == whole
    assert api.ids("/Contacts", orderby="lastUpdate desc,id desc") == whole[::-1]
    moments = [one["lastUpdate"] or "" for one in api.feed("/Contacts", orderby="lastUpdate")]
    assert moments == sorted(moments)
    assert any("." in one for one in moments)
    by_id = api.ids("/Contacts", orderby="id asc")
    assert by_id == sorted(by_id, key=lambda one: str(one).split("-")[::-1])
    assert {tuple(api.ids("/Contacts", top=20, expand="Address")) for _ in range(3)} > set()
    assert len({tuple(api.ids("/Contacts", top=20)) for _ in range(3)}) > 1


def test_a_page_may_be_cut_short_with_a_link_to_the_rest(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.marketsharp_page_cap = 20
    order = "lastUpdate asc,id asc"
    found, address = [], api.get("/Contacts", orderby=order, top=45)
    for _ in range(9):
        found += [one["id"] for one in entries(address.text)]
        link = re.search(r'<link rel="next" href="([^"]+)"', address.text)
        if link is None:
            break
        href = link[1].replace("&amp;", "&")
        address = api.client.get(href, headers={"Authorization": api.header()})
    sandbox.knobs.marketsharp_page_cap = 0
    assert found == api.ids("/Contacts", orderby=order, top=45)


def test_null_and_empty_are_told_apart_and_the_schema_names_what_there_is(api: Api) -> None:
    found = api.feed("/Contacts")
    assert {None, "", "J"} == {one["middleInitial"] for one in found}
    schema = ElementTree.fromstring(api.get("/$metadata").text)
    edm = "{http://schemas.microsoft.com/ado/2008/09/edm}"
    types = {
        one.get("Name"): {p.get("Name") for p in one.iter(f"{edm}Property")}
        for one in schema.iter(f"{edm}EntityType")
    }
    assert types["ContactsRow"] == set(found[0])
    assert "coounty" in types["AddressesRow"]
    assert "addressLin2" in types["JobsRow"]
    assert len(list(schema.iter(f"{edm}EntitySet"))) == 23
    assert "<collection" in api.get("/").text


def test_texts_have_references_that_no_xml_has(api: Api) -> None:
    text = api.get("/Activities").text
    assert "&#x1F;" in text
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(text)
    assert any(one["notes"] == "A & B <ok>" for one in entries(text))


def test_a_contact_is_in_the_set_of_its_type(api: Api, sandbox: Sandbox) -> None:
    parts = {name: set(api.ids(f"/{name}")) for name in ("Prospects", "Leads", "Customers")}
    assert set.union(*parts.values()) == set(api.ids("/Contacts"))
    one = next(iter(parts["Leads"]))
    sandbox.marketsharp.convert(str(one), "3")
    assert one not in api.ids("/Leads")
    assert one in api.ids("/Customers")
    types = {row["contactId"]: row["contactType"] for row in api.feed("/ContactTypes")}
    assert types[one] == "3"
    assert len(types) == 50


def test_under_load_it_is_not_available(api: Api, sandbox: Sandbox) -> None:
    sandbox.knobs.turn({"marketsharp_at_once": 1})
    assert api.get("/Employees").status_code == 200
    sandbox.ledger.running["marketsharp"] += 1
    answer = api.get("/Employees")
    sandbox.ledger.running["marketsharp"] -= 1
    assert answer.status_code == 503


def test_a_life_moves_contacts_from_set_to_set(sandbox: Sandbox) -> None:
    done = sandbox.crms["marketsharp"].move(200, seed=3)
    assert {line.split()[0] for line in done} >= {"create", "edit", "clear", "purge"}
    assert any(line.split()[1] in ("Leads", "Prospects", "Customers") for line in done)
