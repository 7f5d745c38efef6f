from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from crm_sync_assets.clients.files import GitHubDialect, GitHubFile, blob_sha, lines
from crm_sync_assets.errors import FatalError
from crm_sync_assets_tests.clients.conftest import Wire, reply

MakeWire = Callable[..., Wire]


@pytest.mark.parametrize(
    "content",
    [
        b"zipcode,city\n01001,Agawam\n",
        b"\xef\xbb\xbfzipcode,city\r\n01001,Agawam\r\n",
        b" ZipCode , CITY \n\n01001, Agawam \n,\n\n",
        b'"zipcode","city"\n"01001","Agawam"',
        b"zipcode,city,\n01001,Agawam,\n",
    ],
    ids=["plain", "bom and crlf", "spaces and blank lines", "quoted", "trailing empty column"],
)
def test_files_of_many_makes_read_the_same(content: bytes) -> None:
    (line,) = lines(BytesIO(content))
    assert line.values["zipcode"] == "01001"
    assert line.values["city"] == "Agawam"


def test_quoted_commas_and_line_breaks_stay_in_their_value() -> None:
    content = b'zip,city\n01001,"Agawam, upper\nvillage"\n01002,Amherst\n'
    first, second = lines(BytesIO(content))
    assert first.values["city"] == "Agawam, upper\nvillage"
    assert second.number == 4


def test_what_is_not_utf_8_is_windows_1252(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines(BytesIO("zip,city\n00601,Añasco – Oeste\n".encode("cp1252")))
    assert line.values["city"] == "Añasco – Oeste"
    assert "Windows-1252" in caplog.text


def test_a_header_that_comes_twice_gets_its_column_number() -> None:
    (line,) = lines(BytesIO(b"zip,city,city,\n1,a,b,c\n"))
    assert line.values == {"zip": "1", "city": "a", "city_3": "b", "column_4": "c"}


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>\n<html>\n", b"postcode,city\n"])
def test_a_file_without_the_column_is_refused(content: bytes) -> None:
    with pytest.raises(FatalError, match="no column zipcode or zip"):
        list(lines(BytesIO(content), required=[("zipcode", "zip")]))


def test_blob_sha_is_git_s() -> None:
    assert blob_sha(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


FILE = b"zipcode,division\n01001,New England\n"


def fetched(server: Wire, raw: Wire, etag: str | None = None) -> Any:
    session = server.session(dialect=GitHubDialect(), max_attempts=2)
    fallback = raw.session(base_url="https://raw.example.com")
    file = GitHubFile("owner", "repo", "main", "zips.csv")
    return file.fetch(session, fallback, etag)


def test_the_raw_form_is_asked_for_with_the_known_etag(wire: MakeWire) -> None:
    server, raw = wire(reply(304, content=b"")), wire(reply())
    download = fetched(server, raw, 'W/"abc"')
    (request,) = server.requests
    assert request.headers["if-none-match"] == 'W/"abc"'
    assert request.headers["accept"] == "application/vnd.github.raw+json"
    assert request.headers["user-agent"]
    assert request.url.path == "/repos/owner/repo/contents/zips.csv"
    assert request.url.params["ref"] == "main"
    assert download.content is None
    assert download.etag == 'W/"abc"'


def test_the_raw_address_serves_when_the_api_fails(wire: MakeWire) -> None:
    raw = wire(reply(content=FILE, headers={"ETag": '"cdn"'}))
    download = fetched(wire(reply(500)), raw)
    assert download.content == FILE
    assert download.etag is None
    assert download.sha == blob_sha(FILE)


def test_when_both_fail_the_api_s_answer_is_told(wire: MakeWire) -> None:
    with pytest.raises(FatalError, match=r"answered 401: .*Bad credentials"):
        fetched(wire(reply(401, {"message": "Bad credentials"})), wire(reply(404)))


def test_a_missing_file_is_fatal_and_not_looked_for_elsewhere(wire: MakeWire) -> None:
    raw = wire(reply())
    with pytest.raises(FatalError, match="ZIPCODES_REPO"):
        fetched(wire(reply(404, {"message": "Not Found"})), raw)
    assert raw.requests == []


def test_a_pointer_of_git_lfs_is_refused(wire: MakeWire) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
    with pytest.raises(FatalError, match="Git LFS"):
        fetched(wire(reply(content=pointer)), wire(reply()))


def test_rate_limits_that_come_as_403_are_waited_for(wire: MakeWire) -> None:
    reset = str(int(time.time()) + 30)
    used_up = reply(
        403,
        {"message": "API rate limit exceeded for user ID 1."},
        headers={
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": reset,
            "date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        },
    )
    secondary = reply(403, {"message": "secondary rate limit"}, headers={"Retry-After": "5"})
    server = wire(used_up, secondary, reply(content=FILE))
    assert fetched(server, wire(reply())).content == FILE
    assert 29 <= server.waits[0] <= 32
    assert server.waits[1] == 5
