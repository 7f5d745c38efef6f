"""What carries zeep's messages: our own client for HTTP, with its limits, retries and patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Final

from crm_sync_assets.clients.decoding import Format
from crm_sync_assets.clients.http import Session
from crm_sync_assets.clients.soap.faults import ENVELOPE

if TYPE_CHECKING:
    from lxml import etree


def _document(body: bytes) -> bytes:
    from crm_sync_assets.clients.markup import document

    return document(body)


XML: Final = Format("XML", "xml", "text/xml", _document)
"""A whole document, without the characters that no XML has, as UTF-8."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as zeep wants it. A fault never comes so far: the dialect has judged it."""

    content: bytes
    headers: Mapping[str, str]
    status_code: int = 200
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Courier:
    """In the place of zeep's Transport, for one reading.

    Everything goes to `path` at our own server: the address that a WSDL names may be another's, and
    the credentials go with the request. `answers` has what answers a message, both by the names of
    what is in their bodies: zeep takes anything else for an answer without values.
    """

    session: Session
    path: str
    answers: Mapping[str, str] = field(default_factory=dict)

    def load(self, url: str) -> bytes:
        """The document at an address, which is the WSDL's."""
        found: bytes = self.session.get(url, expect=XML).json
        return found

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> Reply:  # noqa: ARG002  ours
        """The answer to a message, once there is one that is no fault."""
        from lxml import etree

        message = etree.tostring(envelope, encoding="utf-8")
        wanted = self.answers.get(_inside(message))

        def problem(body: bytes) -> str | None:
            found = _inside(body)
            return None if wanted in (None, found) else f"it is {found or 'empty'}, not {wanted}"

        answer = self.session.request(
            "POST", self.path, content=message, headers=headers, expect=XML, check=problem
        )
        return Reply(answer.json, {"Content-Type": "text/xml; charset=utf-8"})


def _inside(message: bytes) -> str:
    """The name of what is in the body of an envelope, "" where nothing is."""
    from lxml import etree

    body = None
    events = etree.iterparse(BytesIO(message), events=("start",), huge_tree=True)
    for _, element in events:
        if body is not None:
            return str(element.tag) if element.getparent() is body else ""
        if element.tag == f"{ENVELOPE}Body":
            body = element
    return ""
