"""Kinds of column that only SalesPro's data needs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.columns import Column, boolean, text


def exactly(value: Any) -> str | None:
    """Text as it is: an empty one is not NULL."""
    return "" if value == "" else parsing.text(value)


def exact(name: str, **options: Any) -> Column:
    """A column of text in which an empty text is kept apart from NULL, as Athena does."""
    return replace(text(name, **options), parse=exactly)


flag = partial(boolean, default=False)
"""True or false; what is empty is false."""
