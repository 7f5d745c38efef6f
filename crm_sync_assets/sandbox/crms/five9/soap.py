"""Envelopes: what a request asks for, and how answers and faults are written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from crm_sync_assets.sandbox.crms.five9.wsdl import FAULTS, NAMESPACE, OPERATIONS, SOAP, TYPES, Part
from crm_sync_assets.sandbox.faults import LIES, Manner

Given = dict[str, "str | Given | list[str | Given]"]
"""The parts of an operation's argument, by name; of those that may be repeated a list."""
_RECORDS = re.compile(rb"<records>.*?</records>", re.DOTALL)
_NIL = '<data xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>'


class Unfit(ValueError):
    """No envelope of this service."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation and what it was given."""

    name: str
    given: Given

    def text(self, name: str) -> str:
        """A text among what was given, "" where there is none."""
        found = self.given.get(name, "")
        return found if isinstance(found, str) else ""


def asked(body: bytes) -> Asked:
    """What a request asks for. Raises Unfit, for names in the wrong namespace too."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Unfit(f"Couldn't parse the message: {error.msg}") from None
    inside = root.find(f"{{{SOAP}}}Body") if root.tag == f"{{{SOAP}}}Envelope" else None
    if inside is None or len(inside) != 1:
        raise Unfit("the message is no SOAP 1.1 envelope with one operation")
    name = etree.QName(inside[0])
    if name.namespace != NAMESPACE or name.localname not in OPERATIONS:
        raise Unfit(f"Cannot find dispatch method for {{{name.namespace or ''}}}{name.localname}")
    return Asked(name.localname, _given(inside[0], OPERATIONS[name.localname][0]))


def _given(element: etree._Element, parts: Sequence[Part]) -> Given:
    """By the schema, whose order counts."""
    places = {name.rstrip("?*"): place for place, (name, _) in enumerate(parts)}
    found: Given = {}
    last = 0
    for child in element:
        name = str(child.tag)
        if name not in places:
            raise Unfit(f"Unmarshalling Error: unexpected element {name}")
        place = places[name]
        if place < last:
            raise Unfit(f"Unmarshalling Error: {name} is not where it belongs")
        last = place
        spelled, kind = parts[place]
        value = _given(child, TYPES[kind]) if kind in TYPES else (child.text or "")
        if spelled.endswith("*"):
            several = found.setdefault(name, [])
            assert isinstance(several, list)
            several.append(value)
        else:
            found[name] = value
    return found


def named(body: bytes) -> str:
    """A request in one line, for the fault script: `getContactRecords number1=614%`."""
    try:
        one = asked(body)
    except Unfit:
        return "?"
    return " ".join([one.name, *(f"{field}={value}" for field, value in criteria(one))])


def criteria(one: Asked) -> list[tuple[str, str]]:
    """Of a request for contacts the criteria, field and value."""
    lookup = one.given.get("lookupCriteria")
    found = lookup.get("criteria", []) if isinstance(lookup, dict) else []
    return [
        (str(given.get("field", "")), str(given.get("value", "")))
        for given in (found if isinstance(found, list) else [])
        if isinstance(given, dict)
    ]


def answer(name: str, *returned: str) -> str:
    """The envelope of an answer; each of `returned` is the inside of a `return`, ready-made."""
    inside = "".join(f"<return>{one}</return>" for one in returned)
    return _envelope(f'<ns1:{name}Response xmlns:ns1="{NAMESPACE}">{inside}</ns1:{name}Response>')


def fault(name: str, message: str, **said: str) -> str:
    """The envelope of a fault of this service."""
    parts = "".join(tagged(part, said.get(part, "")) for part in FAULTS[name])
    detail = (
        f'<detail><ns1:{name} xmlns:ns1="{NAMESPACE}">{parts}{tagged("message", message)}'
        f"</ns1:{name}></detail>"
    )
    return _fault("Server", message, detail)


def no_message(message: str) -> str:
    """The envelope of what the framework says before it knows any operation."""
    return _fault("Client", message, "")


def _fault(code: str, message: str, detail: str) -> str:
    return _envelope(
        f"<env:Fault><faultcode>env:{code}</faultcode><faultstring>{escape(message)}</faultstring>"
        f"{detail}</env:Fault>"
    )


def _envelope(inside: str) -> str:
    return f'<env:Envelope xmlns:env="{SOAP}"><env:Body>{inside}</env:Body></env:Envelope>'


def tagged(name: str, value: object) -> str:
    """An element with a text."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"<{name}>{escape(text)}</{name}>"


def row(values: Sequence[str | None]) -> str:
    """The values of a record, in their places."""
    data = (_NIL if value is None else tagged("data", value) for value in values)
    return f"<values>{''.join(data)}</values>"


class Enveloped(Manner):
    """How a fault script names requests that all have one address, and what a page of records is
    in XML."""

    one_address = True

    def named(self, body: bytes) -> str:
        return named(body)

    def untrue(self, lie: str, body: bytes) -> bytes:
        records = _RECORDS.findall(body)
        if not records:
            return body
        return _RECORDS.sub(b"", body).replace(
            b"</return>", b"".join(LIES[lie](records)) + b"</return>"
        )


BODIES: Mapping[str, str] = {
    "internal": fault("ServerFault", "Internal server error"),
    "limit": fault(
        "OperationsLimitExceededFault",
        "Operations limit exceeded",
        limit="500",
        operationType="Query",
    ),
    "closed": fault("AccessDisallowedFault", "The user has not the permission"),
    "account": fault("InvalidAccountFault", "The domain is expired"),
    "session": fault("AdminSessionClosedFault", "The session is closed"),
    "logged in": fault("UserAlreadyLoggedInFault", "The user is logged in already"),
    "unavailable": fault("ServiceUnavailableFault", "The service is unavailable"),
    "concurrent": fault("ConcurrentModificationFault", "Try again"),
    "argument": fault("IncorrectArgumentFault", "Incorrect argument"),
    "field": fault("CrmFieldNotFoundFault", "no such field", fieldName="New Contact Field"),
    "missed": fault("MissedArgumentFault", "Missed argument"),
}
"""Faults by name, for the fault script."""
