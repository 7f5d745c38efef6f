"""Dagster's config: the flags under their present names, and under the old ones."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from crm_sync_assets.declarations.crm import flags_of
from crm_sync_assets.declarations.flags import OLD_NAMES, Flag, Flags
from crm_sync_assets.errors import UsageError
from crm_sync_assets.orchestration.config import SyncConfig, config_of
from crm_sync_assets_tests.scripted import CRM


def given(kind: type[SyncConfig] = SyncConfig, **values: Any) -> SyncConfig:
    """The config of a launchpad that says this."""
    return kind(**values)


def test_the_flags_arrive_as_they_were_given() -> None:
    assert given(full=True, batch_size=7).flags() == Flags(full=True, batch_size=7)
    assert given().flags() == Flags()


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_an_old_name_is_accepted_with_a_warning_that_names_the_new_one(
    old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    value: Any = "2026-01-31" if old == "since" else True
    with caplog.at_level(logging.WARNING):
        flags = given(**{old: value}).flags()
    assert flags == Flags(**{new: value})
    assert f"{old} is now called {new}" in caplog.text


def test_an_old_name_may_repeat_its_new_one_but_not_contradict_it() -> None:
    both = given(since="2026-01-31", start_date="2026-01-31")
    assert both.flags().start_date == "2026-01-31"
    with pytest.raises(UsageError, match="give only start_date"):
        given(since="2026-01-31", start_date="2026-02-01").flags()


def test_a_crm_with_more_flags_gets_them() -> None:
    status = Flag("booking_status", "Only bookings of this status.", filters=True)
    crm = replace(CRM, flags=(status, Flag("concurrent_pages", "Pages at once.", int, 4)))
    flags = given(config_of(crm), booking_status="booked", test=True).flags(flags_of(crm))
    assert flags == flags_of(crm).model_validate({"booking_status": "booked", "dry_run": True})
    assert flags.own_options() == {"booking_status": "booked", "concurrent_pages": 4}
    assert config_of(CRM) is SyncConfig


@pytest.mark.parametrize("field", Flags.model_fields)
def test_every_flag_explains_itself_in_the_launchpad(field: str) -> None:
    assert SyncConfig.model_fields[field].description
