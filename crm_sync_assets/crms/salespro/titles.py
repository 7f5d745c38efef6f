"""The titles of a lead's results, and the columns that they become.

Each is matched to the letter; of several for one column the first that has a value counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Titles = Mapping[str, tuple[str, ...]]

TEXTS: Final[Titles] = {
    "appointment_result": ("Appointment Result", "Appointment Result ", "Result"),
    "result_reason_demo_not_sold": ("Result Reason - Demo Not Sold (objection)",),
    "result_reason_no_demo": ("Result Reason - No Demo (REQUIRES SALES MANGER APPROVAL)",),
    "deposit_type": ("Deposit Type", "Deposit Type-"),
    "balance_type": ("Balance Type", "Balance Type-", "Balance Form Of Payment"),
    "preferred_payment": ("Preferred Payment", "Preferred Payment "),
    "financing": ("Financing",),
    "job_type": ("Job Type",),
    "services": ("Services",),
    "requested_start_month": ("Requested Start Month (If Any)",),
    "deadline": ("Deadline (If Any)-",),
    "timing": ("Timing",),
    "client_most_likely_to_add_on": (
        "Client most likely to add on:",
        "Client most likely to add on: ",
    ),
    "warm_up_topic": ("Warm Up Topic",),
    "urgency_time_frame": ("Urgency Time Frame",),
    "additional_services_demoed_priced": ("Additional Services Demoed & Priced",),
    "price_conditioning_response": (
        "Price Conditioning Response (Where do they want to fall & why)",
    ),
    "measurement_tool": ("Measurement Tool(s) Used",),
    "dumpster_preference": ("Dumpster Preference",),
    "has_consider_solar": ("Has / would this customer ever consider Solar",),
}

NOTES: Final[Titles] = {
    "scheduling_notes": ("Scheduling Notes",),
    "describe_rapport_hot_button": ("Describe Rapport & Hot Button",),
    "company_story_pain_point": ("Company Story - what is customer's pain point",),
    "call_to_action": ("Call To Action - what is the urgency & main consequence",),
    "notes": ("Notes",),
    "closing_notes": ("Closing Notes (how could you have booked this job)",),
    "notes_for_install_team": ("Notes for Install Team", "Project Notes"),
    "details_discussed_for_install": (
        "Details Discussed With Homeowner That Installation Needs To Know",
    ),
    "color_selection": (
        "Color Selection (Default Color in Parentheses) Drip Edge Color (White), Fascia Color "
        "(White) Soffit Color (White), Trim Capping Color (White), Low slope Color (Black), "
        "Chimney Color (Black), Flashing Color (Black), Siding Corner Post (White)",
    ),
}

ANSWERS: Final[Titles] = {
    "both_homeowners_present": ("Both Homeowners Present?", "Both Homeowners Present"),
    "sales_manager_present": ("Sales Manager Present",),
    "financing_approved": ("Financing Approved", "Financing Approved "),
    "loan_docs_signed": ("Loan Docs Signed", "Loan Docs Signed "),
    "upload_estimate_sheet_company_cam": ("Did you Upload Estimate Sheet to Company Cam",),
    "st8_completed": (
        "Did you complete your ST-8 Form Before leaving house?",
        "Did the homeowner complete the ST-8 Form before leaving house?",
    ),
    "did_use_company_cam": ("Did you use company cam", "Did you use company cam "),
}

AMOUNTS: Final[Titles] = {
    "job_size": ("Job Size",),
    "total_job_amount": ("Total Job Amount",),
    "one_year_price": ("One Year Price",),
    "last_price_offered": ("Last Price Offered",),
    "last_payment_offered": ("Last PAYMENT offered",),
    "no_brainer_commitment": (
        "Customer No Brainer Payment Commitment ($0.00 if you did not get commitment)",
    ),
    "customers_final_price_commitment": ("Customer's Final Price Commitment",),
    "deposit_amount": ("Deposit Amount",),
    "balance_amount": ("Balance Amount",),
}

MOST_ITEMS: Final = 6
"""Jobs that one form has room for."""


def titles_of_item(number: int) -> tuple[str, str]:
    """The titles of a job's type and of its amount."""
    return f"Job Type {number}", f"Job Type {number} Amount"
