"""What users did in SalesPro, one row for each time. Rows are only added."""

from __future__ import annotations

import hashlib
import json

from crm_sync_assets.clients.athena.source import Table
from crm_sync_assets.crms.salespro.columns import exact
from crm_sync_assets.declarations.columns import decimal, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity, Record

KEY = ("created_at", "user_id", "activity_note")
SELECT = (
    *KEY,
    *("company_id", "company_name", "local_customer_uuid", "customer_id", "key_metric"),
    *("activity_identifier", "price_type", "price", "original_row_num"),
)


def named(row: Record) -> Record:
    """The row with a key: a digest of when it was, of whom, and what is said of it.

    None of them is NULL in the same way in which it is empty.
    """
    told = json.dumps([row[name] for name in KEY])
    return {**row, "activity_key": hashlib.sha256(told.encode()).hexdigest()[:32]}


USER_ACTIVITIES = Entity(
    "salespro.user_activities",
    about="What users did.",
    source=Table("user_activity", "created_at", KEY, select=SELECT, make=named),
    table="salespro_user_activity",
    columns=(
        text("activity_key", key=True, about="a digest of created_at, user_id and activity_note"),
        timestamp("created_at"),
        *each(exact, "user_id company_id company_name local_customer_uuid customer_id"),
        *each(exact, "key_metric activity_identifier"),
        exact("activity_note", sensitive=True),
        decimal("price"),
        exact("price_type"),
        integer("original_row_num"),
    ),
    indexes=("created_at", "user_id", "customer_id"),
    absent="kept",
)
