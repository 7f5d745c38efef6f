"""Postal codes and states as the country of their row has them.

A check of one value knows the forms of the United States and Canada. What it objects to is looked
at again beside the country: elsewhere nearly anything is a code, and any text a state. Where no
country is given, digits alone are held to be a US code (that of Boston lost its zero), and a text
nearly like a state's name is that name misspelt; the rest may be of anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from crm_sync_assets.declarations import validators as valid
from crm_sync_assets.declarations.columns import Column, Validator
from crm_sync_assets.nearest import SURELY, nearest

COUNTRY = "country"
HERE = frozenset(
    {"us", "usa", "united states", "united states of america", "america", "ca", "can", "canada"}
)
"""How the countries are called whose forms are known."""

_CODE = re.compile(r"(?=.*\d)[A-Za-z0-9]+(?:[ -][A-Za-z0-9]+){0,2}")
_FORMS = re.compile(r"\d{2}-\d{3}|\d{3}-\d{4}|\d{4}-\d{3}|\d{5}-\d{3}|\d{3} \d{2,3}")
"""Of digits, with what no US code has between them: Poland, Japan, Portugal, Brazil, Sweden."""
_LONGEST, _LONGEST_STATE = 12, 40
"""Characters of a postal code, and of what may be a state's name misspelt."""

Judge = Callable[[str, str | None], str | None]
"""A value and its row's country → what is wrong with it."""


def is_here(country: str | None) -> bool | None:
    """Whether this is a country whose forms are known; None where it is not given."""
    name = (country or "").replace(".", "").strip().lower()
    return name in HERE if name else None


def zip_code(value: str, country: str | None) -> str | None:
    """What is wrong with a postal code that has not the form of the US or Canada."""
    value, here = value.strip(), is_here(country)
    is_any = len(value) <= _LONGEST and value.isascii() and _CODE.fullmatch(value) is not None
    if here is False:
        return None if is_any else "is not a postal code"
    has_letters = any(character.isalpha() for character in value)
    if here is None and is_any and (has_letters or _FORMS.fullmatch(value)):
        return None
    return valid.zip_code(value)


def state(value: str, country: str | None) -> str | None:
    """What is wrong with a state that is none of the US's and Canada's."""
    here = is_here(country)
    if here is False:
        return None
    if here is None and any(character.isalpha() for character in value):
        name = " ".join(value.split()).lower()
        return "is nearly a US state or Canadian province" if _is_nearly_one(name) else None
    return valid.state(value)


def _is_nearly_one(name: str) -> bool:
    return 2 < len(name) <= _LONGEST_STATE and _resembles_one(name)


@lru_cache(maxsize=20_000)
def _resembles_one(name: str) -> bool:
    return nearest(name, valid.state_names(), SURELY) is not None


JUDGES: Mapping[Validator, Judge] = MappingProxyType({valid.zip_code: zip_code, valid.state: state})
"""Which check's objections are looked at beside the country."""


def country_of(column: Column, columns: Sequence[Column]) -> Column | None:
    """The column with the country that this one's value is of, if there is one.

    `customer_country` for `customer_state`, else `country`.
    """
    named = {one.name: one for one in columns}
    own = column.name.rpartition("_")[0]
    return named.get(f"{own}_{COUNTRY}") or named.get(COUNTRY)
