"""The WSDL of Five9's administrator service, as far as it is played."""

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

NAMESPACE = "http://service.admin.ws.five9.com/"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SCHEMA = "http://www.w3.org/2001/XMLSchema"

Part = tuple[str, str]
"""A name and a type; of the name, `?` says that it may be missing, `*` that there are any number.
A type with `~` may be nil."""

TYPES: dict[str, Sequence[Part]] = {
    "listInfo": [("name?", "string"), ("size", "int")],
    "contactFieldRestriction": [("type?", "string"), ("value?", "string")],
    "contactField": [
        ("displayAs?", "string"),
        ("mapTo?", "string"),
        ("name?", "string"),
        ("restrictions*", "contactFieldRestriction"),
        ("system", "boolean"),
        ("type?", "string"),
    ],
    "crmFieldCriterion": [("field?", "string"), ("value?", "string")],
    "crmLookupCriteria": [("contactIdField?", "string"), ("criteria*", "crmFieldCriterion")],
    "recordData": [("data*", "string~")],
    "contactRecord": [("values?", "recordData")],
    "contactsLookupResult": [("fields*", "string"), ("records*", "contactRecord")],
    "callCounterState": [("limit", "int"), ("operationType?", "string"), ("value", "int")],
    "limitTimeoutState": [("callCounterStates*", "callCounterState"), ("timeout", "int")],
    "reportObjectList": [("objectNames*", "string"), ("objectType?", "string")],
    "reportTimeCriteria": [("end?", "dateTime"), ("start?", "dateTime")],
    "customReportCriteria": [
        ("reportObjects*", "reportObjectList"),
        ("time?", "reportTimeCriteria"),
    ],
    "reportRowData": [("header?", "contactRecord"), ("records*", "contactRecord")],
}
OPERATIONS: dict[str, tuple[Sequence[Part], Part | None]] = {
    "getListsInfo": ([("listNamePattern?", "string")], ("return*", "listInfo")),
    "getContactFields": ([("namePattern?", "string")], ("return*", "contactField")),
    "getContactRecords": (
        [("lookupCriteria?", "crmLookupCriteria")],
        ("return?", "contactsLookupResult"),
    ),
    "getCallCountersState": ([], ("return*", "limitTimeoutState")),
    "runReport": (
        [
            ("folderName?", "string"),
            ("reportName?", "string"),
            ("criteria?", "customReportCriteria"),
        ],
        ("return?", "string"),
    ),
    "isReportRunning": ([("identifier?", "string"), ("timeout", "long")], ("return", "boolean")),
    "getReportResult": ([("identifier?", "string")], ("return?", "reportRowData")),
    "getReportResultCsv": ([("identifier?", "string")], ("return?", "string")),
    "closeSession": ([], None),
}
FAULTS: dict[str, Sequence[str]] = {
    "OperationsLimitExceededFault": ("limit", "operationType"),
    "ServerFault": (),
    "ServiceUnavailableFault": (),
    "ConcurrentModificationFault": (),
    "ResultIsNotReadyFault": (),
    "AdminSessionClosedFault": (),
    "SessionClosedFault": (),
    "UserAlreadyLoggedInFault": (),
    "AccessDisallowedFault": (),
    "InvalidAccountFault": (),
    "CrmFieldNotFoundFault": ("fieldName",),
    "MissedArgumentFault": (),
    "IncorrectArgumentFault": (),
    "InvalidRegexpPatternFault": ("pattern",),
    "ReportNotFoundFault": ("folder", "report"),
    "UnknownIdentifierFault": (),
}
"""What each says beside its `message`."""


def document(address: str) -> str:
    """The whole WSDL, of the service at this address."""
    every: dict[str, Sequence[Part]] = {**TYPES}
    for name, (asked, answered) in OPERATIONS.items():
        every |= {name: asked, f"{name}Response": [answered] if answered else []}
    for name, said in FAULTS.items():
        every[name] = [(f"{part}?", "string") for part in (*said, "message")]
    elements = [name for name in every if name not in TYPES]
    types = "".join(map(_complex, every, every.values()))
    types += "".join(f'<xs:element name="{name}" type="tns:{name}"/>' for name in elements)
    messages = "".join(
        f'<wsdl:message name="{name}"><wsdl:part name="parameters" element="tns:{name}"/>'
        "</wsdl:message>"
        for name in elements
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<wsdl:definitions name="AdminWebService" '
        'xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
        f'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="{SCHEMA}" '
        f'xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}">'
        f'<wsdl:types><xs:schema elementFormDefault="unqualified" targetNamespace="{NAMESPACE}">'
        f"{types}</xs:schema></wsdl:types>{messages}"
        f'<wsdl:portType name="WsAdmin">{"".join(map(_operation, OPERATIONS))}</wsdl:portType>'
        '<wsdl:binding name="WsAdminBinding" type="tns:WsAdmin">'
        '<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>'
        f"{''.join(map(_bound, OPERATIONS))}</wsdl:binding>"
        '<wsdl:service name="WsAdminService"><wsdl:port name="WsAdminPort" '
        f'binding="tns:WsAdminBinding"><soap:address location={quoteattr(address)}/></wsdl:port>'
        "</wsdl:service></wsdl:definitions>"
    )


def _complex(name: str, parts: Sequence[Part]) -> str:
    elements = "".join(_element(*part) for part in parts)
    return f'<xs:complexType name="{name}"><xs:sequence>{elements}</xs:sequence></xs:complexType>'


def _element(name: str, kind: str) -> str:
    bare, plain = name.rstrip("?*"), kind.rstrip("~")
    least = ' minOccurs="0"' if bare != name else ""
    most = ' maxOccurs="unbounded"' if name.endswith("*") else ""
    nil = ' nillable="true"' if plain != kind else ""
    prefix = "tns" if plain in TYPES else "xs"
    return f'<xs:element name="{bare}" type="{prefix}:{plain}"{least}{most}{nil}/>'


def _operation(name: str) -> str:
    faults = "".join(f'<wsdl:fault name="{one}" message="tns:{one}"/>' for one in FAULTS)
    return (
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}"/>'
        f'<wsdl:output message="tns:{name}Response"/>{faults}</wsdl:operation>'
    )


def _bound(name: str) -> str:
    faults = "".join(
        f'<wsdl:fault name="{one}"><soap:fault name="{one}" use="literal"/></wsdl:fault>'
        for one in FAULTS
    )
    literal = '<soap:body use="literal"/>'
    return (
        f'<wsdl:operation name="{name}"><soap:operation soapAction=""/>'
        f"<wsdl:input>{literal}</wsdl:input><wsdl:output>{literal}</wsdl:output>{faults}"
        "</wsdl:operation>"
    )
