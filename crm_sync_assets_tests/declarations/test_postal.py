"""Postal codes and states: what other countries have is not odd, what a typist has done is."""

from __future__ import annotations

import pytest

from crm_sync_assets.declarations import postal, registry
from crm_sync_assets.declarations.postal import country_of

US, HERE, ELSEWHERE, UNSAID = "USA", "Canada", "Deutschland", None

CODES = [
    # what, country, whether it is odd
    ("SW1A 1AA", UNSAID, False),
    ("K1A 0B1", UNSAID, False),
    ("10115", UNSAID, False),
    ("1012 AB", UNSAID, False),
    ("D02 X285", UNSAID, False),
    ("LV-1010", UNSAID, False),
    ("00-950", UNSAID, False),
    ("100-0001", UNSAID, False),
    ("01310-100", UNSAID, False),
    ("111 22", UNSAID, False),
    ("1234", UNSAID, True),
    ("2123", UNSAID, True),
    ("21230-12", UNSAID, True),
    ("212301", UNSAID, True),
    ("n/a", UNSAID, True),
    ("abcde", UNSAID, True),
    ("２１２３０", UNSAID, True),
    ("1234", "Österreich", False),
    ("560001", "India", False),
    ("SW1A 1AA", "United Kingdom", False),
    ("abcde", ELSEWHERE, True),
    ("1234 5678 9012 3456", ELSEWHERE, True),
    ("1234", US, True),
    ("1234", "u.s.", True),
    ("SW1A 1AA", "United States", True),
    ("1234", HERE, True),
]

STATES = [
    ("Bayern", UNSAID, False),
    ("Greater London", UNSAID, False),
    ("NSW", UNSAID, False),
    ("XX", UNSAID, False),
    ("北海道", UNSAID, False),
    ("Marylnd", UNSAID, True),
    ("Ontaro", UNSAID, True),
    ("24", UNSAID, True),
    ("Bayern", ELSEWHERE, False),
    ("Marylnd", ELSEWHERE, False),
    ("24", "India", False),
    ("Bayern", US, True),
    ("XX", "us", True),
]


@pytest.mark.parametrize(("value", "country", "odd"), CODES)
def test_a_postal_code_is_judged_beside_its_country(
    value: str, country: str | None, *, odd: bool
) -> None:
    assert (postal.zip_code(value, country) is not None) == odd


@pytest.mark.parametrize(("value", "country", "odd"), STATES)
def test_a_state_is_judged_beside_its_country(
    value: str, country: str | None, *, odd: bool
) -> None:
    assert (postal.state(value, country) is not None) == odd


def test_the_country_is_that_of_the_same_address() -> None:
    found = {
        f"{entity}.{column.name}": country.name if country else None
        for entity in registry.all_entities().values()
        for column in entity.columns
        if column.validate in postal.JUDGES
        for country in [country_of(column, entity.columns)]
    }
    assert found["hubspot.contacts.state"] == "country"
    assert found["hubspot.contacts.lead_zip"] == "country"
    assert found["arrivy.tasks.customer_zipcode"] == "customer_country"
    assert found["arrivy.tasks.state"] == "country"
    assert found["genius.prospects.zip"] is None
