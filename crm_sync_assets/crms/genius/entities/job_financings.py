"""Table `job_financing`: how a job is financed; at most one row per job.

No column says when a row changed, and the table grows with the jobs.
"""

from __future__ import annotations

from crm_sync_assets.clients.sql.sources import Table
from crm_sync_assets.crms.genius.entities.shared import ZERO
from crm_sync_assets.declarations.columns import decimal, each, integer, text, timestamp
from crm_sync_assets.declarations.entity import Entity

JOB_FINANCINGS = Entity(
    "genius.job_financings",
    about="How a job is financed; at most one row per job.",
    source=Table("job_financing", modified=None),
    table="genius_job_financing",
    columns=(
        integer("job_id", key=True),
        *each(integer, "term_id denied_by would_book is_financing_factor"),
        *each(decimal, "financed_amount max_financed_amount", default=ZERO),
        *each(decimal, "bid_rate commission_reduction"),
        *each(integer, "is_joint_application is_active_stipulations_cleared", default=0),
        *each(text, "applicant co_applicant legal_app_name", sensitive=True),
        integer("status", default=1),
        *each(text, "why_book satisfied active_stipulation_notes"),
        *each(
            timestamp,
            """
            signed_on cancellation_period_expires_on app_submission_date approved_on
            loan_expiration_date denied_on docs_completed
            """,
        ),
    ),
    tombstones="found",
)
