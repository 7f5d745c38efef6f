"""Columns that several Pipedrive entities have in common."""

from __future__ import annotations

from crm_sync_assets.crms.pipedrive.fields import custom_fields
from crm_sync_assets.declarations.columns import Column, boolean, integer, json, timestamp

ID = integer("id", key=True)
TIMES: tuple[Column, ...] = (timestamp("add_time"), timestamp("update_time"))
IS_DELETED = boolean("is_deleted", default=False, about="`deleted_at` says when")
CUSTOM: tuple[Column, ...] = (
    json("custom_fields", at=custom_fields, about="as sent: by the fields' codes, options by id"),
    json("custom_fields_labeled", about="the same by the fields' names, options by their labels"),
)
COMMON: tuple[Column, ...] = (IS_DELETED, *TIMES, *CUSTOM)
