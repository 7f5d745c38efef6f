"""The kinds of source HubSpot serves. Plain values: the client knows how to read each of them."""

from __future__ import annotations

from dataclasses import dataclass

from crm_sync_assets.declarations.entity import SourceKind, WindowedByModified

# https://developers.hubspot.com/docs/guides/crm/understanding-the-crm#object-type-ids
TYPE_IDS = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "tickets": "0-5",
    "products": "0-7",
    "line_items": "0-8",
    "tasks": "0-27",
    "notes": "0-46",
    "meetings": "0-47",
    "calls": "0-48",
    "emails": "0-49",
}
"""The type ids of the standard objects, the same in every account."""


@dataclass(frozen=True, slots=True)
class Objects(WindowedByModified):
    """CRM objects of one type: listed for a full read, searched for a delta.

    `type` is the name in the path; `appointments`, `divisions` and `genius_users` stand for the
    object type ids that the environment gives. A search page holds up to 200 records, a page of
    a full list up to 100.
    """

    type: str
    modified: str | None = "hs_lastmodifieddate"
    created: str = "createdate"
    root: str = "properties."
    kind: SourceKind = "api"
    max_page_size: int = 200


@dataclass(frozen=True, slots=True)
class Associations(WindowedByModified):
    """Pairs of ids, asked for every live row of `parents`, the table that holds `of`.

    A record is {`columns[0]`: id of the `of` side, `columns[1]`: id of the `to` side}.
    """

    of: str
    to: str
    parents: str
    columns: tuple[str, str]
    modified: str | None = None
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = 1_000


@dataclass(frozen=True, slots=True)
class Removal(WindowedByModified):
    """No records, only tombstones: which live rows of `table` HubSpot no longer has."""

    of: str
    table: str
    modified: str | None = None
    root: str = ""
    kind: SourceKind = "api"
    max_page_size: int = 100


@dataclass(frozen=True, slots=True)
class Zipcodes(WindowedByModified):
    """Rows of a CSV file in a GitHub repository."""

    path: str = "zips.csv"
    modified: str | None = None
    root: str = ""
    kind: SourceKind = "csv"
    max_page_size: int = 10_000
