"""Which properties each object type has, by their `type`; and the options of enumerations.

`favourite_color`, `custom_score` and the like stand for what every portal has: properties its owner
made up, which no one but the owner expects.
"""

from collections.abc import Mapping

_SYSTEM_LISTS = """
    hs_all_accessible_team_ids hs_all_assigned_business_unit_ids hs_all_owner_ids hs_all_team_ids
    hs_merged_object_ids hs_owning_teams hs_shared_team_ids hs_shared_user_ids
    hs_user_ids_of_all_notification_followers hs_user_ids_of_all_notification_unfollowers
    hs_user_ids_of_all_owners"""
_SYSTEM_TEXTS = """
    hs_pipeline hs_pipeline_stage hs_object_source hs_object_source_detail_1
    hs_object_source_detail_2 hs_object_source_detail_3 hs_object_source_id hs_object_source_label
    hs_unique_creation_key"""
_SYSTEM_NUMBERS = "hs_created_by_user_id hs_object_source_user_id hs_updated_by_user_id"
_MADE_UP = "favourite_color hs_merged_object_ids"

CALCULATED = frozenset(
    {"custom_score", "hs_predictivecontactscore_v2", "num_notes", "num_contacted_notes"}
)
"""Scores and roll-ups: they change with other records, and no modified date with them."""

DECLARED: Mapping[str, Mapping[str, str]] = {
    "contacts": {
        "string": """
            email firstname lastname address comments original_lead_source lead_notes
            lead_source_notes adgroupid ap_leadid campaign_content campaign_name city clickcheck
            clicktype division hs_google_click_id lead_salesrabbit_lead_id marketsharp_id msm_source
            reference_code search_terms tier vendorleadid vertical lead_added_by_supervisor
            lead_agent_name lead_cdyne_county lead_copied_from_on lead_import_source
            dedupe_record_id hs_analytics_source_data_1 hs_analytics_source_data_2
            hs_latest_source_data_1 hs_latest_source_data_2 hs_marketable_until_renewal
            hs_object_source_label hs_email_domain currentlyinworkflow sales_rabbit_lead_id
            prospect_marketsharp_id hge_secondary_source hge_primary_source canvasser
            canvasser_email canvasser_id country hatch_id lead_address1 trustedform_cert_url
            address_url lead_city state lead_added_by_latitude lead_added_by_longitude lead_state
            zip lead_year_built lead_zip old_crm_remarks""",
        "phone_number": "phone lead_phone1 lead_phone2 lead_phone3 prospect_phone1",
        "enumeration": f"""
            hs_analytics_source hs_latest_source hs_marketable_status hs_predictivescoringtier
            hs_timezone lifecyclestage contact_type service_of_interest hubspot_owner_id
            {_MADE_UP}""",
        "datetime": """
            original_lead_source_created lead_call_screen_viewed_on lead_dead_on
            lead_do_not_call_before lead_estimate_confirmed_on lead_express_consent_set_on
            lead_sourced_on lead_viewed_on hs_analytics_first_timestamp hs_latest_source_timestamp
            hs_v2_date_entered_lead notes_last_updated notes_last_contacted
            last_scheduled_appointment_start_time prospect_add_date""",
        "number": """
            price lead_cost hs_analytics_revenue hs_predictivecontactscore_v2 lead_added_by
            lead_agent_id lead_call_screen_viewed_by lead_contact lead_copied_from_id lead_dead_by
            lead_division lead_estimate_confirmed_by lead_express_consent_set_by
            lead_express_consent_upload_file_id lead_id lead_prospect_id
            lead_salesrabbit_lead_id_new contact_id prospect_id prospect_add_user_id
            prospect_user_id division_id hs_created_by_user_id hs_updated_by_user_id
            lead_cwp_client lead_express_consent_source lead_invalid_address
            lead_is_carpentry_followup lead_is_dnc lead_is_estimate_confirmed lead_is_estimate_set
            lead_is_express_consent lead_is_express_consent_being_reviewed lead_is_high_potential
            lead_is_valid_address lead_is_valid_email lead_is_year_built_verified lead_job_type
            lead_rating lead_source lead_status lead_substatus lead_type1 lead_type2 lead_type4
            lead_with_dm hs_analytics_average_page_views hs_analytics_num_event_completions
            hs_analytics_num_page_views hs_analytics_num_visits
            hs_membership_has_accessed_private_content hs_registered_member
            hs_prospecting_agent_total_enrolled_count num_conversion_events
            num_unique_conversion_events phone1_type phone2_type num_notes num_contacted_notes
            prospect_phone1_type prospect_phone2_type prospect_year_built custom_score""",
        "bool": """
            hs_currently_enrolled_in_prospecting_agent hs_is_unworked lead_is_dummy
            lead_is_mobile_lead lead_is_zillow prospect_is_address_valid
            prospect_is_year_built_valid""",
    },
    "deals": {
        "string": "dealname description division",
        "enumeration": f"dealstage dealtype pipeline hubspot_owner_id priority deal_currency_code "
        f"{_MADE_UP}",
        "number": "amount custom_score",
        "datetime": "closedate",
    },
    "appointments": {
        "string": f"""
            appointment_id genius_appointment_id marketsharp_id hs_appointment_name first_name
            last_name address1 address2 cancel_reason div_cancel_reasons qc_cancel_reasons
            product_interest_primary product_interest_secondary user_id canvasser canvasser_id
            hubspot_team_id division_id division primary_source secondary_source prospect_id
            prospect_source_id hscontact_id sourcefield type_id_text marketsharp_appt_type
            complete_outcome_id_text confirm_with arrivy_confirm_user arrivy_created_by
            arrivy_object_id arrivy_salesrep_first_name arrivy_salesrep_last_name arrivy_status
            arrivy_status_title arrivy_user arrivy_user_divison_id arrivy_user_external_id
            arrivy_username salespro_both_homeowners salespro_consider_solar salespro_customer_id
            salespro_deadline salespro_deposit_type salespro_estimate_id salespro_job_size
            salespro_job_type salespro_last_price_offered salespro_one_year_price
            salespro_preferred_payment salespro_requested_start salespro_result
            salespro_result_reason_demo salespro_result_reason_no_demo title leap_estimate_id
            tester_test created_by_make f9_tfuid genius_quote_id genius_prospect_id
            genius_quote_response_status genius_response_status genius_resubmit arrivy_details
            arrivy_notes arrivy_result_full_string salespro_financing salespro_notes
            salespro_result_notes notes log error_details genius_quote_response genius_response
            email canvasser_email salespro_fileurl_contract salespro_fileurl_estimate city state
            zip time duration confirm_date assign_date add_date arrivy_appt_date
            arrivy_confirm_date {_SYSTEM_TEXTS}""",
        "phone_number": "phone1 phone2",
        "enumeration": f"""
            appointment_services lead_services appointment_status appointment_confirmed
            appointment_response hubspot_owner_id favourite_color {_SYSTEM_LISTS}""",
        "datetime": """
            hs_appointment_start hs_appointment_end hubspot_owner_assigneddate complete_date""",
        "date": "date set_date",
        "number": f"""
            hs_duration type_id complete_outcome_id complete_user_id confirm_user_id add_user_id
            marketing_task_id spouses_present year_built custom_score {_SYSTEM_NUMBERS}""",
        "bool": "hs_read_only hs_was_imported is_complete",
    },
    "divisions": {
        "string": f"""
            division_name division_label label manager_name address1 address2 division_code code
            region city manager_email state zip {_SYSTEM_TEXTS}""",
        "phone_number": "phone",
        "enumeration": f"status favourite_color {_SYSTEM_LISTS}",
        "number": f"custom_score {_SYSTEM_NUMBERS}",
        "bool": "hs_read_only hs_was_imported",
    },
    "genius_users": {
        "string": """
            arrivy_user_id division division_id job_title name title_id user_account_type user_id
            email""",
        "enumeration": f"user_status_inactive {_MADE_UP}",
        "number": "custom_score",
    },
    "companies": {
        "string": "name domain website address city state zip country",
        "phone_number": "phone",
        "enumeration": f"industry lifecyclestage hubspot_owner_id {_MADE_UP}",
        "number": "annualrevenue numberofemployees custom_score",
    },
    "tickets": {
        "string": "subject content",
        "enumeration": f"""
            hs_pipeline hs_pipeline_stage hs_ticket_priority hs_ticket_category hubspot_owner_id
            {_MADE_UP}""",
        "datetime": "closed_date",
    },
    "products": {
        "string": "name description hs_sku hs_merged_object_ids",
        "number": "price hs_cost_of_goods_sold custom_score",
    },
    "line_items": {
        "string": "name hs_sku hs_merged_object_ids",
        "number": "quantity price amount hs_product_id",
    },
    "calls": {
        "string": """
            hs_call_title hs_call_body hs_body_preview hs_body_preview_html hs_call_from_number
            hs_call_to_number hs_call_recording_url""",
        "datetime": "hs_timestamp",
        "enumeration": f"""
            hs_call_direction hs_call_disposition hs_call_status hubspot_owner_id {_MADE_UP}""",
        "number": "hs_call_duration",
    },
    "emails": {
        "string": """
            hs_email_subject hs_email_text hs_email_html hs_body_preview hs_body_preview_html
            hs_email_from_email hs_email_to_email""",
        "datetime": "hs_timestamp",
        "enumeration": f"hs_email_direction hs_email_status hubspot_owner_id {_MADE_UP}",
    },
    "meetings": {
        "string": "hs_meeting_title hs_meeting_body hs_meeting_location hs_body_preview",
        "datetime": "hs_timestamp hs_meeting_start_time hs_meeting_end_time",
        "enumeration": f"hs_meeting_outcome hubspot_owner_id {_MADE_UP}",
    },
    "notes": {
        "string": "hs_note_body hs_body_preview hs_attachment_ids",
        "datetime": "hs_timestamp",
        "enumeration": f"hubspot_owner_id {_MADE_UP}",
    },
    "tasks": {
        "string": "hs_task_subject hs_task_body hs_body_preview",
        "datetime": "hs_timestamp",
        "enumeration": f"hs_task_status hs_task_priority hs_task_type hubspot_owner_id {_MADE_UP}",
    },
}  # fmt: skip

SERVICES = ("roofing", "siding", "windows", "gutters", "attic_insulation", "solar")
_SOURCES = ("OFFLINE", "PAID_SEARCH", "ORGANIC_SEARCH", "DIRECT_TRAFFIC", "PAID_SOCIAL")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "favourite_color": ("red", "green", "blue", "Dark Teal", "off-white"),
    "lifecyclestage": ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer"),
    "hs_analytics_source": _SOURCES,
    "hs_latest_source": _SOURCES,
    "hs_marketable_status": ("true", "false"),
    "hs_predictivescoringtier": ("tier_1", "tier_2", "tier_3", "tier_4"),
    "hs_timezone": ("us_slash_eastern", "us_slash_central", "us_slash_pacific"),
    "contact_type": ("Homeowner", "Renter", "Contractor"),
    "service_of_interest": SERVICES,
    "appointment_services": SERVICES,
    "lead_services": SERVICES,
    "dealtype": ("newbusiness", "existingbusiness"),
    "priority": ("low", "medium", "high"),
    "deal_currency_code": ("USD", "EUR"),
    "appointment_status": ("Scheduled", "Confirmed", "Completed", "Cancelled", "No Show"),
    "appointment_confirmed": ("Yes", "No", "Left Message"),
    "appointment_response": ("Accepted", "Declined"),
    "status": ("active", "inactive"),
    "user_status_inactive": ("true", "false"),
    "industry": ("CONSTRUCTION", "REAL_ESTATE", "INSURANCE", "RETAIL"),
    "hs_ticket_priority": ("LOW", "MEDIUM", "HIGH"),
    "hs_ticket_category": ("PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST"),
    "hs_call_direction": ("INBOUND", "OUTBOUND"),
    "hs_call_disposition": (
        "f240bbac-87c9-4f6e-bf70-924b57d47db7",
        "9d9162e7-6cf3-4944-bf63-4dff82258764",
        "b2cf5968-551e-4856-9783-52b3da59a7d0",
    ),
    "hs_call_status": ("COMPLETED", "NO_ANSWER", "BUSY", "FAILED"),
    "hs_email_direction": ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    "hs_email_status": ("SENT", "BOUNCED", "FAILED"),
    "hs_meeting_outcome": ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
    "hs_task_status": ("NOT_STARTED", "IN_PROGRESS", "COMPLETED", "DEFERRED"),
    "hs_task_priority": ("LOW", "MEDIUM", "HIGH"),
    "hs_task_type": ("CALL", "EMAIL", "TODO"),
    "pipeline": ("default", "renewals"),
    "dealstage": ("appointmentscheduled", "qualifiedtobuy", "closedwon", "closedlost"),
}
