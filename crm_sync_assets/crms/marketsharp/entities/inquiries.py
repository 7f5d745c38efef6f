"""What contacts asked for, and where they heard of the company."""

from __future__ import annotations

from crm_sync_assets.clients.odata.columns import joined
from crm_sync_assets.crms.marketsharp.sources import STEP_BACK, dated
from crm_sync_assets.declarations.columns import (
    boolean,
    each,
    guid,
    integer,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

INQUIRIES = Entity(
    "marketsharp.inquiries",
    about="What contacts asked for, and where they heard of the company.",
    source=dated("Inquiries"),
    table="marketsharp_inquiry",
    columns=(
        guid("id", key=True),
        guid("contact_id", at="contactid"),
        *each(text, "division created_by", spelled=joined),
        *each(
            text,
            "description job_site_address_line1 job_site_address_line2",
            spelled=joined,
            sensitive=True,
        ),
        *each(
            guid,
            "inquiry_source_primary_id inquiry_source_secondary_id promoter_id canvasser_id "
            "telemarketer_id set_by_id last_update_by",
            spelled=joined,
        ),
        *each(timestamp, "creation_date inquiry_date set_date created_date", spelled=joined),
        text("job_site_city", at="jobsitecity"),
        *each(text, "note job_site_directions", spelled=joined, sensitive=True),
        state("job_site_state", at="jobsitestate"),
        zip_code("job_site_zip", at="jobsitezip"),
        boolean("is_active", at="isactive", default=True),
        integer("inquiry_status_id", at="inquirystatusid"),
        timestamp("last_update", at="lastupdate"),
    ),
    indexes=("last_update", "contact_id"),
    clock_steps_back=STEP_BACK,
)
