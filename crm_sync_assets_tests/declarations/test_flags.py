"""Flags that only one CRM has: declared as data, taken everywhere the universal ones are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import flags_of
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags
from crm_sync_assets.errors import UsageError
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS

COMPANY = Flag("company_id", "Only this company's.", filters=True, entities=("people",))
PAGES = Flag("concurrent_pages", "Pages asked for at once.", int, 4)
EXTRA = Flag("high_performance", "Ask for more at once.", bool)
OWN = replace(CRM, flags=(COMPANY, PAGES, EXTRA))


def test_a_crm_without_its_own_has_the_universal_flags() -> None:
    assert flags_of(CRM) is Flags
    assert Flags().own_options() == {}
    assert not Flags(full=True).filtered


def test_its_own_flags_join_the_universal_ones() -> None:
    kind = flags_of(OWN)
    assert kind is flags_of(OWN)
    assert [*kind.model_fields] == [*Flags.model_fields, *(flag.name for flag in OWN.flags)]
    assert kind().own_options() == {
        "company_id": None,
        "concurrent_pages": 4,
        "high_performance": False,
    }
    given = kind.model_validate({"company_id": "COM1", "full": True}).given()
    assert (given["company_id"], given["full"]) == ("COM1", True)
    assert kind.model_fields["concurrent_pages"].description == "Pages asked for at once."
    with pytest.raises(ValueError, match="concurrent_pages"):
        kind.model_validate({"concurrent_pages": "several"})


@pytest.mark.parametrize(
    ("values", "filtered"),
    [
        ({}, False),
        ({"concurrent_pages": 9, "high_performance": True}, False),
        ({"company_id": "COM1"}, True),
        ({"company_id": ""}, True),
    ],
)
def test_only_a_filter_that_was_given_filters(values: dict[str, Any], filtered: bool) -> None:
    assert flags_of(OWN).model_validate(values).filtered is filtered


def test_a_flag_is_refused_by_an_entity_that_does_not_take_it() -> None:
    flags = flags_of(OWN).model_validate({"company_id": "COM1", "concurrent_pages": 9})
    flags.check_for(PEOPLE)
    with pytest.raises(
        UsageError, match=r"test\.things takes no company_id: it is a flag of people"
    ):
        flags.check_for(THINGS)
    flags_of(OWN)().check_for(THINGS)


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        *((Flag(name, "x"), "the name is taken") for name in [*Flags.model_fields, *OLD_NAMES]),
        *((Flag(name, "x"), "the name is taken") for name in ("check", "copy", "strategy", "lock")),
        *((Flag(name, "x"), "identifier") for name in ("company-id", "Company", "")),
        (Flag("fast", "x", bool, True), "off by default"),
        (Flag("pages", "x", int, "4"), "no int"),
        (Flag("status", "x", filters=True, default="open"), "no default"),
        (Flag("skip_it", "x", bool, skips=True, entities=("it",)), "what skips"),
        (Flag("skip_it", "x", bool, filters=True, skips=True), "what skips"),
    ],
    ids=str,
)
def test_a_flag_that_cannot_work_names_its_crm(flag: Flag, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^test: the flag {flag.name}: .*{problem}"):
        replace(CRM, flags=(flag,))


def test_a_flag_is_declared_once() -> None:
    with pytest.raises(ValueError, match="test: the flag company_id: it is declared twice"):
        replace(CRM, flags=(COMPANY, COMPANY))


def test_a_flag_of_an_entity_that_nobody_declared_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hubspot = replace(registry.crm("hubspot"), flags=(replace(COMPANY, entities=("contcts",)),))
    monkeypatch.setattr(registry, "crm", lambda _: hubspot)
    with pytest.raises(ValueError, match=r"flag 'company_id' of hubspot names .*contcts"):
        registry._entities.__wrapped__("hubspot", registry._Named())
