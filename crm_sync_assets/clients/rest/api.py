"""How one web API is reached, declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from crm_sync_assets.clients.answers import Dialect
from crm_sync_assets.clients.decoding import JSON, Format
from crm_sync_assets.clients.rest.auth import Kind
from crm_sync_assets.clients.rest.source import Each
from crm_sync_assets.declarations.variables import Variable


@dataclass(frozen=True)
class Api:
    """One host of a CRM.

    `{NAME}` in `base` stands for a variable of `fills`; the variable `base_variable` replaces
    all of it. `probe` is a path that any credentials may read, `account` where its answer names the
    account, `named` where it has a name for people. `members` are what the credentials see, where
    several are read; they are asked for in the place of `probe`. `windows` are those of the budget
    that each request counts in, `format` is that of answers. What `defaults` has is given to every
    source made by `rest`.
    """

    base: str
    base_variable: str
    auth: Kind
    probe: str
    account: str | None = None
    named: str | None = None
    members: Each | None = None
    fills: tuple[Variable, ...] = ()
    windows: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    format: Format = JSON
    name: str = ""

    def __post_init__(self) -> None:
        named = {name for _, name, _, _ in Formatter().parse(self.base) if name}
        unknown = named - {variable.name for variable in self.fills}
        if unknown:
            raise ValueError(
                f"{self.base}: no variable is declared for {', '.join(sorted(unknown))}"
            )

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All that its credentials and address are read from."""
        about = f"another address than {self.base}"
        base = Variable(self.base_variable, about, required=False)
        return (*self.auth.variables, *self.fills, base)
