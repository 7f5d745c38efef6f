"""Which reader serves which kind of source. Imported by name, so that nobody loads them all."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crm_sync_assets.errors import UsageError

READERS: Mapping[str, str] = MappingProxyType(
    {
        "api": "crm_sync_assets.clients.http:Http",
        "csv": "crm_sync_assets.clients.files:GitHubFile",
        "database": "crm_sync_assets.clients.sql.database:Database",
        "soap": "crm_sync_assets.clients.soap.service:Soap",
    }
)
"""Kind of source → module and class of what reads it."""


def client_kind(kind: str) -> str:
    """Where the reader of a kind of source is. Raises UsageError with the kinds there are."""
    if kind not in READERS:
        raise UsageError(
            f"nothing reads a source of kind '{kind}'; there are: {', '.join(READERS)}"
        )
    return READERS[kind]
