"""Dagster's config: the flags once for all entities, what one of them has instead, old names."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from crm_sync_assets.declarations.crm import Crm, flags_of
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.config import block, flags_given, own_config
from crm_sync_assets_tests.scripted import CRM, PEOPLE, THINGS

BLOCK = Flags().given()
COMPANY = Flag("company_id", "Only this company's.", filters=True, entities=("people",))
WITH_OWN = replace(CRM, flags=(COMPANY, Flag("concurrent_pages", "Pages at once.", int, 4)))


def given(
    crm: Crm = CRM, entity: Entity = PEOPLE, *, for_all: dict[str, Any] | None = None, **values: Any
) -> Flags:
    """What an entity is synced with, by a launchpad that says this."""
    return flags_given(crm, entity, {**BLOCK, **(for_all or {})}, values)


def test_the_flags_arrive_as_they_were_given() -> None:
    assert given(full=True, batch_size=7) == Flags(full=True, batch_size=7)
    assert given() == Flags()


def test_what_is_given_for_all_is_for_each_that_says_nothing_else() -> None:
    for_all = {"full": True, "batch_size": 7}
    assert given(for_all=for_all) == Flags(full=True, batch_size=7)
    assert given(for_all=for_all, full=False) == Flags(batch_size=7)
    assert given(for_all=for_all, batch_size=100) == Flags(full=True)
    assert given(for_all={"test": True}) == Flags(dry_run=True)
    assert given(for_all={"test": True}, dry_run=False) == Flags()


def test_what_an_entity_does_not_take_is_not_meant_for_it() -> None:
    for_all = {"start_date": "2026-01-31", "company_id": "C1"}
    assert given(WITH_OWN, PEOPLE, for_all=for_all).filtered
    things = given(WITH_OWN, THINGS, for_all=for_all)
    assert (things.start_date, things.filtered) == (None, False)
    things.check_for(THINGS)
    asked = given(WITH_OWN, THINGS, company_id="C1")
    with pytest.raises(UsageError, match="takes no company_id"):
        asked.check_for(THINGS)


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
@pytest.mark.parametrize("where", ["the block", "the entity's own"])
def test_an_old_name_is_accepted_with_a_warning_that_names_the_new_one(
    old: str, new: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    value: Any = "2026-01-31" if old == "since" else True
    with caplog.at_level(logging.WARNING):
        flags = given(**({"for_all": {old: value}} if where == "the block" else {old: value}))
    assert flags == Flags(**{new: value})
    assert f"{old} is now called {new}" in caplog.text


def test_an_old_name_may_repeat_its_new_one_but_not_contradict_it() -> None:
    assert given(since="2026-01-31", start_date="2026-01-31").start_date == "2026-01-31"
    with pytest.raises(UsageError, match="give only start_date"):
        given(since="2026-01-31", start_date="2026-02-01")


def test_a_crm_with_more_flags_gets_them() -> None:
    flags = given(WITH_OWN, company_id="C1", test=True)
    assert flags == flags_of(WITH_OWN).model_validate({"company_id": "C1", "dry_run": True})
    assert flags.own_options() == {"company_id": "C1", "concurrent_pages": 4}


def test_the_launchpad_shows_the_block_with_its_defaults_and_no_old_name() -> None:
    shape = block(WITH_OWN).config_schema.as_field()
    assert shape.default_value == {**BLOCK, "company_id": None, "concurrent_pages": 4}
    fields = shape.config_type.fields  # type: ignore[union-attr]
    assert OLD_NAMES.keys() <= fields.keys()
    own = dg.Field(dg.Shape(own_config(WITH_OWN)))
    assert own.default_value == {}
    assert own.config_type.fields.keys() == fields.keys()
    assert all(field.description for field in [*fields.values(), *own.config_type.fields.values()])
