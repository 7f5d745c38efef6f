"""Feeds and schemas of OData services: whole, or none."""

from __future__ import annotations

import pytest

from crm_sync_assets.clients.markup import Malformed
from crm_sync_assets.clients.odata import feed, metadata
from crm_sync_assets.clients.odata.columns import Either
from crm_sync_assets.clients.odata.metadata import Property
from crm_sync_assets.clients.odata.querying import Changed, literal
from crm_sync_assets.clients.rest.delta import Window
from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.declarations.strategy import midnight_utc

HEAD = (
    '<feed xmlns="http://www.w3.org/2005/Atom" '
    'xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
    '<title type="text">Contacts</title><link rel="self" href="Contacts" />'
)


def entry(properties: str, *, beside: str = "") -> str:
    return (
        f"<entry><id>Contacts(1)</id>{beside}<content type='application/xml'>"
        f"<m:properties>{properties}</m:properties></content></entry>"
    )


def read(*parts: str) -> dict:
    return feed.loads(f"{HEAD}{''.join(parts)}</feed>".encode())


def test_null_missing_and_empty_are_told_apart() -> None:
    said = '<d:firstName>Dana</d:firstName><d:Email2 m:null="true"/><d:note/>'
    typed = '<d:isActive m:type="Edm.Boolean">true</d:isActive>'
    [record] = read(entry(said + typed))["entries"]
    assert record == {"firstname": "Dana", "email2": None, "note": "", "isactive": "true"}
    assert record.get("missing") is None


def test_an_entry_in_a_link_is_no_entry_of_the_feed() -> None:
    inner = entry("<d:id>2</d:id>")
    link = f'<link rel="related"><m:inline>{inner}</m:inline></link>'
    found = read(entry("<d:id>1</d:id>", beside=link), '<link rel="next" href="Contacts?$skip=9"/>')
    assert [one["id"] for one in found["entries"]] == ["1"]
    assert found["next"] == "Contacts?$skip=9"
    assert read()["next"] is None


def test_of_two_spellings_the_one_that_says_something_counts() -> None:
    both = '<d:salesperson1Id m:null="true"/><d:salesperson1id>7</d:salesperson1id>'
    assert read(entry(both))["entries"] == [{"salesperson1id": "7"}]
    first = '<d:salesperson1Id>7</d:salesperson1Id><d:salesperson1id m:null="true"/>'
    assert read(entry(first))["entries"] == [{"salesperson1id": "7"}]
    assert Either(("coounty", "county"))({"county": "Ross", "coounty": None}) == "Ross"


def test_an_entry_that_says_nothing_is_a_record_of_its_own() -> None:
    assert read("<entry><id>x</id></entry>", entry("<d:id>1</d:id>"))["entries"] == [
        {},
        {"id": "1"},
    ]


ERROR = '<m:error xmlns:m="urn:m"><m:code/><m:message>Timeout expired.</m:message></m:error>'


@pytest.mark.parametrize(
    "body",
    [
        f"{HEAD}{entry('<d:id>1</d:id>')}{ERROR}</feed>",
        f"{HEAD}{entry('<d:id>1</d:id>')}{ERROR}",
        f"{HEAD}{entry('<d:id>1</d:id>')}",
        ERROR,
        "<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>",
        "",
        "{}",
    ],
    ids=["error", "error at the end", "cut", "error alone", "page", "nothing", "JSON"],
)
def test_what_is_no_whole_feed_is_refused(body: str) -> None:
    with pytest.raises(Malformed):
        feed.loads(body.encode())


def test_an_error_says_what_it_says_whatever_its_prefix() -> None:
    assert feed.message_of(ERROR.encode()) == "Timeout expired."
    plain = ERROR.replace("m:", "").replace(' xmlns="urn:m"', "")
    assert feed.message_of(plain.encode()) == "Timeout expired."
    assert feed.message_of(b"Service Unavailable") == ""
    with pytest.raises(Malformed, match="breaks off with an error: Timeout expired"):
        read(ERROR)


SCHEMA = """<edmx:Edmx xmlns:edmx="urn:edmx"><edmx:DataServices>
<Schema Namespace="M" xmlns="urn:edm">
<EntityType Name="Person"><Key><PropertyRef Name="id"/></Key>
<Property Name="id" Type="Edm.Guid"/><Property Name="LastUpdate" Type="Edm.DateTime"/></EntityType>
<EntityType Name="Lead" BaseType="M.Person"><Property Name="rank" Type="Edm.Int32"/></EntityType>
<EntityType Name="Loop" BaseType="M.Loop"/></Schema>
<Schema Namespace="W" xmlns="urn:edm"><EntityContainer Name="C">
<EntitySet Name="Leads" EntityType="M.Lead"/><EntitySet Name="Loops" EntityType="M.Loop"/>
</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"""


def test_a_schema_tells_how_properties_are_spelled_also_inherited_ones() -> None:
    found = metadata.loads(SCHEMA.encode())
    assert found["Leads"] == {
        "id": Property("id", "Edm.Guid"),
        "lastupdate": Property("LastUpdate", "Edm.DateTime"),
        "rank": Property("rank", "Edm.Int32"),
    }
    assert found["Loops"] == {}
    with pytest.raises(Malformed):
        metadata.loads(SCHEMA.encode()[:-20])
    with pytest.raises(Malformed, match="no sets"):
        metadata.loads(b"<Edmx/>")


def test_literals_are_written_by_their_types() -> None:
    assert literal("O'Neil", "Edm.String") == "'O''Neil'"
    assert literal("6f1c", "Edm.Guid") == "guid'6f1c'"
    assert literal("2024-04-01T00:00:00", "Edm.DateTime") == "datetime'2024-04-01T00:00:00'"
    assert literal("7", "Edm.Int32") == "7"
    with pytest.raises(ValueError, match="int"):
        literal("7 or true", "Edm.Int32")


def test_a_window_is_asked_for_as_the_zones_clock_shows_it() -> None:
    since, until = midnight_utc("2026-11-01"), midnight_utc("2026-11-02")

    def asked(changed: Changed) -> list[dict[str, str]]:
        window = Window(since, until, until)
        return [dict(one.params) for one in changed.slices(window)]

    assert asked(Changed("lastUpdate")) == [
        {
            "$filter": "lastUpdate ge datetime'2026-11-01T00:00:00' and "
            "lastUpdate lt datetime'2026-11-02T00:00:00'"
        }
    ]
    # The clock is put back at 6:00 UTC: what is after midnight UTC may be shown an hour earlier.
    [told] = asked(Changed("lastUpdate", Zone("America/New_York")))
    assert told["$filter"] == (
        "lastUpdate ge datetime'2026-10-31T19:00:00' and "
        "lastUpdate lt datetime'2026-11-01T20:00:00'"
    )
    [whole] = Changed("lastUpdate").slices(Window(None, None, until))
    assert (whole.name, whole.params) == ("all", {})
