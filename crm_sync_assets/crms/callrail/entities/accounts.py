"""Accounts that the key's user sees. https://apidocs.callrail.com/#accounts"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import listed
from crm_sync_assets.declarations.columns import boolean, each, integer, text
from crm_sync_assets.declarations.entity import Entity

# No delta: the list cannot be asked for what changed, and there are a handful of accounts.
ACCOUNTS = Entity(
    "callrail.accounts",
    about="The accounts that the key's user may see.",
    source=listed("/a.json", records="accounts", each=None, one=One("/a/{id}.json")),
    table="callrail_account",
    columns=(
        text("id", key=True),
        text("name", default=""),
        *each(boolean, "outbound_recording_enabled hipaa_account", default=False),
        integer("numeric_id"),
    ),
    # One that is not shown any more was taken from this user; that is no deletion.
    absent="kept",
)
