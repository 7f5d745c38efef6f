"""What each declared kind sends, refuses, asks for and keeps out of messages."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from crm_sync_assets.clients.auth import Request
from crm_sync_assets.clients.rest.auth import (
    Basic,
    Bearer,
    Header,
    Headers,
    Kind,
    OAuth,
    OneOf,
    Signed,
)
from crm_sync_assets.clients.rest.grants import RefreshToken
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import Forbidden, NotSet, Unauthorized, UsageError
from crm_sync_assets.settings import Environment
from crm_sync_assets_tests.clients.rest.conftest import Accounts, Serve
from crm_sync_assets_tests.faults.server import Answer
from crm_sync_assets_tests.faults.server import Request as Received

Give = Callable[[Mapping[str, str]], None]


def secret(name: str, about: str = "a key") -> Variable:
    return Variable(name, about, secret=True)


TOKEN, KEY = secret("THINGS_TOKEN", "the token of an admin"), secret("THINGS_KEY", "the API key")
COMPANY = Variable("THINGS_COMPANY_ID", "the company's number")
SIGNING = secret("THINGS_SIGNING_SECRET", "the secret key")
VALUES = {
    "THINGS_TOKEN": "tok-0123456789abcdef",
    "THINGS_KEY": "11112222-3333-4444-5555-666677778888",
    "THINGS_COMPANY_ID": "1234",
    "THINGS_SIGNING_SECRET": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "THINGS_PASSWORD": "it's: sécret",
}
EPOCH = 1712927564


def signature(_: Request, values: Mapping[str, str], epoch: int = EPOCH) -> dict[str, str]:
    """As MarketSharp wants it: company, key, moment, and an HMAC of the three."""
    company, key = values["THINGS_COMPANY_ID"], values["THINGS_KEY"]
    made = hmac.digest(
        base64.b64decode(values["THINGS_SIGNING_SECRET"]),
        f"{company}{key}{epoch}".encode(),
        "sha256",
    )
    return {"Authorization": f"{company}:{key}:{epoch}:{base64.b64encode(made).decode()}"}


def of_the_request(request: Request, values: Mapping[str, str]) -> dict[str, str]:
    """A signature over everything that is sent."""
    body = (request.body or b"").decode()
    said = "|".join([request.method, request.target, request.headers["Content-Type"], body])
    return {"X-Signed": f"{said} {values['THINGS_KEY']}", "X-Host": request.host}


SENT: dict[str, tuple[Kind, dict[str, str]]] = {
    "bearer": (Bearer(TOKEN), {"authorization": "Bearer tok-0123456789abcdef"}),
    "header": (Header("x-api-token", TOKEN), {"x-api-token": "tok-0123456789abcdef"}),
    "header in a form": (
        Header("Authorization", TOKEN, form='Token token="{}"'),
        {"authorization": 'Token token="tok-0123456789abcdef"'},
    ),
    "headers": (
        Headers(Header("X-Auth-Key", KEY), Header("X-Auth-Token", TOKEN)),
        {"x-auth-key": VALUES["THINGS_KEY"], "x-auth-token": "tok-0123456789abcdef"},
    ),
    "basic": (
        Basic("API", secret("THINGS_PASSWORD")),
        {"authorization": "Basic QVBJOml0J3M6IHPDqWNyZXQ="},
    ),
    "basic of a user": (
        Basic(COMPANY, TOKEN),
        {"authorization": "Basic " + base64.b64encode(b"1234:tok-0123456789abcdef").decode()},
    ),
    "signed": (
        Signed(signature, (COMPANY, KEY, SIGNING)),
        {
            "authorization": "1234:11112222-3333-4444-5555-666677778888:1712927564:"
            "zFpmUtmIif0GPilcBBN2soKZl9+wJ+vjoqMOEmulcZk="
        },
    ),
    "the first that is set": (
        OneOf(Bearer(secret("THINGS_OTHER_TOKEN")), Header("x-api-token", TOKEN)),
        {"x-api-token": "tok-0123456789abcdef"},
    ),
}


@pytest.mark.parametrize("name", SENT)
def test_a_kind_sends_what_it_says(
    serve: Serve, accounts: Accounts, given: Give, name: str
) -> None:
    given(VALUES)
    kind, headers = SENT[name]
    server = serve()
    accounts.api(server.url, kind).session("things.all").get("/things")
    assert headers.items() <= server.requests[0].headers.items()


def test_a_signature_is_of_the_request_as_it_is_sent(
    serve: Serve, accounts: Accounts, given: Give
) -> None:
    given(VALUES)
    server = serve()
    api = accounts.api(f"{server.url}/v3", Signed(of_the_request, (KEY,)))
    api.session("things.all").request("POST", "/find it", params={"a": "1"}, json={"b": 2})
    [request] = server.requests
    assert request.target == "/v3/find%20it?a=1"
    assert request.headers["x-signed"].split("|")[:2] == ["POST", request.target]
    assert request.headers["x-signed"].endswith('|application/json|{"b":2} ' + VALUES["THINGS_KEY"])
    assert request.headers["x-host"] == request.headers["host"]


def test_what_was_signed_and_refused_is_signed_once_more(
    serve: Serve, accounts: Accounts, given: Give
) -> None:
    given(VALUES)
    moments = iter(range(EPOCH, EPOCH + 9))
    kind = Signed(lambda r, v: signature(r, v, next(moments)), (COMPANY, KEY, SIGNING))
    late = serve(lambda r: Answer(status=401 if str(EPOCH) in r.headers["authorization"] else 200))
    accounts.api(late.url, kind).session("things.all").get("/things")
    assert len(late.requests) == 2
    never = serve(lambda _: Answer(b'{"error": "no"}', 401))
    names = "check THINGS_COMPANY_ID, THINGS_KEY and THINGS_SIGNING_SECRET"
    with pytest.raises(Unauthorized, match=names):
        accounts.api(never.url, kind).session("things.all").get("/things")
    assert len(never.requests) == 2


def test_headers_that_are_refused_are_not_sent_again(
    serve: Serve, accounts: Accounts, given: Give
) -> None:
    given(VALUES)
    server = serve(lambda _: Answer(b'{"error": "no"}', 401))
    kind = Headers(Header("X-Auth-Key", KEY), Header("X-Auth-Token", TOKEN))
    with pytest.raises(Unauthorized, match="check THINGS_KEY and THINGS_TOKEN"):
        accounts.api(server.url, kind).session("things.all").get("/things")
    assert len(server.requests) == 1


def echo(request: Received) -> Answer:
    """Says in its error what it was sent."""
    sent = " ".join(request.headers.values()).replace('"', '\\"')
    return Answer(b'{"message": "you sent %s"}' % sent.encode(), 403)


@pytest.mark.parametrize("name", SENT)
def test_no_secret_is_in_a_message(
    serve: Serve, accounts: Accounts, given: Give, name: str
) -> None:
    given(VALUES)
    kind, headers = SENT[name]
    api = accounts.api(serve(echo).url, kind)
    with pytest.raises(Forbidden, match="you sent") as caught:
        api.session("things.all").get("/things")
    said = str(caught.value)
    hidden = [VALUES[one.name] for one in kind.variables if one.secret and one.name in VALUES]
    assert not [one for one in (*hidden, *headers.values()) if one.split()[-1] in said]
    shown = f"{api.auth!r} {api.proof('GET', '/', None, {}, None)!r}"
    assert not [one for one in (*hidden, *headers.values()) if one in shown]


TWO_WAYS = OneOf(
    Bearer(secret("THINGS_TOKEN", "the token of a private app or a service key")),
    OAuth(
        RefreshToken(
            "https://api.example.com/oauth/token",
            Variable("THINGS_CLIENT_ID", "its id"),
            secret("THINGS_CLIENT_SECRET"),
            secret("THINGS_REFRESH_TOKEN"),
        )
    ),
)
MISSING: dict[str, tuple[Kind, str]] = {
    "bearer": (Bearer(TOKEN), "THINGS_TOKEN is not set: give the token of an admin, "),
    "the second header": (
        Headers(Header("X-Id", secret("THINGS_KEY")), Header("X-Token", TOKEN)),
        "THINGS_TOKEN is not set: give the token of an admin, ",
    ),
    "a part of a grant": (TWO_WAYS.kinds[1], "THINGS_CLIENT_SECRET is not set: give a key, "),
    "all ways": (
        TWO_WAYS,
        "THINGS_TOKEN is not set: give the token of a private app or a service key, or "
        "THINGS_CLIENT_ID, THINGS_CLIENT_SECRET and THINGS_REFRESH_TOKEN of an OAuth app, ",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_named_with_what_it_is(
    accounts: Accounts, given: Give, name: str
) -> None:
    kind, said = MISSING[name]
    given({"THINGS_KEY": "key-1", "THINGS_CLIENT_ID": "client-1"})
    assert not kind.is_set(Environment())
    with pytest.raises(NotSet) as caught:
        accounts.api("https://api.example.com", kind)
    assert str(caught.value) == f"{said}in the environment or in .env"


def test_a_choice_needs_no_variable_of_its_own(accounts: Accounts, given: Give) -> None:
    assert [one.name for one in TWO_WAYS.variables if one.required] == []
    assert len(TWO_WAYS.variables) == 4
    given({"THINGS_TOKEN": "tok-1"})
    assert TWO_WAYS.is_set(Environment())
    assert TWO_WAYS.account_parts(Environment()) == ("tok-1",)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (Header("X-Key", secret("THINGS_PIN")), "1\r\nX-Evil: 1", "THINGS_PIN holds a character"),
        (Basic(Variable("THINGS_PIN", "a user"), TOKEN), "a:b", "THINGS_PIN has a colon"),
    ],
    ids=["a line end in a header", "a colon in a user"],
)
def test_what_cannot_be_sent_is_named(
    accounts: Accounts, given: Give, kind: Kind, values: str, said: str
) -> None:
    given({**VALUES, "THINGS_PIN": values})
    with pytest.raises(UsageError, match=said) as caught:
        accounts.api("https://api.example.com", kind)
    assert values not in str(caught.value)


NONSENSE: dict[str, Callable[[], Any]] = {
    "an open token": lambda: Bearer(COMPANY),
    "an open header": lambda: Header("X-Key", COMPANY),
    "an open password": lambda: Basic("API", COMPANY),
    "no name": lambda: Header("", TOKEN),
    "a name with a colon": lambda: Header("X-Key:", TOKEN),
    "a form without a place": lambda: Header("X-Key", TOKEN, form="Token"),
    "a form with two": lambda: Header("X-Key", TOKEN, form="{} {}"),
    "a form with a name": lambda: Header("X-Key", TOKEN, form="{} {token}"),
    "no header": lambda: Headers(),
    "one header twice": lambda: Headers(Header("X-Key", TOKEN), Header("x-key", KEY)),
    "no user": lambda: Basic("", TOKEN),
    "a user with a colon": lambda: Basic("a:b", TOKEN),
    "nothing to sign with": lambda: Signed(signature, (COMPANY,)),
    "a choice of one": lambda: OneOf(Bearer(TOKEN)),
    "a choice of choices": lambda: OneOf(TWO_WAYS, Bearer(TOKEN)),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_when_it_is_built(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        NONSENSE[name]()
