"""Contacts. https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/guide

- Contacts alone say `lastmodifieddate`. A search by `hs_lastmodifieddate`, right for every other
  object, answers 200 with no results.
- Flags (`lead_is_dnc` …) are numbers in one account and "true"/"false" in the next; both become
  1 and 0.
- Whatever properties an account has beyond these columns lands in `properties`.
- A merge gives the survivor a new id; the ids it swallowed are in `hs_merged_object_ids`.
"""

from __future__ import annotations

from crm_sync_assets.crms.hubspot.entities.shared import ID, MERGED, REST
from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations.columns import (
    boolean,
    decimal,
    each,
    email,
    id_list,
    integer,
    phone,
    state,
    text,
    timestamp,
    url,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.rules import contact_completeness

CONTACTS = Entity(
    "hubspot.contacts",
    about="People HubSpot knows: leads, customers and prospects of every division.",
    source=Objects("contacts", modified="lastmodifieddate"),
    table="hubspot_contact",
    columns=(
        *ID,
        *each(email, "email canvasser_email"),
        *each(phone, "phone lead_phone1 lead_phone2 lead_phone3 prospect_phone1"),
        *each(text, "firstname lastname address lead_address1", sensitive=True),
        *each(text, "city lead_city country"),
        *each(state, "state lead_state"),
        *each(zip_code, "zip lead_zip"),
        *each(url, "trustedform_cert_url address_url"),
        *each(text, "lead_added_by_latitude lead_added_by_longitude", sensitive=True),
        *each(
            text,
            """
            adgroupid ap_leadid campaign_content campaign_name canvasser canvasser_id clickcheck
            clicktype comments contact_type currentlyinworkflow dedupe_record_id division hatch_id
            hge_primary_source hge_secondary_source hs_analytics_source
            hs_analytics_source_data_1 hs_analytics_source_data_2 hs_created_by_user_id
            hs_email_domain hs_google_click_id hs_latest_source hs_latest_source_data_1
            hs_latest_source_data_2 hs_marketable_status hs_marketable_until_renewal
            hs_object_source_label hs_predictivescoringtier hs_timezone hs_updated_by_user_id
            lead_added_by_supervisor lead_agent_name lead_cdyne_county lead_copied_from_on
            lead_import_source lead_notes lead_source_notes
            lead_year_built lifecyclestage marketsharp_id msm_source original_lead_source
            prospect_marketsharp_id reference_code sales_rabbit_lead_id search_terms
            service_of_interest tier vendorleadid vertical
            """,
        ),
        *each(
            timestamp,
            """
            createdate lastmodifieddate hs_analytics_first_timestamp hs_latest_source_timestamp
            hs_v2_date_entered_lead last_scheduled_appointment_start_time
            lead_call_screen_viewed_on lead_dead_on lead_do_not_call_before
            lead_estimate_confirmed_on lead_express_consent_set_on lead_sourced_on lead_viewed_on
            notes_last_contacted notes_last_updated original_lead_source_created prospect_add_date
            """,
        ),
        *each(decimal, "price lead_cost hs_analytics_revenue hs_predictivecontactscore_v2"),
        *each(
            integer,
            """
            contact_id division_id lead_added_by lead_agent_id lead_call_screen_viewed_by
            lead_contact lead_copied_from_id lead_dead_by lead_division lead_estimate_confirmed_by
            lead_express_consent_set_by lead_express_consent_upload_file_id lead_id
            lead_prospect_id lead_salesrabbit_lead_id lead_salesrabbit_lead_id_new
            prospect_add_user_id prospect_id prospect_user_id
            """,
        ),
        *each(
            integer,
            """
            hs_analytics_average_page_views hs_analytics_num_event_completions
            hs_analytics_num_page_views hs_analytics_num_visits
            hs_membership_has_accessed_private_content hs_prospecting_agent_total_enrolled_count
            hs_registered_member lead_cwp_client lead_express_consent_source lead_invalid_address
            lead_is_carpentry_followup lead_is_dnc lead_is_dummy lead_is_estimate_confirmed
            lead_is_estimate_set lead_is_express_consent lead_is_express_consent_being_reviewed
            lead_is_high_potential lead_is_mobile_lead lead_is_valid_address lead_is_valid_email
            lead_is_year_built_verified lead_is_zillow lead_job_type lead_rating lead_source
            lead_status lead_substatus lead_type1 lead_type2 lead_type4 lead_with_dm
            num_contacted_notes num_conversion_events num_notes num_unique_conversion_events
            phone1_type phone2_type prospect_is_address_valid prospect_is_year_built_valid
            prospect_phone1_type prospect_phone2_type prospect_year_built
            """,
        ),
        *each(boolean, "hs_currently_enrolled_in_prospecting_agent hs_is_unworked"),
        id_list(MERGED),
        *REST,
    ),
    indexes=(
        "email",
        "phone",
        "lastmodifieddate",
        "createdate",
        "division",
        "marketsharp_id",
        "lead_prospect_id",
        "lead_status",
        "lead_division",
    ),
    rules=(contact_completeness,),
    merged_ids=MERGED,
)
