"""Files of zip codes as spreadsheets, editors and Git make them, and where they are fetched."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from crm_sync_assets.clients.files import lines
from crm_sync_assets.declarations.entity import UNREAD
from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets_tests.crms.hubspot.test_client import MakeReader
from crm_sync_assets_tests.scripted import history
from crm_sync_assets_tests.truth import HubSpotSyncs

TEXT = 'zipcode,division,city\n01001,North,"Winston, Old"\n00601,Isle,Peñasco\n'
ROWS = [
    {"zipcode": "01001", "division": "North", "city": "Winston, Old"},
    {"zipcode": "00601", "division": "Isle", "city": "Peñasco"},
]


def read(content: bytes) -> list[dict[str, str]]:
    found = lines(io.BytesIO(content), required=[("zipcode", "zip"), ("division",)])
    return [line.values for line in found]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("North", '"North"').encode(),
        TEXT.replace("division", " Division ").encode(),
    ],
    ids=["UTF-16", "UTF-16 BE", "BOM", "cp1252", "CRLF", "CR", "quoted", "header in capitals"],
)
def test_a_file_reads_the_same_however_it_was_saved(content: bytes) -> None:
    assert read(content) == ROWS


REFUSED = {
    "semicolons": (TEXT.replace(",", ";").encode(), "no column zipcode"),
    "tabs": (TEXT.replace(",", "\t").encode(), "no column zipcode"),
    "a renamed column": (TEXT.replace("division", "region").encode(), "no column division"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "cannot be read|no column"),
    "an open quote": (TEXT.replace('Old"', "Old").encode(), "without its other one"),
    "open to the end": (TEXT.replace("Isle", '"Isle').encode(), "without its other one"),
    "a quote inside": (TEXT.replace("01001", '"01"001').encode(), "without its other one"),
    "nothing": (b"", "first line is empty"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_would_lose_lines_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(FatalError, match=words):
        read(content)


@pytest.fixture
def syncs(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[HubSpotSyncs]:
    for name, value in sandbox.env().items():
        environment.setenv(name, value)
    syncs = HubSpotSyncs()
    yield syncs
    syncs.close()


def stored(syncs: HubSpotSyncs) -> list[tuple[Any, ...]]:
    with syncs.warehouse.connection() as connection:
        return connection.execute(
            "SELECT zipcode, city, county, deleted_at IS NULL FROM hubspot_zipcode ORDER BY 1"
        ).fetchall()


def test_a_line_whose_values_have_moved_is_set_aside_alone(
    sandbox: Sandbox, syncs: HubSpotSyncs
) -> None:
    """A comma that is not quoted moves the county into the state."""
    head = "zipcode,division,city,county\n"
    sandbox.github.replace(head + "01001,North,Agawam,Hampden\n01002,North,Amherst,Kent\n")
    syncs.sync("zipcodes")
    sandbox.github.replace(head + "01001,North,Agawam, Old,Hampden\n01002,North,Amherst,Kent,,\n")
    assert syncs.sync("zipcodes").status == "partial"
    assert history(syncs.warehouse)[-1]["records_failed"] == 1
    assert stored(syncs) == [
        ("01001", "Agawam", "Hampden", True),
        ("01002", "Amherst", "Kent", True),
    ]


def test_the_line_is_named(sandbox: Sandbox, reader: MakeReader) -> None:
    sandbox.github.replace("zipcode,division\n01001,North\n01002,North,Agawam\n")
    found = {row["zipcode"]: row for row in reader().read("zipcodes")}
    assert UNREAD not in found["01001"]
    assert "line 3 has more values" in found["01002"][UNREAD]


@pytest.mark.parametrize(
    "base", ["{url}/github/", " {url}/github ", "{url}/github///"], ids=["slash", "blanks", "many"]
)
def test_github_s_address_may_have_a_path(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    """As an Enterprise server's /api/v3 has."""
    monkeypatch.setenv("GITHUB_BASE_URL", base.format(url=sandbox.url))
    assert len(reader().read("zipcodes")) == 400
    assert sandbox.ledger.count("/github/repos/", status=200) == 1


def test_a_branch_may_have_a_slash(
    sandbox: Sandbox, reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZIPCODES_BRANCH", "refs/heads/main")
    assert len(reader().read("zipcodes")) == 400
    [asked] = sandbox.ledger.select("/contents/")
    assert asked.query == "ref=refs%2Fheads%2Fmain"


def test_an_odd_address_of_github_is_refused_by_name(
    reader: MakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_BASE_URL", "ssh://git@github.com")
    with pytest.raises(FatalError, match="GITHUB_BASE_URL begins with ssh"):
        reader().read("zipcodes")
