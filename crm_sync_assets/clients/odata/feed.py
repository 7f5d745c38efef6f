"""An Atom feed as a value: its entries as flat records, named in lower case.

Servers spell the names of properties differently from version to version, and mean the same. A
property is null where it says so, and where it is missing; an empty one is "". What it is typed as
is left to the columns.
"""

from __future__ import annotations

from typing import Any, Final

from crm_sync_assets.clients.characters import Repairs
from crm_sync_assets.clients.decoding import Format
from crm_sync_assets.clients.markup import Element, Malformed, elements, local, text_of
from crm_sync_assets.declarations.entity import Record
from crm_sync_assets.log import logger

log = logger(__name__)

ENTRIES: Final = "entries"
NEXT: Final = "next"
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_META: Final = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"


def loads(body: bytes) -> dict[str, Any]:
    """The entries of a feed, and the address of its next page, if there is one.

    Raises Malformed for a document that is cut, or another one, and for a feed that breaks off with
    an error.
    """
    entries: list[Record] = []
    following = None
    repairs = Repairs()
    names = (f"{_ATOM}entry", f"{_ATOM}link", "{*}error")
    for element in elements(body, f"{_ATOM}feed", *names, repairs=repairs):
        match local(element):
            case "entry":
                entries.append(_record(element))
            case "link":
                if element.get("rel") == "next":
                    following = element.get("href")
            case _:
                raise Malformed(f"the feed breaks off with an error: {said_in(element)}")
    if repairs.number:
        log.info(
            "a feed of %d entries: %d characters that no XML has were taken out",
            len(entries),
            repairs.number,
        )
    return {ENTRIES: entries, NEXT: following}


ATOM: Final = Format("Atom", "xml", "application/atom+xml, application/xml", loads)


def message_of(body: bytes) -> str:
    """What an error document says, "" for a body that is none."""
    try:
        for element in elements(body, "{*}error", "{*}message"):
            return text_of(element).strip()
    except Malformed:
        pass
    return ""


def said_in(error: Element) -> str:
    """The message in an error element; all its text where there is none."""
    return " ".join((error.findtext("{*}message") or text_of(error)).split())


def _record(entry: Element) -> Record:
    """An entry without properties is a record that says nothing: it is set aside alone."""
    found = entry.find(f"{_ATOM}content/{_META}properties")
    found = entry.find(f"{_META}properties") if found is None else found
    record: Record = {}
    for one in () if found is None else found:
        name = local(one).lower()
        value = None if one.get(f"{_META}null") == "true" else text_of(one)
        # Of two that differ in case alone the one that says something counts.
        if record.get(name) is None:
            record[name] = value
    return record
