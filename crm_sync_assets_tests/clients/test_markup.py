"""XML from outside: whole or refused, and mended where a character is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync_assets.clients.characters import Repairs, legal
from crm_sync_assets.clients.markup import Malformed, elements, local, text_of
from crm_sync_assets.errors import TooLarge

FEED = b"<f xmlns='urn:a'>%s</f>"
LEGAL = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(
    lambda text: re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\r]", "", text)
)
REFERENCES = "x1F; x1f; 0; 00000031; xD800; xFFFE; 65535; x110000;"
ILLEGAL = st.sampled_from(
    [*(f"&#{one}" for one in REFERENCES.split()), f"&#x{'9' * 40};", *"\x00\x0b\x1f\ufffe\uffff"]
)


def texts(body: bytes | Sequence[bytes], repairs: Repairs | None = None) -> list[str]:
    found = elements(body, "{urn:a}f", "{urn:a}e", repairs=repairs)
    return [text_of(element) for element in found]


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(st.lists(st.lists(LEGAL | ILLEGAL.map(lambda one: [one]), max_size=5)), st.integers(1, 30))
def test_what_is_illegal_is_taken_out_alone_wherever_chunks_are_cut(
    values: list[list[str | list[str]]], size: int
) -> None:
    sent, meant, illegal = "", [], 0
    for value in values:
        inner = "".join(escape(one) if isinstance(one, str) else one[0] for one in value)
        sent += f"<e>{inner}</e>"
        meant.append("".join(one for one in value if isinstance(one, str)))
        illegal += sum(isinstance(one, list) for one in value)
    repairs = Repairs()
    assert texts(cut(FEED % sent.encode(), size), repairs) == meant
    assert repairs.number == illegal


@given(LEGAL.filter(lambda text: "]]>" not in text), st.integers(1, 12))
def test_text_that_only_looks_like_a_reference_stays(text: str, size: int) -> None:
    body = f"<!-- &#x1F; --><e><![CDATA[{text}&#x1F;]]>&amp;#x1F;&#x41;</e>".encode()
    assert texts(cut(FEED % body, size)) == [f"{text}&#x1F;&#x1F;A"]


@given(LEGAL, st.integers(1, 12))
def test_a_document_of_legal_characters_is_as_it_was(text: str, size: int) -> None:
    document = f"<?xml version='1.0'?><f a='&#10;'><!--&#1;-->{escape(text)}<e/>&#xA;</f>"
    repairs = Repairs()
    assert "".join(legal(cut(document.encode(), size), repairs)) == document
    assert repairs.number == 0


@given(LEGAL, st.data())
def test_a_document_that_is_cut_is_none(text: str, data: st.DataObject) -> None:
    body = FEED % f"<e>{escape(text)}</e><e>&#x1F;2</e>".encode()
    end = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(Malformed):
        texts(body[:end])


def test_bytes_that_are_no_text_cost_nothing_around_them() -> None:
    repairs = Repairs()
    assert texts(FEED % b"<e>a\xffb</e><e>\xed\xa0\x80</e>", repairs) == ["a\ufffdb", "\ufffd" * 3]
    assert repairs.number == 4


def test_a_document_is_read_as_it_declares_itself() -> None:
    body = "<f xmlns='urn:a'><e>Zoë</e></f>"
    for name in ("utf-8", "UTF-8", "iso-8859-1", "Windows-1252"):
        declared = f'<?xml version="1.0" encoding="{name}" standalone="yes"?>{body}'
        assert texts(declared.encode(name)) == ["Zoë"], name
    assert texts(b"\xef\xbb\xbf" + body.encode()) == ["Zoë"]
    for other in (body.encode("utf-16"), b"<?xml version='1.0' encoding='utf-7'?><f/>"):
        with pytest.raises(Malformed, match="not read here"):
            texts(other)


HOSTILE = {
    "doctype": b"<!DOCTYPE f><f xmlns='urn:a'><e>1</e></f>",
    "doctype alone": b"<!DOCTYPE f><f xmlns='urn:a'/>",
    "file": b"<!DOCTYPE f [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
    b"<f xmlns='urn:a'><e>&x;</e></f>",
    "entity": b"<!DOCTYPE f [<!ENTITY x 'y'>]><f xmlns='urn:a'><e>&x;</e></f>",
    "bomb": b"<!DOCTYPE f [<!ENTITY a 'aaaaaaaaaa'>"
    + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><f xmlns='urn:a' b='&j;'><e/></f>",
    "nothing": b"",
    "text": b"Service Unavailable",
    "two documents": FEED % b"" * 2,
    "another root": b"<html xmlns='urn:a'><e>1</e></html>",
    "another namespace": b"<f><e xmlns='urn:a'>1</e></f>",
    "unknown entity": FEED % b"<e>&nbsp;</e>",
    "bare ampersand": FEED % b"<e>A & B</e>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_such_document_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        texts(body)


def test_more_than_may_be_held_is_refused() -> None:
    body = FEED % b"<e>1</e>"
    assert list(elements(body, "{*}f", "{*}e", most_bytes=len(body)))
    with pytest.raises(TooLarge):
        list(elements(body, "{*}f", "{*}e", most_bytes=len(body) - 1))


def test_elements_in_elements_come_with_those_they_are_in() -> None:
    found = []
    for one in elements(FEED % b"<e><g>1</g><e>2</e></e><g>3</g>", "{*}f", "{urn:a}e", "{*}g"):
        found.append((local(one), text_of(one)))
    assert found == [("e", "12"), ("g", "3")]


def test_what_was_read_is_let_go_of() -> None:
    item = b"<x/><e><g>1</g></e>"
    most, number = 0, 0
    for one in elements(cut(FEED % (item * 5_000), 1_000), "{*}f", "{*}e"):
        parent = one.getparent()
        assert parent is not None
        assert text_of(one) == "1"
        most, number = max(most, len(parent)), number + 1
    assert number == 5_000
    # About what one chunk has, of 10,000 in all.
    assert most < 500
