"""GitHub's contents API over one repository with one file: the zip codes."""

import base64
import hashlib
import random
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.clock import Clock, iso
from crm_sync_assets.sandbox.crms.hubspot.data import END_MS
from crm_sync_assets.sandbox.crms.hubspot.values import DIVISIONS, pools
from crm_sync_assets.sandbox.knobs import Knobs
from crm_sync_assets.sandbox.ledger import Ledger

OWNER, REPO, BRANCH, FILE = "example-home", "Zipcodes", "main", "zips.csv"
COLUMNS = ("zipcode", "division", "city", "county", "state")
DOCS = "https://docs.github.com/rest"
_JSON_LIMIT = 1_000_000
_LFS = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 18432\n"
)

Row = dict[str, str]


def _rows(seed: int, count: int) -> list[Row]:
    rng, p = random.Random(f"{seed}/zips"), pools(seed)
    places = [(d, f"{d[5]}{n:02d}") for d in DIVISIONS for n in range(100)]
    rows = []
    for division, zipcode in sorted(
        rng.sample(places, min(count, len(places))), key=lambda x: x[1]
    ):
        city = rng.choice((rng.choice(p.cities), rng.choice(p.cities), "Peñasco", "Winston, Old"))
        county = rng.choice((rng.choice(p.last_names), "St. Mary's, Lower", ""))
        rows.append(
            dict(zip(COLUMNS, (zipcode, division[0], city, county, division[3]), strict=True))
        )
    return rows


def _quoted(value: str) -> str:
    if any(mark in value for mark in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


class GitHub:
    """The repository. Operations change the file by one commit each; safe from any thread."""

    name = "github"

    def __init__(
        self, clock: Clock, knobs: Knobs, ledger: Ledger, seed: int, zipcodes: int = 400
    ) -> None:
        self._clock = clock
        self._knobs = knobs
        self._ledger = ledger
        self._seed = seed
        self._count = zipcodes
        self.lock = threading.RLock()
        self.token = f"github_pat_{hashlib.sha256(str(seed).encode()).hexdigest()[:40]}"
        self.reset()

    def reset(self) -> None:
        """The file as it was in the beginning."""
        with self.lock:
            self._table = {row["zipcode"]: row for row in _rows(self._seed, self._count)}
            self._raw: bytes | None = None
            self._commits = [("Add zip codes", END_MS)]

    # -- the file --------------------------------------------------------------------------------

    def content(self) -> bytes:
        """The file's bytes, shaped by the `zip_` knobs."""
        knobs = self._knobs
        with self.lock:
            if self._raw is not None:
                return self._raw
            rows = [list(row.values()) for row in self._table.values()]
        if knobs.zip_lfs:
            return _LFS.encode()
        rows += [[row[0], f"{row[1]} (again)", *row[2:]] for row in rows[: knobs.zip_duplicates]]
        lines = [",".join(COLUMNS), *(",".join(map(_quoted, row)) for row in rows)]
        if knobs.zip_blank_lines:
            lines[3:3] = ["", ",,,,"]
        text = ("\r\n" if knobs.zip_crlf else "\n").join([*lines, ""])
        raw = text.encode("cp1252" if knobs.zip_cp1252 else "utf-8")
        return b"\xef\xbb\xbf" + raw if knobs.zip_bom else raw

    def put(self, zipcode: str, **values: str) -> None:
        """Add a row or change fields of one."""
        with self.lock:
            row = self._table.setdefault(zipcode, dict.fromkeys(COLUMNS, ""))
            row.update(values, zipcode=zipcode)
            self._commit(f"Update {zipcode}")

    def remove(self, zipcode: str) -> None:
        """Take a row out. LookupError when it is not there."""
        with self.lock:
            if zipcode not in self._table:
                raise LookupError(f"no zip code {zipcode!r}")
            del self._table[zipcode]
            self._commit(f"Remove {zipcode}")

    def replace(self, text: str | None) -> None:
        """Make the file any text; None goes back to the rows."""
        with self.lock:
            self._raw = None if text is None else text.encode()
            self._commit("Replace the file")

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random edits, additions and removals; what they were."""
        rng, p, done = random.Random(f"{self._seed}/{seed}/zips"), pools(self._seed), []
        for _ in range(n):
            zipcode, act = rng.choice(sorted(self._table)), rng.randrange(5)
            if act == 0:
                self.remove(zipcode)
            elif act == 1:
                zipcode = f"{rng.randrange(1_000, 99_999):05d}"
                self.put(zipcode, division=rng.choice(DIVISIONS)[0], city=rng.choice(p.cities))
            else:
                self.put(zipcode, city=rng.choice(p.cities), county=rng.choice(("", "Kent")))
            done.append(f"{('remove', 'add', 'edit')[min(act, 2)]} zipcode {zipcode}")
        return done

    def _commit(self, message: str) -> None:
        self._commits.insert(0, (message, self._clock.now_ms()))

    # -- the sandbox's side ----------------------------------------------------------------------

    def operate(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """An operation by name. LookupError when there is none."""
        if operation not in ("put", "remove", "replace", "move"):
            raise LookupError(f"no operation {operation!r}, want put, remove, replace or move")
        return getattr(self, operation)(**arguments)

    def truth(self, what: str = "zipcodes") -> Iterator[dict[str, Any]]:
        """The rows of the file, one per zip code; the text of `replace` is not parsed."""
        if what != "zipcodes":
            raise LookupError(f"no {what!r} in github, only zipcodes")
        with self.lock:
            rows = [dict(row) for row in self._table.values()]
        yield from rows

    def env(self, url: str) -> dict[str, str]:
        """Settings of a client."""
        return {
            "GITHUB_BASE_URL": f"{url}/github",
            "GITHUB_RAW_BASE_URL": f"{url}/github-raw",
            "ZIPCODES_OWNER": OWNER,
            "ZIPCODES_REPO": REPO,
            "ZIPCODES_BRANCH": BRANCH,
            "ZIPCODES_GITHUB_TOKEN": self.token,
        }

    def routes(self) -> Mapping[str, list[BaseRoute]]:
        """Endpoints by mount point."""
        return {
            "/github": [
                Route("/repos/{owner}/{repo}/contents/{path:path}", self._contents),
                Route("/repos/{owner}/{repo}/commits", self._list_commits),
                Route("/repos/{owner}/{repo}/git/blobs/{sha}", self._blob),
                Route("/{rest:path}", self._nothing),
            ],
            "/github-raw": [Route("/{owner}/{repo}/{branch}/{path:path}", self._plain)],
        }

    # -- the wire --------------------------------------------------------------------------------

    def _refusal(self, request: Request, path: str, ref: str) -> Response | None:
        """Why a request gets no answer, if so."""
        if not request.headers.get("user-agent"):
            text = "Request forbidden by administrative rules. Please make sure your request has a "
            return Response(f"{text}User-Agent header", 403, media_type="text/plain")
        token = _token(request)
        if token is not None and token != self.token:
            return self._error(request, 401, "Bad credentials")
        account = token or "anonymous"
        request.scope["sandbox"].update(token=account, account=account)
        if self._knobs.limits:
            limit = self._knobs.github_limit if token else 60
            if not self._ledger.take("github, 1 h", account, 3_600, limit):
                return self._error(
                    request, 403, "API rate limit exceeded for user ID 1.", spent=True
                )
        params = request.path_params
        known = (params.get("owner", OWNER), params.get("repo", REPO)) == (OWNER, REPO)
        hidden = self._knobs.github_private and token is None
        if (
            hidden
            or not known
            or path != FILE
            or ref not in (BRANCH, "HEAD", f"refs/heads/{BRANCH}")
        ):
            return self._error(request, 404, "Not Found")
        return None

    def _headers(self, request: Request, spent: bool = False) -> dict[str, str]:
        token = _token(request) or "anonymous"
        limit = 60 if token == "anonymous" else self._knobs.github_limit
        used = self._ledger.used("github, 1 h", token)
        remaining = 0 if spent else max(0, limit - used)
        return {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-used": str(limit - remaining),
            "x-ratelimit-reset": str(self._clock.now_ms() // 1000 + 3_600),
            "x-ratelimit-resource": "core",
            "x-github-media-type": "github.v3; format=json",
        }

    def _error(self, request: Request, status: int, message: str, spent: bool = False) -> Response:
        body = {"message": message, "documentation_url": DOCS, "status": str(status)}
        content = msgspec.json.encode(body)
        headers = self._headers(request, spent)
        return Response(content, status, headers, media_type="application/json; charset=utf-8")

    def _tagged(self, request: Request, content: bytes, kind: str, modified: int) -> Response:
        seal = f"{_token(request)}{request.headers.get('accept')}".encode()
        tag = f'W/"{hashlib.sha256(content + seal).hexdigest()}"'
        headers = {**self._headers(request), "ETag": tag, "Vary": "Accept, Authorization"}
        headers["Last-Modified"] = time.strftime(
            "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(modified // 1000)
        )
        asked = request.headers.get("if-none-match", "")
        if tag.removeprefix("W/") in [one.strip().removeprefix("W/") for one in asked.split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=kind)

    async def _contents(self, request: Request) -> Response:
        path, ref = request.path_params["path"], request.query_params.get("ref", BRANCH)
        if refusal := self._refusal(request, path, ref):
            return refusal
        content, accept = self.content(), request.headers.get("accept", "")
        modified = self._commits[0][1]
        if "raw" in accept:
            return self._tagged(request, content, "application/vnd.github.raw+json", modified)
        sha, base = _blob_sha(content), str(request.base_url).rstrip("/")
        small = len(content) <= _JSON_LIMIT
        url = f"{base}/repos/{OWNER}/{REPO}"
        body = {
            "name": FILE,
            "path": FILE,
            "sha": sha,
            "size": len(content),
            "url": f"{url}/contents/{FILE}?ref={ref}",
            "html_url": f"https://github.com/{OWNER}/{REPO}/blob/{BRANCH}/{FILE}",
            "git_url": f"{url}/git/blobs/{sha}",
            "download_url": f"{base}-raw/{OWNER}/{REPO}/{BRANCH}/{FILE}",
            "type": "file",
            "content": base64.encodebytes(content).decode() if small else "",
            "encoding": "base64" if small else "none",
        }
        kind = "application/json; charset=utf-8"
        return self._tagged(request, msgspec.json.encode(body), kind, modified)

    async def _blob(self, request: Request) -> Response:
        if refusal := self._refusal(request, FILE, BRANCH):
            return refusal
        content = self.content()
        sha = _blob_sha(content)
        if request.path_params["sha"] != sha:
            return self._error(request, 404, "Not Found")
        if "raw" in request.headers.get("accept", ""):
            return self._tagged(request, content, "application/vnd.github.raw+json", 0)
        encoded = base64.encodebytes(content).decode()
        body = {"sha": sha, "size": len(content), "encoding": "base64", "content": encoded}
        return self._tagged(request, msgspec.json.encode(body), "application/json", 0)

    async def _list_commits(self, request: Request) -> Response:
        path = request.query_params.get("path", FILE)
        if refusal := self._refusal(request, path, request.query_params.get("sha", BRANCH)):
            return refusal
        size = min(int(request.query_params.get("per_page") or 30), 100)
        with self.lock:
            commits = list(enumerate(self._commits[:size]))
            total = len(self._commits)
        found = []
        for place, (message, at) in commits:
            stamp = iso(at)[:19] + "Z"
            who = {"name": "Lee Park", "email": "lee@example.com", "date": stamp}
            sha = hashlib.sha1(f"{total - place}/{message}/{at}".encode()).hexdigest()
            found.append(
                {"sha": sha, "commit": {"message": message, "author": who, "committer": who}}
            )
        kind = "application/json; charset=utf-8"
        return self._tagged(request, msgspec.json.encode(found), kind, self._commits[0][1])

    async def _plain(self, request: Request) -> Response:
        params = request.path_params
        if refusal := self._refusal(request, params["path"], params["branch"]):
            if refusal.status_code == 404:
                return Response("404: Not Found", 404, media_type="text/plain")
            return refusal
        content = self.content()
        return self._tagged(request, content, "text/plain; charset=utf-8", self._commits[0][1])

    async def _nothing(self, request: Request) -> Response:
        return self._refusal(request, "", "") or self._error(request, 404, "Not Found")


def _token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "token") else None


def _blob_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
