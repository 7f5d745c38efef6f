"""SOAP over our own client: faults by their names, answers that are whole, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from crm_sync_assets.clients.answers import Answer, Fatal, Pause, Retry
from crm_sync_assets.clients.soap.faults import Faults, fault_in
from crm_sync_assets.clients.soap.service import Calls, Soap
from crm_sync_assets.errors import BadRequest, Deferred, FatalError, Forbidden, TransientError
from crm_sync_assets_tests.clients.conftest import Reply, Wire

NS = "urn:weather"
WSDL = f"""<?xml version="1.0" encoding="iso-8859-1"?>
<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" targetNamespace="{NS}" xmlns:t="{NS}"
    xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema">
  <w:types><x:schema targetNamespace="{NS}">
    <x:element name="ask"><x:complexType><x:sequence>
      <x:element name="where" type="x:string"/></x:sequence></x:complexType></x:element>
    <x:element name="askResponse"><x:complexType><x:sequence>
      <x:element name="return" type="x:string" minOccurs="0" maxOccurs="unbounded" nillable="true"/>
    </x:sequence></x:complexType></x:element>
  </x:schema></w:types>
  <w:message name="ask"><w:part name="p" element="t:ask"/></w:message>
  <w:message name="askResponse"><w:part name="p" element="t:askResponse"/></w:message>
  <w:portType name="P"><w:operation name="ask"><w:input message="t:ask"/>
    <w:output message="t:askResponse"/></w:operation></w:portType>
  <w:binding name="B" type="t:P">
    <s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <w:operation name="ask"><s:operation soapAction=""/>
      <w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output>
    </w:operation></w:binding>
  <w:service name="S"><w:port name="P" binding="t:B">
    <s:address location="http://elsewhere.example.net/steal"/></w:port></w:service>
</w:definitions>"""
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{}</e:Body>'
    "</e:Envelope>"
)
FAULT = "<e:Fault><faultcode>e:{}</faultcode><faultstring>some prose</faultstring>{}</e:Fault>"
FAULTS = Faults(
    {
        "BusyFault": Retry(),
        "ClosedFault": Fatal(Forbidden),
        "SpentFault": lambda fault, _answer, tries: Pause(float(fault.said["wait"]) * tries, "x"),
    }
)


def xml(body: str | bytes, status: int = 200, kind: str = "text/xml; charset=utf-8") -> Reply:
    content = body if isinstance(body, bytes) else body.encode()
    headers = {"Content-Type": kind, "Content-Length": str(len(content))}
    return lambda _: httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


def said(*values: str) -> str:
    inside = "".join(f"<return>{value}</return>" for value in values)
    return ENVELOPE.format(f'<a:askResponse xmlns:a="{NS}">{inside}</a:askResponse>')


def fault(name: str = "", inside: str = "", code: str = "Server") -> Reply:
    detail = f'<detail><f:{name} xmlns:f="{NS}">{inside}</f:{name}></detail>' if name else ""
    return xml(ENVELOPE.format(FAULT.format(code, detail)), 500)


Make = Callable[..., tuple[Wire, Calls]]


@pytest.fixture
def service(wire: Callable[..., Wire]) -> Make:
    """A service that answers the WSDL and then so, and what calls it."""

    def make(*replies: Reply, wsdl: Reply | None = None, **settings: Any) -> tuple[Wire, Calls]:
        network = wire(wsdl or xml(WSDL), *replies)
        session = network.session(dialect=FAULTS, **settings)
        return network, Soap(network.opened[0], "/soap", {"wsdl": "", "user": "a@b"}).calls(session)

    return make


def test_a_call_goes_to_our_own_server_with_what_authorises_it(service: Make) -> None:
    """Whatever address the WSDL names."""
    network, calls = service(xml(said("sun", "rain")))
    assert calls("ask", where="Ohio") == ["sun", "rain"]
    described, asked = network.requests
    assert str(described.url) == "https://api.example.com/soap?wsdl=&user=a%40b"
    assert str(asked.url) == "https://api.example.com/soap"
    assert {"authorization"} <= set(described.headers) & set(asked.headers)
    assert asked.headers["soapaction"] == '""'
    assert asked.headers["content-type"].startswith("text/xml")
    assert b"<where>Ohio</where>" in asked.content


def test_the_wsdl_is_read_once_for_all_readings(service: Make) -> None:
    network, calls = service(xml(said("sun")))
    for one in (calls, calls._soap.calls(calls.session)):
        assert one("ask", where="Ohio") == ["sun"]
    assert [request.method for request in network.requests] == ["GET", "POST", "POST"]


def test_characters_that_xml_has_not_are_taken_out(service: Make) -> None:
    _, calls = service(xml(said("s\x0bun &#x1F;")))
    assert calls("ask", where="") == ["sun "]


def test_an_encoding_that_is_declared_is_read(service: Make) -> None:
    head = '<?xml version="1.0" encoding="iso-8859-1"?>'
    _, calls = service(xml((head + said("grün")).encode("iso-8859-1")))
    assert calls("ask", where="") == ["grün"]


def test_a_long_text_is_one_value(service: Make) -> None:
    long = "rain " * 2_500_000
    _, calls = service(xml(said(long)))
    assert calls("ask", where="") == [long]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        said("sun")[:-20],
        '<!DOCTYPE e [<!ENTITY a "b">]>' + said("&a;"),
        '<!DOCTYPE e SYSTEM "file:///etc/passwd">' + said("sun"),
    ],
    ids=["nothing", "JSON", "cut", "entities", "outside"],
)
def test_what_is_no_whole_document_is_asked_for_again_and_then_fails(
    service: Make, body: str
) -> None:
    network, calls = service(xml(body), xml(said("sun")))
    assert calls("ask", where="") == ["sun"]
    assert len(network.waits) == 1
    _, calls = service(xml(body))
    with pytest.raises(FatalError, match="unexpected content, 5 times in a row"):
        calls("ask", where="")


def test_a_page_for_people_is_no_answer(service: Make) -> None:
    _, calls = service(xml("<html>log in</html>", kind="text/html"))
    with pytest.raises(FatalError, match="not XML"):
        calls("ask", where="")


@pytest.mark.parametrize(
    "inside",
    ["", f'<a:other xmlns:a="{NS}"/>', "<askResponse/>", "<a><b/></a>"],
)
def test_another_answer_is_not_one_without_values(service: Make, inside: str) -> None:
    network, calls = service(xml(ENVELOPE.format(inside)), xml(said()))
    assert not calls("ask", where="")
    assert len(network.waits) == 1
    _, calls = service(xml(ENVELOPE.format(inside)))
    with pytest.raises(FatalError, match=r"unexpected content.*not {urn:weather}askResponse"):
        calls("ask", where="")


def test_an_answer_with_more_than_the_wsdl_has_is_refused(service: Make) -> None:
    body = ENVELOPE.format(f'<a:askResponse xmlns:a="{NS}"><more>1</more></a:askResponse>')
    _, calls = service(xml(body))
    with pytest.raises(FatalError, match="ask: this is not what the WSDL says"):
        calls("ask", where="")


def test_what_the_wsdl_does_not_have_is_not_asked(service: Make) -> None:
    network, calls = service(xml(said("sun")))
    with pytest.raises(FatalError, match="the service has no answer"):
        calls("answer")
    with pytest.raises(FatalError, match=r"not what the WSDL says.*whither"):
        calls("ask", whither="")
    assert [request.method for request in network.requests] == ["GET"]


# -- faults


def test_a_fault_that_passes_is_tried_again_and_one_that_stays_is_not(service: Make) -> None:
    network, calls = service(fault("BusyFault"), xml(said("sun")))
    assert calls("ask", where="") == ["sun"]
    assert len(network.waits) == 1
    network, calls = service(fault("BusyFault"))
    with pytest.raises(TransientError, match="BusyFault: some prose; given up after 5"):
        calls("ask", where="")
    network, calls = service(fault("ClosedFault", "<message>ask an admin</message>"))
    with pytest.raises(Forbidden, match="ClosedFault: ask an admin"):
        calls("ask", where="")
    assert network.waits == []


def test_a_fault_that_asks_for_patience_says_by_its_parts_how_much(service: Make) -> None:
    spent = fault("SpentFault", "<wait>7</wait>")
    network, calls = service(spent, spent, xml(said("sun")))
    assert calls("ask", where="") == ["sun"]
    assert network.waits == [7.0, 14.0]
    _, calls = service(fault("SpentFault", "<wait>5000</wait>"))
    with pytest.raises(Deferred):
        calls("ask", where="")


def test_a_fault_that_nobody_declared_is_final(service: Make) -> None:
    network, calls = service(fault("NewFault", "<message>odd</message><where>Ohio</where>"))
    with pytest.raises(FatalError, match="NewFault: odd: where Ohio"):
        calls("ask", where="")
    assert network.waits == []


def test_without_a_detail_its_code_says_whose_mistake_it_is(service: Make) -> None:
    _, calls = service(fault(code="Client"))
    with pytest.raises(BadRequest, match="some prose"):
        calls("ask", where="")
    network, calls = service(fault(code="Server"), xml(said("sun")))
    assert calls("ask", where="") == ["sun"]
    assert len(network.waits) == 1


def test_a_fault_with_200_is_a_fault(service: Make) -> None:
    body = ENVELOPE.format(
        FAULT.format("Server", f'<detail><f:ClosedFault xmlns:f="{NS}"/></detail>')
    )
    _, calls = service(xml(body))
    with pytest.raises(Forbidden):
        calls("ask", where="")


@pytest.mark.parametrize("body", ["", "Fault", "<a>Fault</a>", said("no Fault")])
def test_what_is_no_fault_is_none(body: str) -> None:
    assert fault_in(Answer(500, {}, body.encode(), None, "POST /", None)) is None
