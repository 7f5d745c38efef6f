"""Atom feeds and errors, as WCF Data Services write them."""

import re
from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape, quoteattr

from crm_sync_assets.sandbox.crms.marketsharp.sets import KINDS, PROPERTIES, key_of, kinds_of
from crm_sync_assets.sandbox.crms.marketsharp.sets import SETS as NAMES
from crm_sync_assets.sandbox.faults import LIES, Manner

_HEAD = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
_D = "http://schemas.microsoft.com/ado/2007/08/dataservices"
_M = f"{_D}/metadata"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ENTRY = re.compile(rb"<entry>.*?</entry>", re.DOTALL)
TYPE = "application/atom+xml;type=feed;charset=utf-8"


def text(value: str) -> str:
    """Escaped; what no XML has is written as a reference all the same."""
    return _NO_XML.sub(lambda found: f"&#x{ord(found[0]):X};", escape(value))


def feed(
    name: str, base: str, rows: Iterable[Mapping[str, str | None]], kinds: Mapping[str, str], *,
    updated: str, following: str | None,
) -> str:  # fmt: skip
    """A page of a set."""
    link = f'<link rel="next" href={quoteattr(following)} />' if following else ""
    entries = "".join(entry(name, base, row, kinds) for row in rows)
    return (
        f'{_HEAD}<feed xml:base="{base}/" xmlns:d="{_D}" xmlns:m="{_M}" '
        f'xmlns="http://www.w3.org/2005/Atom"><title type="text">{name}</title>'
        f"<id>{base}/{name}</id><updated>{updated}</updated>"
        f'<link rel="self" title="{name}" href="{name}" />{entries}{link}</feed>'
    )


def entry(name: str, base: str, row: Mapping[str, str | None], kinds: Mapping[str, str]) -> str:
    """One record."""
    key, properties = row[key_of(name)] or "", []
    for property, value in row.items():
        kind = kinds[property]
        typed = "" if kind == "text" else f' m:type="{KINDS[kind]}"'
        if value is None or (value == "" and kind != "text"):
            properties.append(f'<d:{property}{typed} m:null="true" />')
        else:
            properties.append(f"<d:{property}{typed}>{text(value)}</d:{property}>")
    shown = f"guid'{key}'" if kinds[key_of(name)] == "guid" else f"'{text(key)}'"
    return (
        f"<entry><id>{base}/{name}({shown})</id>"
        f'<category term="MarketSharp.{name}" scheme="{_D}/scheme" />'
        f'<link rel="edit" title="{name}" href="{name}({shown})" /><title />'
        f'<content type="application/xml"><m:properties>{"".join(properties)}'
        "</m:properties></content></entry>"
    )


def error(message: str) -> str:
    """What a refusal says."""
    return (
        f'{_HEAD}<m:error xmlns:m="{_M}"><m:code />'
        f'<m:message xml:lang="en-US">{text(message)}</m:message></m:error>'
    )


def metadata(spelled: Mapping[str, str]) -> str:
    """The schema; `spelled` are other names of some properties."""
    types = []
    for name in PROPERTIES:
        properties = "".join(
            f'<Property Name="{spelled.get(one, one)}" Type="{KINDS[kind]}" />'
            for one, kind in kinds_of(name).items()
        )
        key = f'<Key><PropertyRef Name="{key_of(name)}" /></Key>'
        types.append(f'<EntityType Name="{name}Row">{key}{properties}</EntityType>')
    types += [
        f'<EntityType Name="{name}Row" BaseType="MarketSharp.ContactsRow" />'
        for name in NAMES
        if name not in PROPERTIES
    ]
    sets = "".join(
        f'<EntitySet Name="{name}" EntityType="MarketSharp.{name}Row" />' for name in NAMES
    )
    edm = "http://schemas.microsoft.com/ado/2008/09/edm"
    return (
        f'{_HEAD}<edmx:Edmx Version="1.0" '
        'xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">'
        f'<edmx:DataServices xmlns:m="{_M}" m:DataServiceVersion="1.0">'
        f'<Schema Namespace="MarketSharp" xmlns="{edm}">{"".join(types)}</Schema>'
        f'<Schema Namespace="Web" xmlns="{edm}"><EntityContainer Name="Entities" '
        f'm:IsDefaultEntityContainer="true">{sets}</EntityContainer></Schema>'
        "</edmx:DataServices></edmx:Edmx>"
    )


def service() -> str:
    """The service document."""
    sets = "".join(f'<collection href="{n}"><title>{n}</title></collection>' for n in NAMES)
    return f'{_HEAD}<service xmlns="http://www.w3.org/2007/app"><workspace>{sets}</workspace></service>'


class AtomManner(Manner):
    """Lies of a page are about its entries."""

    __slots__ = ()

    def untrue(self, lie: str, body: bytes) -> bytes:
        entries = _ENTRY.findall(body)
        if not entries:
            return body
        first = body.index(entries[0])
        told = b"".join(LIES[lie](entries))
        return body[:first] + told + body[body.rindex(entries[-1]) + len(entries[-1]) :]
