"""XML as it comes: a stream of elements of a document that is whole, or an error.

Nothing outside the document is read, nothing in it is expanded, and a document type is refused.
Characters that no XML has are taken out (`characters`); nothing else is mended: a document that is
cut, or not well-formed, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from lxml import etree

from crm_sync_assets.clients.characters import Repairs, UnknownEncoding, legal
from crm_sync_assets.errors import TooLarge

Element = etree._Element
MOST_BYTES: Final = 64 * 1024 * 1024
_PORTION: Final = 64 * 1024
_DECLARATION: Final = re.compile(r"\A\s*<\?xml\s.*?\?>", re.DOTALL)


class Malformed(ValueError):
    """No document, one that is cut, or another one than was expected."""


def elements(
    chunks: bytes | Iterable[bytes],
    root: str,
    *names: str,
    most_bytes: int = MOST_BYTES,
    repairs: Repairs | None = None,
) -> Iterator[Element]:
    """The outermost elements of these names in a document of this root, one after the other.

    Names are `{namespace}name`; of the namespace, or the name, `*` is any. An element is empty once
    the next one is asked for. What comes before the end proves nothing: a document that turns out
    to be cut raises Malformed after its last whole element, so keep what is made of them until
    then. `repairs` counts. Raises Malformed, and TooLarge for more than `most_bytes`.
    """
    if isinstance(chunks, bytes):
        body = chunks
        chunks = (body[start : start + _PORTION] for start in range(0, len(body), _PORTION))
    parser = etree.XMLPullParser(
        events=("start", "end"),
        tag=names,
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    outermost: Element | None = None
    try:
        for text in legal(_counted(chunks, most_bytes), repairs or Repairs()):
            parser.feed(text.encode())
            for event, found in parser.read_events():
                element = cast(Element, found)
                if event == "start":
                    if outermost is None:
                        _refuse_other(element.getroottree(), root)
                        outermost = element
                elif element is outermost:
                    yield element
                    _forget(element)
                    outermost = None
        _refuse_other(parser.close().getroottree(), root)
    except etree.XMLSyntaxError as error:
        raise Malformed(f"no whole XML document: {error.msg}") from error
    except UnknownEncoding as error:
        raise Malformed(f"no readable XML document: {error}") from error


def document(body: bytes, repairs: Repairs | None = None) -> bytes:
    """The same document in UTF-8, for those who want it as a whole. Raises Malformed."""
    try:
        text = "".join(legal([body], repairs or Repairs()))
    except UnknownEncoding as error:
        raise Malformed(f"no readable XML document: {error}") from error
    # It is in another encoding than it said.
    whole = _DECLARATION.sub("", text, count=1).encode()
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True
    )
    try:
        docinfo = etree.fromstring(whole, parser).getroottree().docinfo
    except etree.XMLSyntaxError as error:
        raise Malformed(f"no whole XML document: {error.msg}") from error
    if docinfo.internalDTD is not None or docinfo.doctype:
        raise Malformed("an XML document with a document type, which is not read")
    return whole


def text_of(element: Element) -> str:
    """All text in it, "" for none."""
    return "".join(map(str, element.itertext()))


def local(element: Element) -> str:
    """Its name without the namespace."""
    return etree.QName(element).localname


def _counted(chunks: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    arrived = 0
    for chunk in chunks:
        arrived += len(chunk)
        if arrived > most_bytes:
            raise TooLarge(f"an XML document of more than {most_bytes:,} bytes: refused")
        yield chunk


def _refuse_other(tree: etree._ElementTree, root: str) -> None:
    if tree.docinfo.internalDTD is not None or tree.docinfo.doctype:
        raise Malformed("an XML document with a document type, which is not read")
    found = tree.getroot()
    namespace, _, name = root.rpartition("}")
    named = etree.QName(found)
    if name != named.localname or namespace not in ("{*", "{" + (named.namespace or "")):
        raise Malformed(f"an XML document of another kind: its root is {named.localname[:60]}")


def _forget(element: Element) -> None:
    """Let go of what has been read: it and all before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)
