"""Table `division_group`: groups of divisions that share accounts and payroll.

Accounts and secrets of payment and signature services stand in plain text here; all of them are
sensitive. `region` is 1 where it is empty.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import boolean, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

DIVISION_GROUPS = Entity(
    "genius.division_groups",
    about="Groups of divisions that share accounts and payroll.",
    source=Table("division_group"),
    table="genius_division_group",
    columns=(
        integer("id", key=True),
        text("group_label"),
        integer("region", default=1),
        text("default_time_zone_name", default="US/Pacific"),
        *each(integer, "intern_payroll_start painter_payroll_start hub_account_id"),
        boolean("is_active", default=True),
        *each(
            text,
            """
            cc_profile_id mes_profile_id mes_profile_key docusign_acct_id paysimple_username
            paysimple_secret
            """,
            sensitive=True,
        ),
        *each(timestamp, "created_at updated_at"),
    ),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
