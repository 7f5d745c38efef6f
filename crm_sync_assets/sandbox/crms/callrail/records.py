"""What CallRail's records say: the fields of each kind, and values for them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from crm_sync_assets.sandbox.clock import iso
from crm_sync_assets.sandbox.people import END_MS, first_of, last_of
from crm_sync_assets.sandbox.seeded import Base, Kind, Maker

DAY_MS = 86_400_000
BEGIN_MS = END_MS - 600 * DAY_MS

_CALL = """
    id answered business_phone_number customer_city customer_country customer_name
    customer_phone_number customer_state direction duration recording recording_duration
    recording_player start_time tracking_phone_number voicemail
"""
_FORM = """
    id company_id person_id form_data form_url landing_page_url referrer referring_url submitted_at
    first_form customer_phone_number customer_name customer_email
"""
DEFAULTS: Mapping[str, frozenset[str]] = {
    "calls": frozenset(_CALL.split()),
    "form_submissions": frozenset(_FORM.split()),
}
"""Without `fields` a record has these; a kind that is not here has all it has."""


def with_offset(milliseconds: int) -> str:
    """A moment in the company's zone, or in UTC."""
    if milliseconds % 3 == 0:
        return iso(milliseconds)
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.astimezone(timezone(timedelta(hours=-5))).isoformat(timespec="milliseconds")


def with_blanks(milliseconds: int) -> str:
    """As accounts have it: 2026-02-10 03:43:50 -0500."""
    moment = datetime.fromtimestamp(milliseconds // 1000, timezone(timedelta(hours=-5)))
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")


def _masked(name: str, prefix: str, created: str, moment: Callable[[int], str], first: int) -> Kind:
    return Kind(
        name,
        name.removesuffix("s"),
        created,
        "_modified",
        first_id=first,
        id_step=3,
        write_id=lambda number: f"{prefix}{number:06x}",
        read_id=lambda text: _hexadecimal(text.removeprefix(prefix)),
        moment=moment,
        archived_every=0,
    )


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def company_id(number: int) -> str:
    """Masked, or a number as before 2025-04-28."""
    return f"COM{number:06x}" if number % 2 else str(number)


def _company_number(text: str) -> int | None:
    return int(text) if text.isdecimal() else _hexadecimal(text.removeprefix("COM"))


KINDS = (
    _masked("accounts", "ACC", "created_at", with_blanks, 0x8154),
    Kind(
        "companies", "company", "created_at", "_modified", first_id=155_920_786, id_step=3,
        write_id=company_id, read_id=_company_number, archived_every=0,
    ),
    _masked("trackers", "TRK", "created_at", iso, 0x193D2),
    Kind("tags", "tag", "created_at", "_modified", first_id=88_123, id_step=7, archived_every=0),
    _masked("users", "USR", "created_at", with_offset, 0x193A0),
    _masked("calls", "CAL", "start_time", with_offset, 0x193F6),
    _masked("form_submissions", "FRM", "submitted_at", with_offset, 0x193F8),
    _masked("conversations", "k", "_created", iso, 0x7C42),
)  # fmt: skip


class Recent(Base):
    """Records of the last twenty months before the end of the history."""

    def created(self, k: int) -> int:
        gap = max(1, (END_MS - BEGIN_MS) // max(1, self.count))
        return BEGIN_MS + k * gap + self.mix(k) % gap

    def modified(self, k: int) -> int:
        return self.created(k)


def _number(h: int) -> str:
    return f"+1614555{h % 10_000:04d}"


def _caller(_k: int, h: int, _p: Any) -> str:
    return "" if h % 17 == 0 else _number(h >> 5)


def _whole_name(k: int, h: int, p: Any) -> str:
    return f"{first_of(k, h, p)} {last_of(k, h, p)}"


def _one_of(*values: Any, shift: int = 7) -> Maker:
    return lambda _k, h, _p: values[(h >> shift) % len(values)]


NOTHING: Maker = lambda *_: None  # noqa: E731  a value like the others
# Which account, or which company by its number, a record belongs to.
PLACED: Mapping[str, Maker] = {
    "_account": lambda k, _h, _p: k,
    "_company": lambda _k, h, _p: h >> 3,
}

FIELDS: Mapping[str, Mapping[str, Maker]] = {
    "accounts": {
        "name": _one_of("Lakeside", "Northgate", "Hillview"),
        "outbound_recording_enabled": _one_of(True, False),
        "inbound_recording_enabled": _one_of(True, False, shift=9),
        "hipaa_account": _one_of(False, None),
        "numeric_id": lambda k, _h, _p: 123_456_789 + k,
    },
    "companies": {
        "name": lambda _k, h, p: p.companies[h % len(p.companies)],
        "status": _one_of("active"),
        "time_zone": _one_of("America/New_York", "America/Chicago"),
        "disabled_at": NOTHING,
        "dni_active": _one_of(True, False, None),
        "script_url": lambda k, _h, _p: f"//cdn.callrail.com/companies/{k}/swap.js",
        "callscore_enabled": _one_of(False, True),
        "lead_scoring_enabled": _one_of(True, False, None),
        "swap_exclude_jquery": _one_of(None, True),
        "swap_ppc_override": _one_of(None, False),
        "swap_landing_override": _one_of(None, "landing"),
        "swap_cookie_duration": _one_of(6, 12, None),
        "swap_cookie_duration_unit": _one_of("months", "days"),
        "callscribe_enabled": _one_of(True, False),
        "keyword_spotting_enabled": _one_of(False, True),
        "form_capture": _one_of(True, False),
        "verified_caller_ids": _one_of({}),
    },
    "trackers": {
        "name": lambda k, _h, _p: f"Ads pool {k}",
        "type": _one_of("session", "source"),
        "status": _one_of("active"),
        "destination_number": lambda _k, h, _p: _number(h) if h % 3 else None,
        "tracking_numbers": lambda _k, h, _p: [_number(h >> 2)],
        "whisper_message": _one_of("Call from Ads", None),
        "sms_supported": _one_of(True, False),
        "sms_enabled": _one_of(False, True, None),
        "call_flow": lambda _k, h, _p: {
            "type": "basic",
            "recording_enabled": True,
            "destination_number": _number(h >> 4) if h % 9 else None,
            "greeting_text": None,
            "greeting_recording_url": None,
        },
        "source": _one_of({"type": "google_ad_extension"}, {"type": "all"}),
        "disabled_at": NOTHING,
    },
    "tags": {
        "name": lambda k, h, p: f"{last_of(k, h, p)} {k}",
        "tag_level": _one_of("account", "company"),
        "color": _one_of("blue1", "green1", "fuchsia9"),
        "background_color": _one_of("blue1", "green1"),
        "status": _one_of("enabled"),
    },
    "users": {
        "email": lambda k, h, p: (
            f"{last_of(k, h, p).encode('ascii', 'ignore').decode()}.{k}@example.com".replace(
                "'", ""
            ).replace(" ", "")
        ),
        "first_name": first_of,
        "last_name": last_of,
        "role": _one_of("admin", "manager", "reporting", "analyst"),
        "accepted": _one_of(True, True, False, None),
    },
    "calls": {
        "answered": _one_of(True, False, None),
        "business_phone_number": lambda _k, h, _p: _number(h),
        "customer_city": lambda _k, h, p: p.cities[h % len(p.cities)],
        "customer_country": _one_of("US"),
        "customer_name": _whole_name,
        "customer_phone_number": _caller,
        "customer_state": _one_of("OH", "MD", None),
        "direction": _one_of("inbound", "outbound"),
        "duration": _one_of(219, 31, 0, None),
        "tracking_phone_number": lambda _k, h, _p: _number(h >> 2),
        "voicemail": _one_of(False, True, None),
        "agent_email": _one_of("pat@example.com", None),
        "call_type": _one_of("first_call", "inbound", "missed"),
        "campaign": _one_of("brand", None),
        "source": _one_of("google_paid", "direct"),
        "source_name": _one_of("Google Ads", "Direct"),
        "medium": _one_of("CPC", None),
        "keywords": _one_of("roof repair", None),
        "tracker_id": _one_of("TRK0193d2", "TRK0193d5"),
        "first_call": _one_of(True, False),
        "lead_status": _one_of("good_lead", "not_a_lead", "previously_marked_good_lead", None),
        "note": _one_of("Quote", "Wants a café ☕", None),
        "value": _one_of("$1,250.00", "$1.00", "1.00", None),
        "tags": NOTHING,
        "person_id": lambda k, _h, _p: f"PER{k:06x}",
        "transcription": _one_of(None),
    },
    "form_submissions": {
        "person_id": lambda k, _h, _p: f"PER{k:06x}",
        "form_data": lambda k, _h, _p: {"email": f"dana{k}@example.com"},
        "form_url": _one_of("https://example.com/quote", None),
        "landing_page_url": _one_of("https://example.com/?gclid=" + "x" * 220, None),
        "referrer": _one_of("google_paid", "direct"),
        "referring_url": _one_of("https://www.google.com/", None),
        "first_form": _one_of(True, False),
        "customer_phone_number": _caller,
        "customer_name": _whole_name,
        "customer_email": lambda k, _h, _p: f"dana{k}@example.com",
        "source": _one_of("google_paid", "direct"),
        "note": _one_of("Quote", None),
        "lead_status": _one_of("good_lead", None),
        "value": _one_of(12.5, None),
        "tags": NOTHING,
    },
    "conversations": {
        "initial_tracker_id": _one_of("TRK0193d2", "TRK0193d5"),
        "current_tracker_id": _one_of("TRK0193d2", "TRK0193d5"),
        "customer_name": _whole_name,
        "customer_phone_number": _caller,
        "initial_tracking_number": lambda _k, h, _p: _number(h >> 2),
        "current_tracking_number": lambda _k, h, _p: _number(h >> 2),
        "state": _one_of("active", "archived"),
        "source": _one_of("google_paid", "direct"),
        "_messages": NOTHING,
    },
}
