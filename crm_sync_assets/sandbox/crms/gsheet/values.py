"""What the sheets are made of: their columns, of which kind each is, and believable rows."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from crm_sync_assets.sandbox.people import address_of, email_of, first_of, last_of, phone_of, pools

LEADS = "Marketing Source Leads"
SPENDS = "All Marketing Spend"

_TEXTS = [
    "utm_campaign",
    "utm_term",
    "utm_content",
    "page_source_name",
    "page_url",
    "marketing_channel",
    "variant",
    "click_id",
    "click_type",
    "lead_type",
    "division",
    "form_submit_zipcode",
    "marketing_zip_check",
    "connection_status",
    "contact_reason",
    "no_set_reason",
    "after_hours",
    "call_notes",
    "call_recording",
    "callback_review",
    "call_center",
    "appointment_outcome",
    "appointment_outcome_type",
    "keyword",
    "adgroup_name",
    "adgroup_id",
    "csr_disposition",
    "f9_list_name",
    "f9_last_campaign",
    "event_show_name",
    "event_show_type",
    "event_field_marketer",
    "google_ads_campaign_rename",
]

COLUMNS: Mapping[str, Mapping[str, str]] = {
    LEADS: {
        "created_at": "moment",
        "first_name": "text",
        "last_name": "text",
        "phone_number": "text",
        "email_address": "text",
        **dict.fromkeys(_TEXTS, "text"),
        "lead_set": "bool",
        "recording_duration": "int",
        "hold_time": "int",
        "first_call_date_time": "moment",
        "call_attempts": "int",
        "manager_followup": "bool",
        "Multiple Inquiry": "bool",
        "preferred_appt_date": "date",
        "Appt Set By": "text",
        "Set Appt Date": "date",
        "Appt Date-Time": "moment",
        "Appt Result": "text",
        "Appt Result Reason": "text",
        "Appt Attempts": "int",
        "spouses_present": "bool",
        "f9_sys_created_date": "moment",
        "MarketSharp Source": "text",
        "MarketSharp Address": "text",
        "Total Job Value": "money",
        "Cancel Job Value": "money",
        "Genius Division": "text",
        "Genius Marketing Source": "text",
    },
    SPENDS: {
        "Date": "date",
        "Cost": "money",
        "Division": "text",
        "Channel": "text",
        "Campaign": "text",
        "Campaign ID": "text",
        "Campaign Type": "text",
        "event_start_date": "date",
        "event_end_date": "date",
        "event_fee": "money",
        "event_labor_cost": "money",
    },
}

_WORDS = {
    "lead_type": ("Web", "Phone", "Event"),
    "division": ("Ohio", "Kentucky", "Indiana"),
    "marketing_channel": ("Google Ads", "Facebook", "TV"),
    "form_submit_zipcode": ("43004", "01234", "43085"),
    "call_notes": ("", "Left a message", "Wants a quote ☕", 'Said "later"'),
    "Appt Result": ("", "Sold", "No Show"),
}


@lru_cache(maxsize=4096)
def lead(seed: int, year: int, number: int) -> Mapping[str, Any]:
    """A row as its kinds have it, local times without a zone; what is empty is None."""
    rng = random.Random(f"{seed}/gsheet/{year}/{number}")
    people, bits = pools(seed), rng.getrandbits(64)
    came = datetime(year, 1, 3, 7, 5) + timedelta(days=(number * 7) % 350, seconds=number * 61)
    row: dict[str, Any] = {
        "created_at": came.isoformat(" "),
        "first_name": first_of(number, bits, people),
        "last_name": last_of(number, bits, people),
        "phone_number": phone_of(number, bits, people) or "6145550142",
        "email_address": email_of(number, bits, people),
        "MarketSharp Address": address_of(number, bits, people),
        "first_call_date_time": (came + timedelta(minutes=15)).isoformat(" "),
        "f9_sys_created_date": (came + timedelta(seconds=15)).isoformat(" "),
        "Appt Date-Time": (came + timedelta(days=3)).isoformat(" "),
        "preferred_appt_date": f"{came + timedelta(days=3):%Y-%m-%d}",
        "Set Appt Date": f"{came:%Y-%m-%d}",
        "Total Job Value": f"{rng.randrange(0, 4_000_000) / 100:.2f}",
        "Cancel Job Value": rng.choice((None, "-125.50", "0.00")),
    }
    for name, kind in COLUMNS[LEADS].items():
        if name not in row:
            row[name] = _some(name, kind, rng)
    return row


@lru_cache(maxsize=4096)
def spend(seed: int, number: int) -> Mapping[str, Any]:
    """The same of what was spent."""
    rng = random.Random(f"{seed}/gsheet/spends/{number}")
    day = datetime(2024, 1, 1) + timedelta(days=number // 3)
    event = number % 5 == 0
    return {
        "Date": f"{day:%Y-%m-%d}",
        "Cost": f"{rng.randrange(100, 400_000) / 100:.2f}",
        "Division": rng.choice(_WORDS["division"]),
        "Channel": rng.choice(_WORDS["marketing_channel"]),
        "Campaign": f"Campaign {number % 3}",
        "Campaign ID": str(1_122_334_455 + number),
        "Campaign Type": rng.choice(("Search", "Display", None)),
        "event_start_date": f"{day:%Y-%m-%d}" if event else None,
        "event_end_date": f"{day + timedelta(days=2):%Y-%m-%d}" if event else None,
        "event_fee": "250.00" if event else None,
        "event_labor_cost": "1234.50" if event else None,
    }


def _some(name: str, kind: str, rng: random.Random) -> str | None:
    if kind == "bool":
        return rng.choice(("true", "false", None))
    if kind == "int":
        return rng.choice((str(rng.randrange(400)), None))
    return rng.choice(_WORDS.get(name, (f"{name} {rng.randrange(9)}", ""))) or None
