"""What Salesforce's objects have in common."""

from __future__ import annotations

from crm_sync_assets.crms.salesforce.sources import pascal
from crm_sync_assets.declarations.columns import Column, boolean, each, rest, text, timestamp

ID = text("id", at="Id", key=True, about="18 characters")
STAMPS: tuple[Column, ...] = (
    *each(timestamp, "created_date last_modified_date", spelled=pascal),
    timestamp("system_modstamp", at="SystemModstamp", about="of automated changes, too"),
    *each(text, "created_by_id last_modified_by_id", spelled=pascal),
)
CUSTOM = rest("custom_fields", sensitive=True)
IS_DELETED = boolean("is_deleted", at="IsDeleted", default=False, about="`deleted_at` says when")
COMMON: tuple[Column, ...] = (*STAMPS, IS_DELETED, CUSTOM)
INDEXES = ("system_modstamp",)
OWNED_BY_USERS = {"owner_id": "users.id"}
"""Of objects that no queue can own."""


def address(prefix: str) -> tuple[Column, ...]:
    """The parts of a compound address, which itself is not read."""
    where = f"{prefix}_" if prefix else ""
    return (
        text(f"{where}street", at=pascal(f"{where}street"), sensitive=True),
        *each(
            text,
            " ".join(f"{where}{part}" for part in ("city", "state", "postal_code", "country")),
            spelled=pascal,
        ),
    )
