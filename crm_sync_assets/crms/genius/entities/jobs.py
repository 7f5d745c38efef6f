"""Table `job`: sold work, from contract to completion.

0 stands for no row in references to users and files. Rows without `updated_at` occur.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import STEP_BACK, ZERO
from crm_sync_assets.declarations.columns import (
    date,
    decimal,
    each,
    integer,
    reference,
    text,
    time,
    timestamp,
    url,
)
from crm_sync_assets.declarations.entity import Entity

JOBS = Entity(
    "genius.jobs",
    about="Sold work, from contract to completion.",
    source=Table("job"),
    table="genius_job",
    columns=(
        integer("id", key=True),
        *each(
            reference,
            """
            client_cid user_id production_user_id project_coordinator_user_id subcontractor_id
            contract_file_id sold_user_id add_user_id cancel_user_id cancel_reason_id refund_user_id
            measure_user_id reviewed_by coc_sent_by
            """,
        ),
        *each(
            integer,
            """
            prospect_id division_id production_month subcontractor_status_id ready_status
            prep_status_id service_id deposit_type_id jsa_sent time_format price_level_goal
            price_level_commission_reduction hoa hoa_approved install_time_format
            materials_ordered_old start_month_old estimate_job_duration payment_not_finalized_reason
            payment_type is_payment_finalized is_company_cam is_five_star_review
            is_company_cam_images_correct in_progress_substatus_id is_loan_document_uptodate
            is_labor_adjustment_correct is_change_order_correct
            """,
        ),
        *each(
            integer,
            """
            subcontractor_confirmed is_in_progress prep_status_is_reset is_lead_pb contract_hours
            is_financing is_sales_tax_exempt is_refund is_earned_not_paid is_reviewed pp_id_updated
            is_cogs_report_month_updated is_coc_pdf_attached
            """,
            default=0,
        ),
        integer("status", default=10),
        *each(
            text,
            """
            prep_status_notes prep_issue_id contract_number contract_amount_difference price_level
            cogs_report_month forecast_month reasons_other
            """,
        ),
        *each(
            date,
            """
            contract_date sold_date start_request_date deadline_date ready_date start_date end_date
            cancel_date refund_date finish_date materials_arrival_date measure_date
            materials_estimated_arrival_date install_date pm_finished_on projected_end_date
            post_pm_closeout_date pre_pm_closeout_date
            """,
        ),
        *each(
            decimal,
            """
            contract_amount job_value deposit_amount sales_tax_rate commission_payout
            accrued_commission_payout
            """,
            default=ZERO,
        ),
        *each(time, "measure_time install_time"),
        *each(decimal, "price_level_commission payment_amount"),
        url("company_cam_link"),
        *each(
            timestamp,
            """
            prep_status_set_date add_date materials_ordered coc_sent_on actual_install_date
            updated_at
            """,
        ),
    ),
    indexes=("prospect_id", "division_id", "status", "updated_at"),
    tombstones="found",
    clock_steps_back=STEP_BACK,
)
