"""Form submissions. https://apidocs.callrail.com/#form-submissions"""

from __future__ import annotations

from crm_sync_assets.clients.rest.source import One
from crm_sync_assets.crms.callrail.sources import RESWEEPS, WINDOWS, listed
from crm_sync_assets.declarations.columns import json, text, timestamp
from crm_sync_assets.declarations.entity import Entity

# A delta is about when a form was sent. The list is newest first: what is sent meanwhile shifts a
# record onto two pages, which does no harm, and the count tells that the list has to be read again.
FORM_SUBMISSIONS = Entity(
    "callrail.form_submissions",
    about="Forms sent from websites, of the last 25 months and all stored before.",
    source=listed(
        "/a/{account}/form_submissions.json",
        records="form_submissions",
        delta=WINDOWS,
        windowed_by="submitted_at",
        one=One("/a/{account}/form_submissions/{id}.json"),
    ),
    table="callrail_form_submission",
    columns=(
        text("id", key=True),
        text("company_id", default=""),
        text("person_id"),
        text("form_url", default=""),
        text("landing_page_url"),
        json("form_data", default={}, sensitive=True),
        timestamp("submission_time", at="submitted_at"),
    ),
    indexes=("submission_time", "company_id"),
    absent="kept",
    resweeps=RESWEEPS,
)
