"""Leads that marketing brought, a spreadsheet for each year.

Nothing in the sheet numbers a lead, and it is sorted and edited by hand: a lead is known by when it
came, and by whom it is of.
"""

from __future__ import annotations

from typing import Final

from crm_sync_assets.crms.gsheet.sources import Sheet, sheet
from crm_sync_assets.crms.gsheet.variables import LEADS
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    email,
    integer,
    phone,
    text,
    timestamp,
    zip_code,
)

HEADERS: Final = {
    "channel": "marketing_channel",
    "multiple_inquiry": "Multiple Inquiry",
    "appt_set_by": "Appt Set By",
    "set_appt_date": "Set Appt Date",
    "appt_date_time": "Appt Date-Time",
    "appt_result": "Appt Result",
    "appt_result_reason": "Appt Result Reason",
    "appt_attempts": "Appt Attempts",
    "marketsharp_address": "MarketSharp Address",
    "total_job_value": "Total Job Value",
    "cancel_job_value": "Cancel Job Value",
    "genius_division": "Genius Division",
    "genius_marketing_source": "Genius Marketing Source",
    "marketsharp_source": "MarketSharp Source",
}

MARKETING_LEADS = sheet(
    "gsheet.marketing_leads",
    about="Leads that marketing brought, with what came of them, a sheet for each year.",
    source=Sheet(
        LEADS.name,
        "Marketing Source Leads",
        key=("created_at", "phone_number", "email_address"),
        headers=HEADERS,
    ),
    table="gsheet_marketing_lead",
    sensitive=True,
    columns=(
        timestamp("created_at"),
        *each(text, "first_name last_name", sensitive=True),
        phone("phone_number"),
        email("email_address"),
        *each(text, "utm_campaign utm_term utm_content page_source_name page_url channel variant"),
        *each(text, "click_id click_type lead_type division"),
        zip_code("form_submit_zipcode"),
        *each(text, "marketing_zip_check connection_status contact_reason no_set_reason"),
        boolean("lead_set"),
        integer("recording_duration"),
        integer("hold_time"),
        timestamp("first_call_date_time"),
        integer("call_attempts"),
        text("after_hours"),
        text("call_notes", sensitive=True),
        *each(text, "call_recording callback_review call_center"),
        boolean("manager_followup"),
        boolean("multiple_inquiry"),
        date("preferred_appt_date"),
        text("appt_set_by"),
        date("set_appt_date"),
        timestamp("appt_date_time"),
        *each(text, "appt_result appt_result_reason"),
        integer("appt_attempts"),
        *each(text, "appointment_outcome appointment_outcome_type"),
        boolean("spouses_present"),
        *each(text, "keyword adgroup_name adgroup_id csr_disposition"),
        *each(text, "f9_list_name f9_last_campaign"),
        timestamp("f9_sys_created_date"),
        text("marketsharp_source"),
        text("marketsharp_address", sensitive=True),
        *each(decimal, "total_job_value cancel_job_value"),
        *each(text, "genius_division genius_marketing_source"),
        *each(text, "event_show_name event_show_type event_field_marketer"),
        text("google_ads_campaign_rename"),
    ),
    indexes=("id", "created_at", "phone_number", "email_address"),
)
