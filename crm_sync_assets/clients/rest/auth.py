"""How a source is authorised, declared: a few closed kinds, which refuse nonsense when built.

A kind says which variables it reads and whether they are set, and opens what `Http` asks for each
request. What is missing is told by the variable's name and by what it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from crm_sync_assets.clients import addresses, auth
from crm_sync_assets.clients.auth import Fixed, Request, Signing, basic
from crm_sync_assets.clients.http import Http
from crm_sync_assets.clients.oauth import Grant, TokenStore
from crm_sync_assets.clients.oauth import OAuth as Tokens
from crm_sync_assets.clients.rest.grants import Granting, granted, value, without_a_grant
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import NotSet, UsageError
from crm_sync_assets.redaction import register_secret
from crm_sync_assets.settings import Environment


class Means(Protocol):
    """What opening credentials may need of the account they are for."""

    @property
    def name(self) -> str:
        """The CRM's name."""
        ...

    def open_tokens(self, base_url: str) -> Http:
        """A client for a token endpoint's server, without credentials, closed with the account."""
        ...

    def token_store(self, refresh_token: str, parts: Sequence[str]) -> TokenStore:
        """Where the tokens of the account that these parts name are kept."""
        ...


class Kind(Protocol):
    """One way to be authorised."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable that it reads, in the order in which a person is asked for them."""
        ...

    def is_set(self, environment: Environment) -> bool:
        """Whether every variable that it needs has a value."""
        ...

    def wanted(self) -> str:
        """What a person may give so that it is set, as it goes on after "give"."""
        ...

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        """What tells this account from others of the same CRM: for `account_key`, never shown."""
        ...

    def open(self, environment: Environment, means: Means) -> auth.Auth:
        """Raises NotSet for what is missing, UsageError for what cannot be used."""
        ...


class _Declared(ABC):
    """What the kinds have in common that have variables of their own."""

    __slots__ = ()

    @property
    @abstractmethod
    def variables(self) -> tuple[Variable, ...]:
        """See `Kind`."""

    def is_set(self, environment: Environment) -> bool:
        return not self._missing(environment)

    def wanted(self) -> str:
        needed = [variable for variable in self.variables if _is_needed(variable)]
        return needed[0].about if len(needed) == 1 else _listed(one.name for one in needed)

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        return tuple(value(environment, variable) for variable in self.variables)

    def require(self, environment: Environment) -> list[str]:
        """The values of all variables, in order. Raises NotSet."""
        for variable in self._missing(environment):
            raise NotSet(_not_set(variable.name, variable.about))
        found = [value(environment, variable) for variable in self.variables]
        for variable, given in zip(self.variables, found, strict=True):
            if variable.secret:
                register_secret(given)
        return found

    def _missing(self, environment: Environment) -> list[Variable]:
        needed = (variable for variable in self.variables if _is_needed(variable))
        return [variable for variable in needed if not environment.get(variable.name)]


@dataclass(frozen=True, slots=True)
class Bearer(_Declared):
    """`Authorization: Bearer` and a token that does not end."""

    secret: Variable

    def __post_init__(self) -> None:
        _refuse_open("Bearer", self.secret)

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.secret,)

    def open(self, environment: Environment, means: Means) -> auth.Auth:  # noqa: ARG002
        [token] = self.require(environment)
        return auth.Bearer(token, self.secret.name)


@dataclass(frozen=True, slots=True)
class Header(_Declared):
    """A header of any name; `form` is its value, `{}` where the secret stands."""

    name: str
    secret: Variable
    form: str = "{}"

    def __post_init__(self) -> None:
        _refuse_open(f"Header {self.name}", self.secret)
        if not self.name or not all("!" <= one <= "~" and one != ":" for one in self.name):
            raise ValueError(f"{self.name!r} is no name of a header")
        if self.form.count("{}") != 1 or self.form.count("{") != 1 or self.form.count("}") != 1:
            raise ValueError(f"{self.name}: {self.form!r} has no one place {{}} for the secret")

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.secret,)

    def open(self, environment: Environment, means: Means) -> auth.Auth:
        return Headers(self).open(environment, means)


@dataclass(frozen=True, slots=True, init=False)
class Headers(_Declared):
    """Several headers together."""

    headers: tuple[Header, ...]

    def __init__(self, *headers: Header) -> None:
        names = [header.name.lower() for header in headers]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"headers of different names are needed, not {', '.join(names)}")
        object.__setattr__(self, "headers", headers)

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(header.secret for header in self.headers)

    def open(self, environment: Environment, means: Means) -> auth.Auth:  # noqa: ARG002
        values = self.require(environment)
        made: dict[str, str] = {}
        for header, given in zip(self.headers, values, strict=True):
            if not all(" " <= one <= "~" for one in given):
                raise UsageError(
                    f"{header.secret.name} holds a character that no header has: copy it again"
                )
            made[header.name] = header.form.replace("{}", given)
        return Fixed(made, (*values, *made.values()), _listed(one.name for one in self.variables))


@dataclass(frozen=True, slots=True)
class Basic(_Declared):
    """HTTP's Basic authentication; a user that is the same for everybody is a text."""

    user: Variable | str
    password: Variable

    def __post_init__(self) -> None:
        _refuse_open("Basic", self.password)
        if isinstance(self.user, str) and (not self.user or ":" in self.user):
            raise ValueError(f"Basic: {self.user!r} is no user's name")

    @property
    def variables(self) -> tuple[Variable, ...]:
        return (self.user, self.password) if isinstance(self.user, Variable) else (self.password,)

    def open(self, environment: Environment, means: Means) -> auth.Auth:  # noqa: ARG002
        *named, password = self.require(environment)
        user = named[0] if named else str(self.user)
        if ":" in user:
            raise UsageError(
                f"{self.variables[0].name} has a colon in it, where Basic authentication ends the "
                "user's name"
            )
        headers = basic(user, password)
        names = _listed(variable.name for variable in self.variables)
        return Fixed(headers, (password, *headers.values()), names)


Sign = Callable[[Request, Mapping[str, str]], Mapping[str, str]]
"""A request and the values of the variables by their names → headers, made anew for each try."""


@dataclass(frozen=True, slots=True)
class Signed(_Declared):
    """Headers that a function makes of each request, as a signature or a timestamp is."""

    sign: Sign
    secrets: tuple[Variable, ...]

    def __post_init__(self) -> None:
        if not any(variable.secret for variable in self.secrets):
            raise ValueError("a signature that needs no secret proves nothing")

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.secrets

    def open(self, environment: Environment, means: Means) -> auth.Auth:  # noqa: ARG002
        given = self.require(environment)
        values = {one.name: value for one, value in zip(self.secrets, given, strict=True)}
        hidden = tuple(values[one.name] for one in self.secrets if one.secret)
        return Signing(lambda request: self.sign(request, values), hidden, _listed(values))


@dataclass(frozen=True, slots=True)
class OAuth(_Declared):
    """Access tokens by a grant, kept and shared as `clients.oauth` does."""

    grant: Granting

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.grant.variables

    def wanted(self) -> str:
        wanted = _Declared.wanted(self)
        several = sum(_is_needed(variable) for variable in self.variables) > 1
        return f"{wanted} of {self.grant.about}" if several else wanted

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        return self.grant.account_parts(environment)

    def open(self, environment: Environment, means: Means) -> auth.Auth:
        self.require(environment)
        grant = self.grant
        given = grant.token_url
        base = (
            addresses.base_url(environment, given.name, given.default or given.example)
            if isinstance(given, Variable)
            else given
        )
        url = f"{base}{grant.token_path}"
        parts = urlsplit(url)
        tokens = means.open_tokens(f"{parts.scheme}://{parts.netloc}")

        def endpoint(refresh: str) -> Grant:
            asked = grant.asked(environment, url, refresh)
            session = tokens.session(f"{means.name}: asking for an access token")
            answer = session.request(
                "POST",
                parts.path,
                form=asked.form,
                headers=asked.headers,
                accept=(200, 400, 401, 403),
                check=_no_object if grant.interpret else without_a_grant,
            )
            return grant.interpret(answer) if grant.interpret else granted(answer, grant)

        store = means.token_store(
            grant.first_refresh_token(environment), grant.account_parts(environment)
        )
        return Tokens(endpoint, store, grant.renewed.name)


@dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """The first of several kinds whose variables are set."""

    kinds: tuple[Kind, ...]

    def __init__(self, *kinds: Kind) -> None:
        if len(kinds) < 2 or any(isinstance(kind, OneOf) for kind in kinds):
            raise ValueError("one of two kinds at least, none of them a choice itself")
        object.__setattr__(self, "kinds", kinds)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Those of all kinds; none is required, for another kind may be set."""
        every = (variable for kind in self.kinds for variable in kind.variables)
        return tuple({one.name: replace(one, required=False) for one in every}.values())

    def is_set(self, environment: Environment) -> bool:
        return any(kind.is_set(environment) for kind in self.kinds)

    def wanted(self) -> str:
        return ", or ".join(kind.wanted() for kind in self.kinds)

    def account_parts(self, environment: Environment) -> tuple[str, ...]:
        return self._chosen(environment).account_parts(environment)

    def open(self, environment: Environment, means: Means) -> auth.Auth:
        return self._chosen(environment).open(environment, means)

    def _chosen(self, environment: Environment) -> Kind:
        for kind in self.kinds:
            if kind.is_set(environment):
                return kind
        raise NotSet(_not_set(self.variables[0].name, self.wanted()))


def _is_needed(variable: Variable) -> bool:
    return variable.required and variable.default is None


def _not_set(name: str, what: str) -> str:
    return f"{name} is not set: give {what}, in the environment or in .env"


def _refuse_open(what: str, variable: Variable) -> None:
    if not variable.secret:
        raise ValueError(f"{what}: {variable.name} is declared as if anybody might see it")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _no_object(body: Any) -> str | None:
    return None if isinstance(body, dict) else "the answer is no object"
