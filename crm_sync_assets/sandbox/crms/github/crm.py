"""GitHub's contents API over one repository with one file: the zip codes."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crm_sync_assets.sandbox.auth import after_scheme
from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.crm import Crm, Stage
from crm_sync_assets.sandbox.crms.github.knobs import GitHubKnobs
from crm_sync_assets.sandbox.crms.github.repository import BRANCH, FILE, OWNER, REPO, Repository
from crm_sync_assets.sandbox.faults import Manner
from crm_sync_assets.sandbox.ledger import Quota

DOCS = "https://docs.github.com/rest"
_WINDOW = "github, 1 h"
_JSON_LIMIT = 1_000_000
_MESSAGES = {401: "Bad credentials", 403: "Resource not accessible", 404: "Not Found"}
MANNER = Manner(
    bodies={
        message: {"message": message, "documentation_url": DOCS}
        for message in (*_MESSAGES.values(), "Server Error")
    },
    usual=_MESSAGES,
    otherwise="Server Error",
    kind="application/json; charset=utf-8",
)


class GitHub(Crm):
    """The contents API, its commits and blobs, and the raw host."""

    name = "github"
    manner = MANNER
    pace = 20

    def __init__(self, stage: Stage, knobs: GitHubKnobs, zipcodes: int) -> None:
        self._clock = stage.clock
        self._common = stage.knobs
        self._knobs = knobs
        self._ledger = stage.ledger
        self.world = Repository(stage, knobs, zipcodes)
        self.token = f"github_pat_{hashlib.sha256(str(stage.seed).encode()).hexdigest()[:40]}"

    def operations(self) -> Mapping[str, Callable[..., Any]]:
        """Of the file."""
        world = self.world
        acts = (world.put, world.remove, world.replace, world.move)
        return {act.__name__: act for act in acts}

    def truth(self, what: str) -> Iterator[dict[str, Any]]:
        """The rows of the file."""
        if what != "zipcodes":
            raise LookupError(f"no {what!r} in github, only zipcodes")
        return self.world.truth()

    def move(self, n: int = 1, seed: int = 0) -> list[str]:
        """`n` random changes of the file."""
        return self.world.move(n, seed)

    def reset(self) -> None:
        """The file as it was in the beginning."""
        self.world.reset()

    def env(self, url: str, oauth: bool = False) -> dict[str, str]:  # noqa: ARG002  one token
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
        if self._common.limits:
            limit = self._knobs.github_limit if token else 60
            if self._ledger.spend([Quota(_WINDOW, account, limit, 3_600)]):
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
        used = self._ledger.used(_WINDOW, token)
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
        content, accept = self.world.content(), request.headers.get("accept", "")
        modified = self.world.commits[0][1]
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
        content = self.world.content()
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
        with self.world.lock:
            commits = list(enumerate(self.world.commits[:size]))
            total = len(self.world.commits)
        found = []
        for place, (message, at) in commits:
            stamp = iso(at)[:19] + "Z"
            who = {"name": "Lee Park", "email": "lee@example.com", "date": stamp}
            sha = hashlib.sha1(f"{total - place}/{message}/{at}".encode()).hexdigest()
            found.append(
                {"sha": sha, "commit": {"message": message, "author": who, "committer": who}}
            )
        kind = "application/json; charset=utf-8"
        return self._tagged(request, msgspec.json.encode(found), kind, self.world.commits[0][1])

    async def _plain(self, request: Request) -> Response:
        params = request.path_params
        if refusal := self._refusal(request, params["path"], params["branch"]):
            if refusal.status_code == 404:
                return Response("404: Not Found", 404, media_type="text/plain")
            return refusal
        content = self.world.content()
        return self._tagged(request, content, "text/plain; charset=utf-8", self.world.commits[0][1])

    async def _nothing(self, request: Request) -> Response:
        return self._refusal(request, "", "") or self._error(request, 404, "Not Found")


def _token(request: Request) -> str | None:
    token = after_scheme(request, "bearer", "token")
    return None if token is None else token.strip()


def _blob_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
