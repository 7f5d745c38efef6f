"""What a form says that a salesperson fills in after a visit: titles and values, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm_sync_assets.crms.salespro.titles import (
    AMOUNTS,
    ANSWERS,
    MOST_ITEMS,
    NOTES,
    TEXTS,
    titles_of_item,
)
from crm_sync_assets.declarations import parsing
from crm_sync_assets.declarations.entity import Key, Record

NOTHING: Final = ("", "null", "none", "n/a", "-")
YES: Final = ("yes", "y", "true", "1", "on")
NO: Final = ("no", "n", "false", "0", "off")
_TAG: Final = re.compile(r"\[[A-Z]+\]")
Answers = Mapping[str, str]
"""Values by their titles."""


def answers_in(text: str | None) -> Answers | None:
    """The values that a form has, by title; None where it is not what such a form is.

    Of a title that comes twice the first value counts that is one.
    """
    if text is None or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if found is None:
        return {}
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    answers: dict[str, str] = {}
    for one in found:
        title, value = one.get("title"), said(one.get("value"))
        if isinstance(title, str) and value is not None:
            answers.setdefault(title, value)
    return answers


def said(value: Any) -> str | None:
    """A value as text without blanks around it; None for what says nothing."""
    found = (parsing.text(value) or "").strip()
    return None if found.lower() in NOTHING else found


def words(value: str | None) -> str | None:
    """A text without a dash before it: such is a point of a list."""
    return said(value.removeprefix("-")) if value is not None else None


def amount(value: str | None) -> Decimal | None:
    """The number that is left of digits, points and minus signs, or that stands in parentheses.

    None where nothing is left that is one.
    """
    kept = re.sub(r"[^0-9.\-]", "", value or "")
    if kept.count(".") > 1 or not any(digit.isdigit() for digit in kept):
        return None
    try:
        return Decimal(kept)
    except InvalidOperation:
        return None


def answer(value: str | None) -> bool | None:
    """Yes or no; None for what is neither."""
    word = (value or "").lower()
    return True if word in YES else False if word in NO else None


def flat(row: Record) -> Record:
    """A row of the table with the values of its form by column, and the form as it came."""
    raw = row["lead_results"]
    answers = answers_in(raw) or {}
    result: Record = {name: row[name] for name in ("estimate_id", "company_id")}
    result |= {name: row[name] for name in ("created_at", "updated_at")}
    result["lead_results_raw"] = raw
    for titles in (TEXTS, NOTES):
        result |= {name: words(_first(answers, titles[name])) for name in titles}
    result |= {name: answer(_first(answers, ANSWERS[name])) for name in ANSWERS}
    result |= {name: amount(_first(answers, AMOUNTS[name])) for name in AMOUNTS}
    tag = _TAG.match(result["appointment_result"] or "")
    result["status_bucket"] = tag[0] if tag else None
    return result


def items(row: Record) -> Sequence[Record] | None:
    """The jobs that a form lists, or the only one that it is about; None where it is no form."""
    answers = answers_in(row["lead_results"])
    if answers is None:
        return None
    found = []
    for number in range(1, MOST_ITEMS + 1):
        kind, cost = (answers.get(title) for title in titles_of_item(number))
        if kind is not None and cost is not None:
            found.append(_item(row, number, kind, cost))
    if not found:
        kind = answers.get("Job Type")
        cost = answers.get("Job Size") or answers.get("Customer's Final Price Commitment")
        if kind is not None and cost is not None:
            found.append(_item(row, 1, kind, cost))
    return found


def keys_of_items(row: Record) -> Sequence[Key]:
    """The keys of all jobs that a form has room for."""
    return [(str(row["estimate_id"]), str(number)) for number in range(1, MOST_ITEMS + 1)]


def unreadable(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Says so where a form is no list of titles and values: nothing of it is in a column."""
    raw = row["lead_results_raw"]
    if raw is not None and not (isinstance(raw, list) and all(isinstance(o, dict) for o in raw)):
        yield "lead_results_raw", "is no list of titles and values"


def _item(row: Record, number: int, kind: str, cost: str) -> Record:
    return {
        "estimate_id": row["estimate_id"],
        "job_type_number": number,
        "job_type": words(kind),
        "job_type_amount": amount(cost),
        "updated_at": row["updated_at"],
    }


def _first(answers: Answers, titles: Sequence[str]) -> str | None:
    return next((answers[title] for title in titles if title in answers), None)
