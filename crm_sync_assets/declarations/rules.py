"""Business rules: what looks wrong about a row although every value in it is fine.

A rule takes a row by column name and yields (field, message) pairs; columns the entity does not
have count as empty. What it finds is noted on the row and never keeps it out. An entity names its
rules, so each is a plain function with a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Objection = tuple[str, str]

EMAILS = ("email", "email_address")
PHONES = (
    "phone", "phone1", "phone2", "phone3", "mobilephone", "mobile_phone", "home_phone",
    "work_phone", "cell_phone", "lead_phone1", "lead_phone2", "lead_phone3", "prospect_phone1",
)  # fmt: skip
NAMES = ("firstname", "lastname", "first_name", "last_name", "name", "full_name")


def contact_completeness(row: Mapping[str, Any]) -> Iterator[Objection]:
    """A contact can be reached, and has a name to be addressed by."""
    if not has_any(row, EMAILS) and not has_any(row, PHONES):
        yield "email", "the contact has neither an e-mail address nor a phone number"
    if not has_any(row, NAMES):
        yield _first_of(row, NAMES), "the contact has neither a first nor a last name"


def deal_dates(row: Mapping[str, Any]) -> Iterator[Objection]:
    """A deal closes after it was created, for an amount that is not below zero."""
    yield from in_order(row, "createdate", "closedate")
    yield from not_below_zero(row, "amount")


def appointment_times(row: Mapping[str, Any]) -> Iterator[Objection]:
    """An appointment ends after it starts."""
    yield from in_order(row, "hs_appointment_start", "hs_appointment_end")


def has_any(row: Mapping[str, Any], fields: Iterable[str]) -> bool:
    """Whether one of the fields holds something."""
    return any(row.get(field) is not None for field in fields)


def in_order(row: Mapping[str, Any], earlier: str, later: str) -> Iterator[Objection]:
    """Two dates, or two moments, of which the second must not be before the first."""
    first, second = row.get(earlier), row.get(later)
    if not isinstance(first, date) or not isinstance(second, date):
        return
    if isinstance(first, datetime) is not isinstance(second, datetime):
        # A day and a moment: the moment counts by its day.
        first, second = _day(first), _day(second)
    if second < first:
        yield later, f"{later} is before {earlier}"


def not_below_zero(row: Mapping[str, Any], field: str) -> Iterator[Objection]:
    """A number that must not be negative."""
    value = row.get(field)
    if isinstance(value, int | float | Decimal) and value < 0:
        yield field, f"{field} is negative"


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _first_of(row: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return next((field for field in fields if field in row), fields[0])
