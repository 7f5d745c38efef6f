"""Appointments. https://developers.hubspot.com/docs/api-reference/crm-appointments-v3/guide

- A standard object (0-421) that an account has to switch on first; until then its path is a 404.
- `duration` is in minutes, `hs_duration` in milliseconds (more than 32 bits after 24 days).
- Free-text dates such as "11/5/25 3:30 PM EDT" occur; the zone counts.
- `arrivy_user_divison_id` is spelled so in HubSpot.
"""

from __future__ import annotations

import re
from typing import Any

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, OBJECT_IDS, OBJECT_ORIGIN, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    each,
    email,
    integer,
    phone,
    state,
    text,
    time,
    timestamp,
    url,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity


def duration_minutes(record: dict[str, Any]) -> Any:
    """`duration` as sent, in minutes; "1:30" and "1:30:00" count hours and minutes."""
    value = record.get("properties", {}).get("duration")
    clock = re.fullmatch(r"\s*(\d+):([0-5]\d)(?::[0-5]\d)?\s*", value or "")
    return int(clock[1]) * 60 + int(clock[2]) if clock else value


APPOINTMENTS = Entity(
    "hubspot.appointments",
    about="Appointments with prospects: when, where, with whom, and how each ended.",
    source=Objects("appointments", created="hs_createdate"),
    table="hubspot_appointment",
    columns=(
        *ID,
        *OBJECT_ORIGIN,
        *OBJECT_IDS,
        *each(email, "email canvasser_email"),
        *each(phone, "phone1 phone2"),
        *each(text, "first_name last_name address1 address2", sensitive=True),
        text("city"),
        state("state"),
        zip_code("zip"),
        *each(url, "salespro_fileurl_contract salespro_fileurl_estimate"),
        *each(
            text,
            """
            appointment_id marketsharp_id hs_appointment_name
            appointment_confirmed appointment_response appointment_services appointment_status
            arrivy_confirm_user arrivy_created_by arrivy_details arrivy_notes arrivy_object_id
            arrivy_result_full_string arrivy_salesrep_first_name arrivy_salesrep_last_name
            arrivy_status arrivy_status_title arrivy_user arrivy_user_divison_id
            arrivy_user_external_id arrivy_username cancel_reason canvasser canvasser_id
            complete_outcome_id_text confirm_with created_by_make div_cancel_reasons division
            division_id error_details f9_tfuid genius_quote_id
            genius_quote_response genius_quote_response_status genius_response
            genius_response_status genius_resubmit hscontact_id hubspot_owner_id hubspot_team_id
            lead_services leap_estimate_id log marketsharp_appt_type notes primary_source
            product_interest_primary product_interest_secondary prospect_id prospect_source_id
            qc_cancel_reasons salespro_both_homeowners salespro_consider_solar
            salespro_customer_id salespro_deadline salespro_deposit_type salespro_estimate_id
            salespro_financing salespro_job_size salespro_job_type salespro_last_price_offered
            salespro_notes salespro_one_year_price salespro_preferred_payment
            salespro_requested_start salespro_result salespro_result_notes
            salespro_result_reason_demo salespro_result_reason_no_demo secondary_source
            sourcefield tester_test title type_id_text user_id
            """,
        ),
        *each(
            timestamp,
            """
            hs_appointment_start hs_appointment_end hubspot_owner_assigneddate add_date
            arrivy_appt_date arrivy_confirm_date assign_date complete_date confirm_date
            """,
        ),
        *each(date, "date set_date"),
        time("time"),
        integer("hs_duration", about="milliseconds"),
        integer("duration", at=duration_minutes, about="minutes"),
        *each(
            integer,
            """
            type_id complete_outcome_id complete_user_id confirm_user_id add_user_id
            marketing_task_id spouses_present year_built genius_appointment_id
            genius_prospect_id
            """,
        ),
        boolean("is_complete", default=False),
        *REST,
    ),
    indexes=(
        "appointment_id",
        "genius_appointment_id",
        "marketsharp_id",
        "email",
        "hs_appointment_start",
        "appointment_status",
        "is_complete",
        "hubspot_owner_id",
        "division_id",
        "hs_lastmodifieddate",
    ),
    merged_ids=MERGED,
)
