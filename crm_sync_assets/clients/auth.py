"""How a request is authorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Auth(Protocol):
    """Where the bearer token comes from."""

    @property
    def variable(self) -> str:
        """The environment variable to look at when the token is refused."""
        ...

    def token(self) -> str: ...

    def refresh(self, refused: str) -> bool:
        """Whether there is now another token than the refused one."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """A static token."""

    value: str
    variable: str

    def __repr__(self) -> str:
        return f"Bearer(variable={self.variable!r})"

    def token(self) -> str:
        return self.value

    def refresh(self, refused: str) -> bool:  # noqa: ARG002 - there is only the one
        return False
