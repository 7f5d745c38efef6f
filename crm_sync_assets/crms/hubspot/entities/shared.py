"""Columns that several HubSpot objects have in common."""

from __future__ import annotations

from crm_sync_assets.declarations.columns import (
    Column,
    boolean,
    each,
    id_list,
    object_id,
    rest,
    text,
    timestamp,
)

ID: tuple[Column, ...] = (object_id("id", at="id", key=True), text("hs_object_id"))

# An archived record keeps its row. A live record has no `archivedAt`, so one that is restored
# loses its `deleted_at` by the ordinary upsert.
LIFE: tuple[Column, ...] = (
    boolean("archived", at="archived", default=False),
    timestamp("deleted_at", at="archivedAt"),
)

REST: tuple[Column, ...] = (*LIFE, rest())

MERGED = "hs_merged_object_ids"

OBJECT_IDS = each(
    id_list,
    """
    hs_all_accessible_team_ids hs_all_assigned_business_unit_ids hs_all_owner_ids hs_all_team_ids
    hs_merged_object_ids hs_owning_teams hs_shared_team_ids hs_shared_user_ids
    hs_user_ids_of_all_notification_followers hs_user_ids_of_all_notification_unfollowers
    hs_user_ids_of_all_owners
    """,
)

OBJECT_ORIGIN = (
    *each(
        text,
        """
        hs_pipeline hs_pipeline_stage hs_created_by_user_id hs_object_source
        hs_object_source_detail_1 hs_object_source_detail_2 hs_object_source_detail_3
        hs_object_source_id hs_object_source_label hs_object_source_user_id
        hs_unique_creation_key hs_updated_by_user_id
        """,
    ),
    *each(timestamp, "hs_createdate hs_lastmodifieddate"),
    *each(boolean, "hs_read_only hs_was_imported"),
)
