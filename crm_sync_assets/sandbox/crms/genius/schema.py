"""Genius's tables as Genius has them: its own types, spellings and oddities.

A line is a type and the columns that have it, deeper lines go on with it; `*` marks the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

WALL = ("datetime",)
MOMENT = ("timestamp",)


def _either(
    on_mysql: sa.types.TypeEngine[Any], elsewhere: sa.types.TypeEngine[Any]
) -> sa.types.TypeEngine[Any]:
    return elsewhere.with_variant(on_mysql, "mysql", "mariadb")


TYPES: Mapping[str, sa.types.TypeEngine[Any]] = {
    "tinyint": _either(mysql.TINYINT(), sa.SmallInteger()),
    "smallint": sa.SmallInteger(),
    "int": sa.Integer(),
    "bigint": sa.BigInteger(),
    "bit": _either(mysql.BIT(1), sa.SmallInteger()),
    "str": sa.String(255),
    "text": sa.Text(),
    "money": sa.Numeric(14, 2),
    "decimal": sa.Numeric(12, 7),
    "double": sa.Double(),
    "date": sa.Date(),
    # Longer than a day, or less than nothing: only MySQL calls that a time.
    "time": _either(mysql.TIME(), postgresql.INTERVAL()),
    "datetime": _either(mysql.DATETIME(), sa.DateTime()),
    "timestamp": _either(mysql.TIMESTAMP(), sa.DateTime(timezone=True)),
}


@dataclass(frozen=True)
class Source:
    """A table: its columns by name with the word for their type, and which are the key."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def modified(self) -> str | None:
        return "updated_at" if "updated_at" in self.columns else None

    @cached_property
    def table(self) -> sa.Table:
        """The table for SQLAlchemy, outside any other's metadata."""
        return sa.Table(
            self.name,
            sa.MetaData(),
            *(
                sa.Column(
                    sa.quoted_name(name, quote=True),
                    TYPES[kind],
                    primary_key=name in self.key,
                    autoincrement=False,
                    nullable=name not in self.key,
                    # Without this MySQL gives a TIMESTAMP a default and a will of its own.
                    server_default=None if name in self.key else sa.text("NULL"),
                )
                for name, kind in self.columns.items()
            ),
            mysql_charset="utf8mb4",
            mysql_engine="InnoDB",
            quote=True,
        )


def sources() -> dict[str, Source]:
    """Every table by name, in the order of the list below."""
    return {name: _source(name, text) for name, text in _TABLES.items()}


def _source(name: str, text: str) -> Source:
    columns: dict[str, str] = {}
    key: list[str] = []
    for kind, column in _words(text):
        columns[column] = kind.rstrip("*")
        if kind.endswith("*"):
            key.append(column)
    return Source(name, columns, tuple(key))


def _words(text: str) -> Iterator[tuple[str, str]]:
    kind = ""
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        if len(line) - len(line.lstrip()) <= 8:
            kind = words.pop(0)
        for word in words:
            yield kind, word


_TABLES = {
    "division_group": """
        smallint* id
        str group_label default_time_zone_name cc_profile_id mes_profile_id mes_profile_key
            docusign_acct_id paysimple_username paysimple_secret
        int region intern_payroll_start painter_payroll_start hub_account_id
        tinyint is_active
        datetime created_at updated_at
    """,
    "user_title": """
        smallint* id
        str title abbreviation roles
        smallint type_id section_id sort pay_component_group_id
        tinyint is_active is_unique_per_division
        datetime created_at updated_at
    """,
    "service": """
        smallint* id
        str label
        tinyint is_active
        bit is_lead_required
        smallint order_number
        datetime created_at updated_at
    """,
    "appointment_type": """
        int* id
        str label
        tinyint is_active
    """,
    "appointment_outcome_type": """
        int* id
        str label
        smallint sort_idx
        tinyint is_active
        datetime created_at updated_at
    """,
    "appointment_outcome": """
        int* id
        smallint type_id
        str label
        tinyint is_active
        datetime created_at updated_at
    """,
    "marketing_source_type": """
        int* id
        str label
        text description
        tinyint is_active
        int list_order
        datetime created_at updated_at
    """,
    "marketsharp_source": """
        int* id
        str marketsharp_id source_name
        tinyint inactive
        datetime created_at updated_at
    """,
    "marketsharp_marketing_source_map": """
        str* marketsharp_id
        int marketing_source_id
        datetime created_at updated_at
    """,
    "job_status": """
        int* id
        str label
        tinyint is_system
    """,
    "job_financing": """
        int* job_id
        int term_id denied_by
        money financed_amount max_financed_amount
        decimal bid_rate commission_reduction
        datetime signed_on cancellation_period_expires_on app_submission_date approved_on
            loan_expiration_date denied_on docs_completed
        tinyint is_joint_application is_active_stipulations_cleared
        str applicant co_applicant legal_app_name
        smallint status would_book
        text why_book satisfied active_stipulation_notes
        bit is_financing_factor
    """,
    "job_change_order_type": """
        int* id
        str label
    """,
    "job_change_order_status": """
        int* id
        str label
        tinyint is_selectable
    """,
    "job_change_order_reason": """
        int* Id
        str label description
    """,
    "integration_field_definition": """
        int* id
        int integration_id
        str label key_name hint input_type
        tinyint is_user is_division
    """,
    "division": """
        int* id
        smallint group_id region_id
        str label abbreviation
        bit is_utility
        tinyint is_corp is_omniscient
        int is_inactive account_scheduler_id
        datetime created_at updated_at
    """,
    "division_region": """
        smallint* id
        str name
        tinyint is_active
    """,
    "marketing_source": """
        int* id
        int type_id add_user_id
        str label
        text description
        date start_date end_date
        datetime add_date
        tinyint is_active is_allow_lead_modification
        timestamp updated_at
    """,
    "user_data": """
        int* user_id
        int division_id manager_user_id gender_id marital_status_id add_user_id
            inactive_transfer_division_id user_associations_id
        smallint title_id
        str first_name first_name_alt last_name email personal_email time_zone_name
            inactive_reason_other
        date birth_date
        datetime hired_on start_date add_datetime inactive_on updated_at
        tinyint is_inactive inactive_reason_id
    """,
    "users_userassociations": """
        int* id
        datetime created_at updated_at
        int primary_user_id
    """,
    "prospect": """
        int* id
        int division_id add_user_id user_id third_party_source_id
        str first_name last_name alt_first_name alt_last_name address1 address2 city county
            state zip phone1 phone2 email marketsharp_id leap_customer_id
        text notes
        datetime add_date updated_at
        smallint year_built
    """,
    "lead": """
        int* lead_id
        int contact division express_consent_set_by express_consent_upload_file_id
            express_consent_being_reviewed_by substatus_reason alternate_id added_by
            estimate_set_by dead_by credit_request_by credit_request_update_by
            call_screen_viewed_by copied_to_id copied_from_id cwp_client cwp_referral
            rc_paid_to estimate_confirmed_by marketing_source prospect_id
            added_by_supervisor salesrabbit_lead_id third_party_source_id
        str first_name last_name address1 address2 city state zip cdyne_county email phone1
            phone2 phone3 phone4 source_notes year_built dead_note import_source
            voicemail_file agent_id agent_name
        tinyint is_valid_address type1 type2 type3 type4 is_year_built_verified is_zillow
            is_express_consent is_express_consent_being_reviewed is_estimate_set
            is_credit_request with_dm is_valid_email is_high_potential is_mobile_lead is_dnc
            is_dummy is_estimate_confirmed is_carpentry_followup
        smallint source job_type rating express_consent_source status substatus
            credit_request_status invalid_address
        datetime sourced_on express_consent_set_on added_on viewed_on estimate_set_on
            dead_on credit_request_on credit_request_update_on call_screen_viewed_on
            copied_to_on copied_from_on rc_paid_on lead_central_estimate_date
            do_not_call_before estimate_confirmed_on updated_at
        text notes credit_request_reason credit_request_note
        double lead_cost
        decimal added_by_latitude added_by_longitude
    """,
    "integration_field": """
        int* id
        int definition_id user_id division_id
        str field_value
        timestamp created_at updated_at
    """,
    "prospect_source": """
        int* id
        int prospect_id marketing_source_id add_user_id source_user_id
        datetime source_date add_date updated_at
        text notes
    """,
    "appointment": """
        int* id
        int prospect_id prospect_source_id user_id type_id add_user_id confirm_user_id
            spouses_present is_complete complete_outcome_id complete_user_id
            third_party_source_id
        date date
        time time duration
        str address1 address2 city state zip email confirm_with marketsharp_id
            marketsharp_appt_type leap_estimate_id
        text notes
        datetime add_date assign_date confirm_date complete_date updated_at
    """,
    "quote": """
        int* id
        int prospect_id appointment_id job_id client_cid status_id contract_file_id
            estimate_file_id add_user_id
        smallint service_id
        str label
        text description
        money amount
        date expire_date
        datetime add_date
        timestamp updated_at
    """,
    "job": """
        int* id
        int client_cid prospect_id division_id user_id production_user_id
            project_coordinator_user_id production_month subcontractor_id status
            contract_hours contract_file_id sold_user_id add_user_id cancel_user_id
            refund_user_id measure_user_id reviewed_by coc_sent_by
            payment_not_finalized_reason payment_type in_progress_substatus_id
        smallint subcontractor_status_id subcontractor_confirmed ready_status prep_status_id
            prep_status_is_reset service_id deposit_type_id cancel_reason_id time_format
            price_level_goal price_level_commission_reduction install_time_format
            materials_ordered_old start_month_old estimate_job_duration
        tinyint is_in_progress is_financing is_sales_tax_exempt jsa_sent is_refund
            is_earned_not_paid is_reviewed pp_id_updated hoa hoa_approved
            is_cogs_report_month_updated is_payment_finalized is_company_cam
            is_five_star_review is_company_cam_images_correct is_loan_document_uptodate
            is_labor_adjustment_correct is_change_order_correct is_coc_pdf_attached
        datetime prep_status_set_date add_date materials_ordered coc_sent_on
            actual_install_date updated_at
        text prep_status_notes contract_amount_difference
        str prep_issue_id contract_number price_level cogs_report_month forecast_month
            company_cam_link reasons_other
        bit is_lead_pb
        date contract_date sold_date start_request_date deadline_date ready_date start_date
            end_date cancel_date refund_date finish_date materials_arrival_date measure_date
            materials_estimated_arrival_date install_date pm_finished_on projected_end_date
            post_pm_closeout_date pre_pm_closeout_date
        money contract_amount job_value deposit_amount commission_payout
            accrued_commission_payout payment_amount
        decimal sales_tax_rate price_level_commission
        time measure_time install_time
    """,
    "appointment_to_service": """
        int* appointment_id
        smallint* service_id
        datetime created_at updated_at
    """,
    "job_change_order_item": """
        int* id
        int change_order_id
        str description
        money amount
        datetime created_at updated_at
    """,
    "job_change_order": """
        int* id
        int job_id adjustment_change_order_id add_user_id sold_user_id cancel_user_id
        str number envelope_id signer_name signer_email financing_note
        smallint status_id type_id reason_id
        date effective_date
        money total_amount total_contract_amount total_pre_change_orders_amount
        timestamp add_date
        datetime sold_date cancel_date updated_at
    """,
    "third_party_source": """
        int* id
        int third_party_source_type_id
        str third_party_id
    """,
    "third_party_source_type": """
        int* id
        str label
    """,
}
