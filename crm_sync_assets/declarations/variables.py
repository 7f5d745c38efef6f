"""A variable of the environment, declared: its name, and what it is to the person who sets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable that a CRM reads.

    `about` goes on after "give": the token of a private app. `example` is how a value looks, where
    that helps. One that is not `required` has a `default`, or is done without.
    """

    name: str
    about: str
    default: str | None = None
    secret: bool = False
    example: str = ""
    required: bool = True
