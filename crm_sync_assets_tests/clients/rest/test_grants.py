"""What a token endpoint is asked, what its answers mean, and where requests go with its tokens."""

from __future__ import annotations

import base64
import json
import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from crm_sync_assets.clients.answers import Answer as Answered
from crm_sync_assets.clients.oauth import Grant
from crm_sync_assets.clients.rest.account import RestAccount
from crm_sync_assets.clients.rest.auth import OAuth
from crm_sync_assets.clients.rest.grants import ClientCredentials, JwtBearer, RefreshToken
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import FatalError, NotSet, Unauthorized, UsageError
from crm_sync_assets.settings import Environment, SyncSettings
from crm_sync_assets_tests.clients.rest.conftest import Accounts, Serve
from crm_sync_assets_tests.faults.server import Answer, FaultServer, Request, self_signed

Give = Callable[[Mapping[str, str]], None]
ADDRESS = Variable(
    "THINGS_TOKEN_URL", "where tokens come from", "https://login.example.com/oauth/token"
)
CLIENT = Variable("THINGS_CLIENT_ID", "the app's id")
SECRET = Variable("THINGS_CLIENT_SECRET", "the app's secret", secret=True)
REFRESH = Variable("THINGS_REFRESH_TOKEN", "its refresh token", secret=True)
PEM = Variable("THINGS_PRIVATE_PEM", "the private key", secret=True)
VALUES = {
    "THINGS_CLIENT_ID": "client-1",
    "THINGS_CLIENT_SECRET": "s3cret/+ of the app",
    "THINGS_REFRESH_TOKEN": "refresh-0",
}


def refreshing(**more: Any) -> OAuth:
    return OAuth(RefreshToken(ADDRESS, CLIENT, SECRET, REFRESH, **more))


def answer(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body).encode(), status)


class Login:
    """A token endpoint whose refresh tokens work once, and the API behind its newest token."""

    def __init__(self, **more: Any) -> None:
        self.more = more
        self.asked: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.revoked: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        if request.target != "/oauth/token":
            sent = request.headers.get("authorization", "")
            newest = f"Bearer access-{len(self.asked)}"
            return answer({}, 200 if sent == newest and sent not in self.revoked else 401)
        with self._lock:
            form = {name: one for name, [one] in parse_qs(request.body.decode()).items()}
            number = len(self.asked)
            if form.get("refresh_token", f"refresh-{number}") != f"refresh-{number}":
                return answer({"error": "invalid_grant", "error_description": "used up"}, 400)
            self.asked.append(form)
            self.headers.append(request.headers)
            granted = {"access_token": f"access-{number + 1}", "expires_in": 3_599}
            return answer({**granted, "refresh_token": f"refresh-{number + 1}", **self.more})


@pytest.fixture
def login(serve: Serve, given: Give) -> Callable[..., tuple[FaultServer, Login]]:
    """Starts such a server; the environment points to it."""

    def start(**more: Any) -> tuple[FaultServer, Login]:
        login = Login(**more)
        server = serve(login)
        given({**VALUES, "THINGS_TOKEN_URL": f"{server.url}/oauth/token"})
        return server, login

    return start


Start = Callable[..., tuple[FaultServer, Login]]


def test_a_refresh_token_is_exchanged_in_the_form(login: Start, accounts: Accounts) -> None:
    server, asked = login()
    session = accounts.api(server.url, refreshing()).session("things.all")
    session.get("/things")
    session.get("/things")
    assert asked.asked == [
        {
            "grant_type": "refresh_token",
            "client_id": "client-1",
            "client_secret": "s3cret/+ of the app",
            "refresh_token": "refresh-0",
        }
    ]
    assert asked.headers[0]["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers[0]


def test_or_with_the_client_in_a_header(login: Start, accounts: Accounts) -> None:
    server, asked = login()
    accounts.api(server.url, refreshing(in_header=True)).session("things.all").get("/things")
    assert asked.asked == [{"grant_type": "refresh_token", "refresh_token": "refresh-0"}]
    sent = asked.headers[0]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "client-1:s3cret/+ of the app"


def test_a_client_s_own_credentials_are_exchanged(login: Start, accounts: Accounts) -> None:
    server, asked = login(refresh_token=None)
    kind = OAuth(ClientCredentials(ADDRESS, CLIENT, SECRET, scope="read"))
    accounts.api(server.url, kind).session("things.all").get("/things")
    [form] = asked.asked
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": "s3cret/+ of the app",
        "scope": "read",
    }


def test_a_refused_token_is_replaced_and_the_next_refresh_token_is_kept(
    login: Start, accounts: Accounts, database_url: str
) -> None:
    server, asked = login()
    asked.revoked.add("Bearer access-1")
    accounts.api(server.url, refreshing(), database_url).session("things.all").get("/things")
    assert [form["refresh_token"] for form in asked.asked] == ["refresh-0", "refresh-1"]
    accounts.api(server.url, refreshing(), database_url).session("things.all").get("/things")
    assert len(asked.asked) == 2, "another process finds the token of the first"


def _one_process(url: str, database_url: str, outcome: Queue[str]) -> None:
    account = RestAccount("things", Environment(), SyncSettings(), database_url=database_url)
    try:
        api = account.open_api(url, refreshing())
        outcome.put(str(api.session("things.all").get("/things").status))
    except BaseException as error:
        outcome.put(repr(error))
        raise
    finally:
        account.close()


def test_four_processes_use_a_refresh_token_up_once(login: Start, database_url: str) -> None:
    server, asked = login()
    context = multiprocessing.get_context("spawn")
    outcome: Queue[str] = context.Queue()
    processes = [
        context.Process(target=_one_process, args=(server.url, database_url, outcome))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    found = [outcome.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    outcome.close()
    outcome.join_thread()
    assert found == ["200"] * 4
    assert len(asked.asked) == 1


# What the answers mean

REFUSALS = {
    "the grant": {"error": "invalid_grant", "error_description": "authentication failure"},
    "the client": {"error": "invalid_client", "message": "unknown app"},
    "the grant in words": {"error": "Invalid grant: refresh_token is invalid"},
    "the client in a message": {"message": "Invalid client: client is invalid"},
}


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_grant_that_is_refused_names_its_variable(
    serve: Serve, accounts: Accounts, given: Give, name: str, status: int
) -> None:
    server = serve(lambda _: answer(REFUSALS[name], status))
    given({**VALUES, "THINGS_TOKEN_URL": server.url})
    said = "refused THINGS_REFRESH_TOKEN: .*check THINGS_CLIENT_ID, THINGS_CLIENT_SECRET"
    with pytest.raises(Unauthorized, match=said):
        accounts.api(server.url, refreshing()).session("things.all").get("/things")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [{"error": "unsupported_grant_type"}, {"success": False, "message": "maintenance"}],
    ids=["another error", "no error"],
)
def test_whatever_else_is_no_proof_against_the_refresh_token(
    serve: Serve, accounts: Accounts, given: Give, database_url: str, body: Any
) -> None:
    server = serve(lambda _: answer(body, 400))
    given({**VALUES, "THINGS_TOKEN_URL": server.url})
    with pytest.raises(FatalError, match="Nothing says that THINGS_REFRESH_TOKEN") as caught:
        accounts.api(server.url, refreshing(), database_url).session("things.all").get("/things")
    assert caught.value.reason == "other"


def test_a_page_in_the_endpoint_s_place_is_asked_again(
    serve: Serve, accounts: Accounts, given: Give
) -> None:
    page = Answer(b"<html>Sorry</html>", 400, {"Content-Type": "text/html"})
    server = serve(lambda _: page)
    given({**VALUES, "THINGS_TOKEN_URL": server.url})
    with pytest.raises(FatalError, match="unexpected content, 5 times"):
        accounts.api(server.url, refreshing()).session("things.all").get("/things")
    assert len(server.requests) == 5


def test_a_crm_may_say_itself_what_an_answer_means(
    serve: Serve, accounts: Accounts, given: Give
) -> None:
    def own(answered: Answered) -> Grant:
        if answered.json.get("status") == "REVOKED":
            raise Unauthorized("authorise the app again")
        return Grant(answered.json["token"], 60.0)

    bodies = iter([{"token": "t-1"}, {"status": "REVOKED"}])

    def origin(request: Request) -> Answer:
        return answer(next(bodies)) if request.target == "/token" else Answer(status=401)

    server = serve(origin)
    given({**VALUES, "THINGS_TOKEN_URL": server.url})
    kind = refreshing(interpret=own, token_path="/token")
    with pytest.raises(Unauthorized, match="authorise the app again"):
        accounts.api(server.url, kind).session("things.all").get("/things")
    assert [one.headers.get("authorization") for one in server.requests] == [
        None,
        "Bearer t-1",
        None,
    ]


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("900", 900), (None, 700), ("soon", 700), (-5, 700), ("inf", 700)],
    ids=str,
)
def test_a_token_lives_as_long_as_is_told_else_as_declared(
    login: Start, accounts: Accounts, database_url: str, told: Any, seconds: float
) -> None:
    server, _ = login(expires_in=told)
    kind = refreshing(lifetime_seconds=700)
    accounts.api(server.url, kind, database_url).session("things.all").get("/things")
    [(left,)] = rows(database_url, "SELECT extract(epoch FROM expires_at - updated_at)::float8")
    assert left == pytest.approx(seconds, abs=10)


def rows(url: str, select: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(f"{select} FROM ingestion_oauth_token").fetchall()


# A base URL that comes with a token


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def test_requests_go_where_the_grant_says(
    login: Start, serve: Serve, accounts: Accounts, database_url: str, certificate: Path
) -> None:
    instance = serve(certificate=certificate)
    server, _ = login(instance_url=f"{instance.url}/acme/")
    kind = refreshing(base_url="instance_url")
    session = accounts.api(server.url, kind, database_url).session("things.all")
    session.get("/things")
    session.get("/things")
    # Of another process, without another grant; the connection is kept.
    accounts.api(server.url, kind, database_url).session("things.all").get("/things")
    assert [request.target for request in instance.requests] == ["/acme/things"] * 3
    assert {request.headers["authorization"] for request in instance.requests} == {
        "Bearer access-1"
    }
    assert instance.connections == 2
    assert [request.target for request in server.requests] == ["/oauth/token"]
    assert rows(database_url, "SELECT base_url") == [(f"{instance.url}/acme/",)]


def test_a_grant_that_names_none_leaves_the_one_before(
    login: Start, serve: Serve, accounts: Accounts, database_url: str, certificate: Path
) -> None:
    instance = serve(certificate=certificate)
    server, asked = login(instance_url=instance.url)
    api = accounts.api(server.url, refreshing(base_url="instance_url"), database_url)
    api.session("things.all").get("/things")
    asked.more = {}
    assert api.auth
    assert api.auth.refresh("access-1")
    api.session("things.all").get("/things")
    assert [one.headers["authorization"] for one in instance.requests] == [
        "Bearer access-1",
        "Bearer access-2",
    ]


def test_without_one_requests_go_where_the_settings_say(
    login: Start, accounts: Accounts, database_url: str
) -> None:
    server, _ = login(instance_url="")
    kind = refreshing(base_url="instance_url")
    accounts.api(server.url, kind, database_url).session("things.all").get("/things")
    assert rows(database_url, "SELECT base_url") == [(None,)]
    assert server.requests[-1].target == "/things"


def test_a_token_goes_to_no_other_plain_http_server(
    login: Start, serve: Serve, accounts: Accounts, database_url: str
) -> None:
    """And the tokens that came with it are kept: the refresh token before is used up."""
    thief = serve()
    server, _ = login(instance_url=thief.url)
    kind = refreshing(base_url="instance_url")
    session = accounts.api(server.url, kind, database_url).session("things.all")
    with pytest.raises(FatalError, match=r"things\.all: .*http://127\.0\.0\.1.*unencrypted"):
        session.get("/things")
    assert thief.connections == 0
    assert rows(database_url, "SELECT refresh_token") == [("refresh-1",)]


def test_but_to_the_server_of_the_settings_it_does(login: Start, accounts: Accounts) -> None:
    server, asked = login()
    asked.more = {"instance_url": f"{server.url}/tenant"}
    api = accounts.api(server.url, refreshing(base_url="instance_url"))
    api.session("things.all").get("/things")
    assert server.requests[-1].target == "/tenant/things"


@pytest.mark.parametrize(
    "named",
    ["acme.example.com", "https://", "https://me:pw@acme.example.com", "https://acme.example/?a=1"],
)
def test_what_is_no_base_url_is_refused(login: Start, accounts: Accounts, named: str) -> None:
    server, _ = login(instance_url=named)
    api = accounts.api(server.url, refreshing(base_url="instance_url"))
    with pytest.raises(FatalError, match="no base URL"):
        api.session("things.all").get("/things")


# Signed JWTs


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEY = rsa.generate_private_key(65_537, 2_048)


def opened(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and claims of a JWT that our key has signed."""
    text, _, signature = assertion.rpartition(".")
    KEY.public_key().verify(decoded(signature), text.encode(), padding.PKCS1v15(), SHA256())
    head, claims = (json.loads(decoded(part)) for part in text.split("."))
    return head, claims


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("spelled", [pem(KEY), pem(KEY).replace("\n", "\\n")], ids=["lines", "n"])
def test_a_jwt_is_signed_by_the_key(
    login: Start, accounts: Accounts, given: Give, spelled: str
) -> None:
    server, asked = login()
    given({"THINGS_PRIVATE_PEM": spelled, "THINGS_USER": "me@example.com"})
    kind = OAuth(
        JwtBearer(
            ADDRESS,
            PEM,
            issuer=CLIENT,
            subject=Variable("THINGS_USER", "a user"),
            audience="https://login.example.com",
        )
    )
    accounts.api(server.url, kind).session("things.all").get("/things")
    [form] = asked.asked
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims = opened(form["assertion"])
    assert head == {"alg": "RS256", "typ": "JWT"}
    assert claims["exp"] - claims["iat"] == 180
    assert claims["iat"] == pytest.approx(time.time(), abs=30)
    named = {"iss": "client-1", "sub": "me@example.com", "aud": "https://login.example.com"}
    assert named.items() <= claims.items()


def test_a_service_account_s_file_says_whose_key_it_is(
    login: Start, accounts: Accounts, given: Give
) -> None:
    server, asked = login()
    account = {"client_email": "sync@p.iam.example", "private_key": pem(KEY), "private_key_id": "k"}
    given({"THINGS_PRIVATE_PEM": json.dumps(account, indent=2)})
    kind = OAuth(JwtBearer(ADDRESS, PEM, scope="read.a read.b", seconds=3_600))
    accounts.api(server.url, kind).session("things.all").get("/things")
    head, claims = opened(asked.asked[0]["assertion"])
    assert head["kid"] == "k"
    assert claims["iss"] == "sync@p.iam.example"
    assert (claims["scope"], claims["aud"]) == ("read.a read.b", f"{server.url}/oauth/token")


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("no key", "private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "is not RSA"),
        ('{"client_email": "a@b.example"}', "service account's JSON"),
        ('{"client_email": "a@b.exam', "service account's JSON"),
    ],
    ids=["text", "another kind", "without a key", "cut"],
)
def test_a_key_that_cannot_sign_is_named(
    login: Start, accounts: Accounts, given: Give, spelled: str, said: str
) -> None:
    server, _ = login()
    given({"THINGS_PRIVATE_PEM": spelled})
    kind = OAuth(JwtBearer(ADDRESS, PEM, issuer=CLIENT))
    with pytest.raises(UsageError, match=f"THINGS_PRIVATE_PEM holds .*{said}") as caught:
        accounts.api(server.url, kind).session("things.all").get("/things")
    assert "BEGIN" not in str(caught.value)
    assert server.requests == []


def test_a_key_that_is_missing_is_asked_for(accounts: Accounts) -> None:
    kind = OAuth(JwtBearer(ADDRESS, PEM))
    with pytest.raises(NotSet, match="THINGS_PRIVATE_PEM is not set: give the private key, in"):
        accounts.api("https://api.example.com", kind)


def test_a_key_alone_does_not_say_whose_it_is(
    login: Start, accounts: Accounts, given: Give
) -> None:
    server, _ = login()
    given({"THINGS_PRIVATE_PEM": pem(KEY)})
    with pytest.raises(UsageError, match="not whose it is"):
        accounts.api(server.url, OAuth(JwtBearer(ADDRESS, PEM)))


# Nonsense

NONSENSE: dict[str, Callable[[], Any]] = {
    "plain http": lambda: RefreshToken("http://login.example.com", CLIENT, SECRET, REFRESH),
    "no address": lambda: ClientCredentials("login.example.com/token", CLIENT, SECRET),
    "no host": lambda: ClientCredentials("https:///token", CLIENT, SECRET),
    "no default": lambda: ClientCredentials(Variable("URL", "an address"), CLIENT, SECRET),
    "a path without a slash": lambda: refreshing(token_path="token"),
    "an open secret": lambda: ClientCredentials(ADDRESS, CLIENT, CLIENT),
    "an open refresh token": lambda: RefreshToken(ADDRESS, CLIENT, SECRET, CLIENT),
    "no lifetime": lambda: refreshing(lifetime_seconds=0),
    "no end": lambda: refreshing(lifetime_seconds=float("inf")),
    "a member without a name": lambda: refreshing(base_url=""),
    "a jwt for ever": lambda: JwtBearer(ADDRESS, PEM, seconds=86_400),
    "a jwt in a header": lambda: JwtBearer(ADDRESS, PEM, in_header=True),
    "a pem in a header": lambda: JwtBearer(ADDRESS, Variable("A_KEY", "a key", secret=True)),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_when_it_is_built(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        NONSENSE[name]()
