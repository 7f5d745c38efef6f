"""Table `lead`: leads before they become prospects.

`lead` is a reserved word in MySQL 8. Rows without `updated_at` occur.
"""

from __future__ import annotations

from decimal import Decimal

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK
from crm_sync_assets.declarations.columns import (
    decimal,
    each,
    email,
    integer,
    phone,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity

LEADS = Entity(
    "genius.leads",
    about="Leads before they become prospects.",
    source=Table("lead"),
    table="genius_lead",
    columns=(
        integer("lead_id", key=True),
        *each(
            integer,
            """
            contact division is_valid_address type1 type2 type3 type4 source is_year_built_verified
            is_zillow is_express_consent is_express_consent_being_reviewed added_by is_estimate_set
            cwp_client invalid_address is_valid_email is_high_potential is_mobile_lead is_dummy
            is_carpentry_followup
            """,
            default=0,
        ),
        *each(text, "first_name last_name address1 address2", sensitive=True),
        *each(
            text,
            """
            city cdyne_county source_notes year_built notes dead_note credit_request_reason
            credit_request_note import_source voicemail_file agent_id agent_name
            carpentry_followup_notes
            """,
        ),
        state("state"),
        zip_code("zip"),
        email("email"),
        *each(phone, "phone1 phone2 phone3 phone4"),
        integer("job_type", default=2),
        *each(
            integer,
            """
            rating express_consent_set_by express_consent_source express_consent_upload_file_id
            express_consent_being_reviewed_by status substatus substatus_reason alternate_id
            estimate_set_by dead_by is_credit_request credit_request_by credit_request_status
            credit_request_update_by call_screen_viewed_by copied_to_id copied_from_id cwp_referral
            rc_paid_to is_dnc is_estimate_confirmed estimate_confirmed_by marketing_source
            prospect_id added_by_supervisor salesrabbit_lead_id third_party_source_id
            """,
        ),
        decimal("lead_cost", default=Decimal("20.0")),
        integer("with_dm", default=-1),
        *each(decimal, "added_by_latitude added_by_longitude", sensitive=True),
        *each(
            timestamp,
            """
            sourced_on express_consent_set_on added_on viewed_on estimate_set_on dead_on
            credit_request_on credit_request_update_on call_screen_viewed_on copied_to_on
            copied_from_on rc_paid_on lead_central_estimate_date do_not_call_before
            estimate_confirmed_on updated_at
            """,
        ),
    ),
    indexes=("prospect_id", "division", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
