"""Addresses of other countries: stored as they came, on both paths of a record, without a word."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.rows.processor import Processor

CONTACTS = registry.entity("hubspot.contacts")


def made(processor: Processor, odd: bool = False, **properties: Any) -> dict[str, Any]:
    """The row of a contact; an odd one has a date that cannot be read, so all of it is looked at
    value by value."""
    given = {"createdate": "soon"} if odd else {}
    batch = processor.process([{"id": "1", "properties": {**given, **properties}}])
    assert batch.failures == []
    names = [*(column.name for column in CONTACTS.columns), "issues"]
    return dict(zip(names, batch.rows[0], strict=True))


ADDRESSES = [
    ("SW1A 1AA", "Greater London", "United Kingdom"),
    ("K1A 0B1", "Ontario", None),
    ("10115", "Berlin", "Germany"),
    ("1010", "Wien", "AT"),
    ("80331", "Bayern", None),
]


# In strict mode an odd record is set aside.
@pytest.mark.parametrize(
    ("strict", "odd"), [(False, False), (False, True), (True, False)], ids=["fast", "odd", "strict"]
)
@pytest.mark.parametrize(("code", "state", "country"), ADDRESSES)
def test_an_address_of_anywhere_is_kept_without_a_word(
    caplog: pytest.LogCaptureFixture,
    code: str,
    state: str,
    country: str | None,
    *,
    strict: bool,
    odd: bool,
) -> None:
    rows = Processor(CONTACTS, strict=strict)
    with caplog.at_level(logging.WARNING):
        row = made(rows, odd, email="a@example.com", firstname="A", zip=code, state=state,
                   lead_zip=code, country=country)  # fmt: skip
    assert (row["zip"], row["state"], row["lead_zip"]) == (code, state, code)
    assert [issue["field"] for issue in row["issues"] or []] == (["createdate"] if odd else [])
    assert not any(code in line or state in line for line in caplog.messages)


@pytest.mark.parametrize("odd", [False, True], ids=["fast", "careful"])
def test_what_is_wrong_here_is_still_noted(*, odd: bool) -> None:
    row = made(Processor(CONTACTS), odd, email="a@example.com", firstname="A", zip="1234",
               state="Marylnd", country="US")  # fmt: skip
    noted = [issue["field"] for issue in row["issues"] or []]
    assert sorted(set(noted) - {"createdate"}) == ["state", "zip"]


def test_in_strict_mode_only_what_is_wrong_is_set_aside() -> None:
    strict = Processor(CONTACTS, strict=True)
    records = [
        {"id": "1", "properties": {"email": "a@example.com", "firstname": "A", "zip": "1234"}},
        {"id": "2", "properties": {"email": "a@example.com", "firstname": "A", "zip": "1234",
                                   "country": "Norge"}},
    ]  # fmt: skip
    batch = strict.process(records)
    assert [failure.record_id for failure in batch.failures] == ["1"]
    assert len(batch.rows) == 1
