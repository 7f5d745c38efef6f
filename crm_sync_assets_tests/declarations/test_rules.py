"""Business rules look at a row by column name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crm_sync_assets.declarations import rules


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"email": "a@b.com", "firstname": "Ana"}, []),
        ({"phone": "4105550147", "lastname": "Reyes"}, []),
        ({"lead_phone2": "4105550147", "last_name": "Reyes"}, []),
        ({"email": None, "phone": None, "firstname": "Ana"}, ["email"]),
        ({"email": "a@b.com", "firstname": None, "lastname": None}, ["firstname"]),
        ({"email": "a@b.com", "first_name": None}, ["first_name"]),
        ({"email": None, "firstname": None}, ["email", "firstname"]),
    ],
)
def test_a_contact_can_be_reached_and_has_a_name(row: dict[str, Any], fields: list[str]) -> None:
    found = list(rules.contact_completeness(row))
    assert [field for field, _ in found] == fields
    assert all(message.startswith("the contact has neither") for _, message in found)


EARLY, LATE = datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"createdate": EARLY, "closedate": LATE, "amount": Decimal(0)}, []),
        ({"createdate": LATE, "closedate": LATE}, []),
        (
            {"createdate": LATE, "closedate": EARLY},
            [("closedate", "closedate is before createdate")],
        ),
        ({"createdate": LATE, "closedate": None}, []),
        ({"createdate": LATE, "closedate": date(2026, 1, 1)}, []),
        (
            {"createdate": LATE, "closedate": date(2025, 12, 31)},
            [("closedate", "closedate is before createdate")],
        ),
        ({"amount": Decimal("-1")}, [("amount", "amount is negative")]),
        ({}, []),
    ],
)
def test_a_deal_closes_after_it_was_created(
    row: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert list(rules.deal_dates(row)) == found


def test_an_appointment_ends_after_it_starts() -> None:
    row = {"hs_appointment_start": LATE, "hs_appointment_end": EARLY}
    assert [field for field, _ in rules.appointment_times(row)] == ["hs_appointment_end"]
    assert not list(rules.appointment_times({"hs_appointment_start": EARLY}))
