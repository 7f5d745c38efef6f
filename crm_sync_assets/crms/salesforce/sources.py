"""The kind of source Salesforce serves. A plain value: the client knows how to read it."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sync_assets.declarations.columns import camel
from crm_sync_assets.declarations.entity import SourceKind, WindowedByModified

MOST_ROWS = 2_000
"""Of one answer to a query."""


@dataclass(frozen=True, slots=True)
class SObject(WindowedByModified):
    """One object by its API name. A record is flat: {field: value}, custom fields in lower case.

    `modified` moves with every change, a user's or an automated one's, and with a deletion;
    LastModifiedDate misses the automated ones. Of `any` object, which no declaration describes, all
    fields are read; it is not `known` until an org has said what it has.
    """

    name: str
    modified: str | None = "SystemModstamp"
    any: bool = False
    known: bool = True
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = MOST_ROWS


def pascal(name: str) -> str:
    """`first_name` as `FirstName`, which is how Salesforce names its own fields."""
    spelled = camel(name)
    return spelled[:1].upper() + spelled[1:]
