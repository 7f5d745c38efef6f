"""The environment variables that a CRM reads, as data: for .env, doctor, docs and the commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crm_sync_assets.settings import variables

YEAR: Final = "{year}"
"""In a variable's name: there is one for each year that somebody gives."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable; `default` is what holds without it, `example` what it may look like.

    `about` says what it is, as a message does that begins with "give". All can also come from a
    file, NAME_FILE; the value of a `secret` one is shown nowhere. Without what is `required` the
    CRM cannot be reached; where there are several ways to reach it, a variable names the `way` it
    belongs to, and one way is enough. Entities that alone are `needed_by` cannot do without it.
    """

    name: str
    about: str
    default: str | None = None
    secret: bool = False
    example: str = ""
    required: bool = True
    way: str = ""
    needed_by: tuple[str, ...] = ()

    @property
    def is_set(self) -> bool:
        return bool(self.given())

    def given(self) -> Mapping[str, str]:
        """The names under which it is set: by the year, or by "" where there is but one."""
        names = (re.sub(r"_FILE$", "", name) for name, value in variables().items() if value)
        return {found: name for name in sorted(names) if (found := self.year_in(name)) is not None}

    def year_in(self, name: str) -> str | None:
        """The year that this name of it has, "" of a name without; None where it is no such."""
        head, placed, tail = self.name.partition(YEAR)
        year = r"(\d{4})" if placed else "()"
        found = re.fullmatch(re.escape(head) + year + re.escape(tail), name)
        return found[1] if found else None


def optional(
    name: str,
    about: str,
    default: str | None = None,
    *,
    secret: bool = False,
    needed_by: tuple[str, ...] = (),
) -> Variable:
    """A variable that nobody has to give, at most who wants the entities it is `needed_by`."""
    return Variable(name, about, default, secret, required=False, needed_by=needed_by)


def missing(of: Sequence[Variable]) -> list[Variable]:
    """The required ones that are not set: of several ways, those of the nearest to complete."""
    required = [variable for variable in of if variable.required and variable.default is None]
    ways = {way: [v for v in required if v.way == way] for way in {v.way: None for v in required}}
    always = ways.pop("", [])
    nearest = min(ways.values(), key=lambda way: _share(way), default=[])
    return [variable for variable in (*nearest, *always) if not variable.is_set]


def _share(way: Sequence[Variable]) -> float:
    """How much of it is missing; a way of which nothing is set comes after all others."""
    return sum(not variable.is_set for variable in way) / len(way)
