"""What Arrivy's records say: the fields of each kind, and values for them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from crm_sync_assets.sandbox.people import address_of, email_of, first_of, last_of, phone_of
from crm_sync_assets.sandbox.seeded import Kind, Maker

DAY_MS = 86_400_000
OWNER = 5_066_549_580_791_808
ZONES = ("America/New_York", "America/Chicago", "UTC")
TYPES = (
    "NOTSTARTED", "CONFIRMED", "ENROUTE", "STARTED", "COMPLETE", "CANCELLED", "EXCEPTION", "CUSTOM",
)  # fmt: skip
LABELS = ("Demo Sold", "No Show", "Second Visit")


def naive(milliseconds: int) -> str:
    """A moment as the API tells it: UTC, to the second, without an offset."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _kind(name: str, singular: str, first: int) -> Kind:
    return Kind(
        name, singular, "created", "updated", first_id=first, id_step=1_048_573, moment=naive,
        archived_every=0,
    )  # fmt: skip


KINDS = (
    _kind("groups", "group", 6_473_924_464_345_088),
    _kind("entities", "entity", 4_785_074_604_081_152),
    _kind("statuses", "status", 5_910_974_510_923_776),
    _kind("tasks", "task", 5_741_255_437_975_552),
    _kind("bookings", "booking", 6_046_713_251_201_024),
)


def _of(*values: Any, shift: int = 7) -> Maker:
    return lambda _k, h, _p: values[(h >> shift) % len(values)]


def _whole_name(k: int, h: int, p: Any) -> str:
    return f"{first_of(k, h, p)} {last_of(k, h, p)}"


def _where(_k: int, h: int, _p: Any) -> dict[str, float]:
    return {"lat": 39.5 + h % 900 / 1000, "lng": -82.5 - h % 700 / 1000}


def _city(_k: int, h: int, p: Any) -> str:
    return str(p.cities[h % len(p.cities)])


def _id(first: int, among: int) -> Maker:
    return lambda _k, h, _p: first + (h >> 11) % among


def _text(make: Callable[[int], str]) -> Maker:
    return lambda k, _h, _p: make(k)


NOTHING: Maker = lambda *_: None  # noqa: E731  a value like the others
SAFE = _text(lambda k: f"ahNzfm{k:06d}")
PERSON: Mapping[str, Maker] = {
    "customer_name": _whole_name,
    "customer_first_name": first_of,
    "customer_last_name": last_of,
    "customer_company_name": lambda _k, h, p: p.companies[h % len(p.companies)] if h % 3 else None,
    "customer_email": email_of,
    "customer_phone": phone_of,
    "customer_mobile_number": phone_of,
    "customer_id": _id(6_192_449_487_634_432, 90),
    "customer_timezone": _of(*ZONES, shift=9),
    "customer_notes": _of(None, "Ring twice", "Dog"),
}
PLANNED: Mapping[str, Maker] = {
    # Both follow from when it was created, unless they were written.
    "start_datetime": NOTHING,
    "end_datetime": NOTHING,
    "owner": _of(OWNER),
    "created_by": _id(4_925_812_092_436_480, 5),
    "updated_by": _id(4_925_812_092_436_480, 5),
    "created_by_user": _whole_name,
    "updated_by_user": _whole_name,
    "url_safe_id": SAFE,
    "details": _of("Siding", 'Said "back door"\nand café ☕', None, ""),
    "external_id": _text(lambda k: f"HS-{88_000 + k}"),
    "external_type": _of("HUBSPOT", None),
    "entity_ids": _of([], [4_785_074_604_081_152], None),
    "crew_ids": _of([], None),
    "worker_ids": _of(None, []),
    "resource_ids": _of([], [1, 2], None),
    "routes": _of([], None, [{"id": 5}]),
    "files": _of([], None),
    "items": _of([], [{"name": "Shingles", "quantity": 3}]),
    "template": _of(5_629_499_534_213_120),
    "rating": _of(None, 4.5, "5", "3.0"),
    "rating_text": _of(None, "Friendly"),
    "outbound_sms_count": _of(0, 2, "3"),
    "inbound_sms_count": _of(0, 1),
    "outbound_email_count": _of(0, "1", None),
    "inbound_email_count": _of(None, 0),
    "number_of_workers_required": _of(None, 2),
    "route_name": _of(None, "North"),
    "route_id": _of(None, "77"),
    "use_lat_lng_address": _of(False, True, None),
    "is_linked": _of(False, None),
    "template_extra_fields": _of([], [{"name": "Product", "value": "Roof"}]),
    "group": NOTHING,
}

FIELDS: Mapping[str, Mapping[str, Maker]] = {
    "groups": {
        "name": lambda k, h, p: f"{_city(k, h, p)} {k}",
        "owner": _of(OWNER),
        "url_safe_id": SAFE,
        "timezone": _of(*ZONES),
        "description": _of(None, "The first one"),
        "email": email_of,
        "phone": phone_of,
        "mobile_number": phone_of,
        "emergency": _of(None, "911"),
        "website": _of(None, "https://example.com/"),
        "image_id": _of(None, "img-7"),
        "address_line_1": address_of,
        "complete_address": address_of,
        "city": _city,
        "state": _of("OH", "MD"),
        "zipcode": _of("43215", "21201-1234"),
        "country": _of("US"),
        "created_by": _id(4_925_812_092_436_480, 5),
        "exact_location": _where,
        "social_links": _of({}, {"facebook": "https://example.com/f"}),
        "additional_addresses": _of([], None),
        "territory_ids": _of([], [3]),
        "extra_fields": _of({}, None),
        "use_lat_lng_address": _of(False, True),
        "is_address_geo_coded": _of(True, False),
        "is_default": lambda k, _h, _p: k == 0,
        "is_disabled": lambda k, _h, _p: k % 5 == 4,
        "is_implicit": _of(False, None),
    },
    "entities": {
        "name": _whole_name,
        "username": email_of,
        "email": email_of,
        "phone": phone_of,
        "type": _of("Estimator", "Installer"),
        "user_type": _of("CREW", "EQUIPMENT"),
        "external_id": _text(lambda k: f"E-{k}"),
        "external_type": _of(None, "OKTA"),
        "url_safe_id": SAFE,
        "owner": _of(OWNER),
        "color": _of("#0A0", None),
        "invite_status": _of("ACCEPTED", None),
        "image_path": _of(None, "/img/7.png"),
        "group_id": NOTHING,
        "created_by": _id(4_925_812_092_436_480, 5),
        "updated_by": _id(4_925_812_092_436_480, 5),
        "created_by_user": _whole_name,
        "address_line_1": address_of,
        "complete_address": address_of,
        "city": _city,
        "state": _of("OH", "MD"),
        "zipcode": _of("43215", None),
        "country": _of("US"),
        "details": _of(None, "Left-handed"),
        "is_active": _of(True, False, shift=8),
        "is_disabled": lambda k, _h, _p: k % 7 == 6,
        "is_default": _of(False, None),
        "can_turnoff_location": _of(True, False, None),
        "is_included_in_billing": _of(True, None),
        "additional_group_ids": _of([], None),
        "exact_location": _where,
        "skill_ids": _of([], [9]),
        "skill_details": _of([], None),
        "permission_groups": _of(["FIELDCREW"], ["ADMIN"]),
        "notifications": _of({"sms": True}, None),
        "can_manage_crews": _of([], None),
        "extra_fields": _of({}, None),
        "joined_datetime": _of("2023-02-02T09:10:00", None),
        "lastreading": lambda k, h, p: {**_where(k, h, p), "time": "2024-04-11T21:00:00"},
    },
    "statuses": {
        "title": lambda k, _h, _p: LABELS[k] if k < len(LABELS) else f"Label {k}",
        "type": _of("CUSTOM", "COMPLETE"),
        "type_id": _of(19, 7),
        "order": lambda k, _h, _p: k,
        "description": _of(None, "As the customer sees it"),
        "visible_to_customer": _of(False, True, None),
        "require_signature": _of(False, True),
        "require_rating": _of(False, None),
        "color": _of("#0A0", "#A00"),
        "is_active": _of(True, False, None),
    },
    "tasks": {
        **PERSON,
        **PLANNED,
        "title": _of("In-home estimate", "Install", "Repair"),
        "status": lambda k, _h, _p: TYPES[k % len(TYPES)],
        "status_title": lambda k, _h, _p: LABELS[k % 3] if k % len(TYPES) == 7 else None,
        "template_type": _of("TASK"),
        "template_id": _of(5_629_499_534_213_120),
        "duration": _of(120, "90", None),
        # Of the unscheduled ones each other has no moment at all.
        "unscheduled": lambda k, _h, _p: k % 8 in (3, 6),
        "_no_moment": lambda k, _h, _p: k % 8 == 6,
        "_zone": _of(*ZONES),
        "customer_address": address_of,
        "customer_address_line_1": address_of,
        "customer_address_line_2": _of(None, "Apt 4"),
        "customer_city": _city,
        "customer_state": _of("OH", "MD"),
        "customer_zipcode": _of("43215", None),
        "customer_country": _of("US"),
        "customer_exact_location": _where,
        "is_customer_address_geo_coded": _of(True, False),
        "mileage": _of([], [12.5, 3]),
        "extra_fields": lambda k, h, p: {
            "lead_source": "Google",
            "scheduled_by": _whole_name(k, h, p),
            "company": "Lakeside",
            "expected_start_date": "2026-03-01",
        },
        "entity_confirmation_statuses": _of({}, {"4785074604081152": "CONFIRMED"}),
        "skill_details": _of([], None),
        "self_scheduling": _of(False, None),
        "rescheduled_count": _of(0, 1, "2"),
        "series_id": _of(None, 81),
        "booking_id": _of(None, 6_046_713_251_201_024),
        "actual_start_time": _of(None, "2026-02-01T10:00:00"),
        "actual_end_time": _of(None, "2026-02-01T11:00:00"),
        "time_window_start": NOTHING,
        "_log": NOTHING,
    },
    "bookings": {
        **PERSON,
        **PLANNED,
        "name": _of("Install", "Big roof"),
        "description": _of(None, "Two days"),
        "status": lambda k, _h, _p: TYPES[k % 6],
        "status_id": _id(5_910_974_510_923_776, 9),
        "time_zone": _of(*ZONES),
        "group_id": NOTHING,
        "task_type": _of("JOB", None),
        "duration_estimate": _of(960, None),
        "exact_location": _where,
        "address_line_1": address_of,
        "complete_address": address_of,
        "city": _city,
        "state": _of("OH", "MD"),
        "country": _of("US"),
        "zipcode": _of("43215", None),
        "is_recurring": _of(False, True, None),
        "is_all_day": _of(True, False),
        "custom_fields": _of({}, None),
        "extra_fields": _of({}, {"crew": "B"}),
        "notifications": _of({}, {"sms": False}),
    },
}
