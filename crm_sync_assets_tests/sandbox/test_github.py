"""The zip-code file, through GitHub's contents API and the raw fallback."""

import base64
import csv
import hashlib
import io
from collections.abc import Iterator

import httpx
import pytest

from crm_sync_assets.sandbox import Sandbox

RAW = "application/vnd.github.raw+json"


class Repository:
    def __init__(self, sandbox: Sandbox) -> None:
        env = sandbox.env()
        self.path = f"/repos/{env['ZIPCODES_OWNER']}/{env['ZIPCODES_REPO']}"
        self.client = httpx.Client(
            base_url=env["GITHUB_BASE_URL"],
            headers={"Authorization": f"Bearer {env['ZIPCODES_GITHUB_TOKEN']}"},
            verify=False,
        )

    def get(self, path: str = "/contents/zips.csv?ref=main", **headers: str) -> httpx.Response:
        return self.client.get(self.path + path, headers=headers)


@pytest.fixture
def repository(sandbox: Sandbox) -> Iterator[Repository]:
    repository = Repository(sandbox)
    with repository.client:
        yield repository


def test_the_raw_form_is_the_file_of_the_truth(repository: Repository, sandbox: Sandbox) -> None:
    answer = repository.get(Accept=RAW)
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert rows == list(sandbox.github.truth())
    assert len(rows) == 400
    assert any(row["zipcode"].startswith("0") for row in rows)
    assert any("," in row["county"] for row in rows)


def test_the_json_form_carries_the_blob(repository: Repository, sandbox: Sandbox) -> None:
    body = repository.get().json()
    content = base64.b64decode(body["content"])
    assert content == sandbox.github.content()
    assert body["sha"] == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    assert repository.get(f"/git/blobs/{body['sha']}", Accept=RAW).content == content


def test_a_known_etag_is_answered_with_304_until_the_file_changes(
    repository: Repository, sandbox: Sandbox
) -> None:
    tag = repository.get(Accept=RAW).headers["ETag"]
    known = {"Accept": RAW, "If-None-Match": tag}
    answer = repository.get(**known)
    assert (answer.status_code, answer.content) == (304, b"")
    assert repository.get(**{"If-None-Match": tag}).status_code == 200, "another form, another tag"
    sandbox.github.put("43004", city="Elsewhere")
    assert repository.get(**known).status_code == 200


def test_commits_tell_when_the_file_changed(repository: Repository, sandbox: Sandbox) -> None:
    sandbox.clock.freeze("2026-11-23T10:00:00Z")
    sandbox.github.put("43004", city="Elsewhere")
    [commit] = repository.get("/commits?path=zips.csv&sha=main&per_page=1").json()
    assert commit["commit"]["committer"]["date"] == "2026-11-23T10:00:00Z"


def test_credentials_and_user_agent_are_wanted(repository: Repository, sandbox: Sandbox) -> None:
    assert repository.get(**{"User-Agent": ""}).status_code == 403
    assert repository.get(Authorization="token wrong").json()["message"] == "Bad credentials"
    del repository.client.headers["Authorization"]
    assert repository.get().status_code == 404
    sandbox.knobs.github_private = False
    answer = repository.get()
    assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (200, "60")
    assert repository.get("/contents/other.csv").status_code == 404
    assert repository.get("/contents/zips.csv?ref=dev").status_code == 404


def test_the_rate_limit_is_a_403_with_nothing_remaining(
    repository: Repository, sandbox: Sandbox
) -> None:
    sandbox.knobs.turn({"limits": True, "github_limit": 1})
    assert repository.get().headers["x-ratelimit-remaining"] == "0"
    answer = repository.get()
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert int(answer.headers["x-ratelimit-reset"]) > 1_700_000_000


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"zip_bom": True}, b"\xef\xbb\xbfzipcode,"),
        ({"zip_crlf": True}, b"state\r\n"),
        ({"zip_cp1252": True}, b"Pe\xf1asco"),
        ({"zip_lfs": True}, b"version https://git-lfs"),
        ({"zip_blank_lines": True}, b"\n\n,,,,\n"),
        ({"zip_duplicates": 2}, b" (again),"),
    ],
    ids=str,
)
def test_the_file_can_be_awkward(
    repository: Repository, sandbox: Sandbox, knobs: dict, expected: bytes
) -> None:
    sandbox.knobs.turn(knobs)
    assert expected in repository.get(Accept=RAW).content


def test_the_raw_host_is_a_fallback(repository: Repository, sandbox: Sandbox) -> None:
    env = sandbox.env()
    path = f"{env['ZIPCODES_OWNER']}/{env['ZIPCODES_REPO']}/{env['ZIPCODES_BRANCH']}/zips.csv"
    url = f"{env['GITHUB_RAW_BASE_URL']}/{path}"
    assert repository.client.get(url).content == sandbox.github.content()
    assert repository.client.get(f"{url}x").text == "404: Not Found"


def test_large_files_come_raw_only(repository: Repository, sandbox: Sandbox) -> None:
    sandbox.github.replace("zipcode\n" + "01001\n" * 200_000)
    assert repository.get().json()["encoding"] == "none"
    assert len(repository.get(Accept=RAW).content) > 1_000_000


def test_rows_come_and_go(sandbox: Sandbox) -> None:
    before = {row["zipcode"]: row for row in sandbox.github.truth()}
    lines = sandbox.github.move(30, seed=1)
    after = {row["zipcode"]: row for row in sandbox.github.truth()}
    assert len(lines) == 30
    assert before.keys() - after.keys()
    assert after.keys() - before.keys()
