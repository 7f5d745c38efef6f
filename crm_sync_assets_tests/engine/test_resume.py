"""When a checkpoint is followed, and when it is dropped with a word in the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.columns import text
from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import Strategy
from crm_sync_assets.engine import resume
from crm_sync_assets.settings import SyncSettings
from crm_sync_assets.warehouse.counts import Counts
from crm_sync_assets.warehouse.history import Checkpoint, Past
from crm_sync_assets_tests.scripted import PEOPLE, START

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DELTA = Strategy("incremental", since=START, moves_watermark=True)


class OwnFlags(Flags):
    colour: str = "red"


def terms(strategy: Strategy = DELTA, settings: SyncSettings | None = None, **flags: Any) -> str:
    return resume.terms(PEOPLE, strategy, OwnFlags(**flags), settings or SyncSettings())


def follow(made_with: str, now: datetime = NOW, **past: Any) -> Checkpoint | None:
    checkpoint = Checkpoint({"next": 1}, made_with, 1, START, Counts())
    known = Past(**{"interrupted_id": 1, "interrupted_at": NOW, "checkpoint": checkpoint, **past})
    return resume.checkpoint_to_follow(PEOPLE, known, terms(), SyncSettings(), now=now)


def test_a_checkpoint_of_the_same_terms_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert follow(terms()) is not None
    assert "resuming sync 1" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(terms(Strategy("full", moves_watermark=True)), id="strategy"),
        pytest.param(terms(replace(DELTA, since=START + timedelta(seconds=1))), id="since"),
        pytest.param(terms(replace(DELTA, until=START)), id="until"),
        pytest.param(terms(replace(DELTA, overwrite=True)), id="overwrite"),
        pytest.param(terms(replace(DELTA, replaces=True)), id="replaces"),
        pytest.param(terms(skip_validation=True), id="skip_validation"),
        pytest.param(terms(settings=SyncSettings(mode="strict")), id="mode"),
        pytest.param(terms(colour="blue"), id="a flag of the CRM's own"),
        pytest.param(
            resume.terms(
                replace(PEOPLE, columns=(*PEOPLE.columns, text("more"))),
                DELTA,
                OwnFlags(),
                SyncSettings(),
            ),
            id="declaration",
        ),
    ],
)
def test_a_checkpoint_of_other_terms_is_dropped_and_the_log_says_so(
    other: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert follow(other) is None
    assert "is dropped: it was made with other flags or another declaration" in caplog.text


@pytest.mark.parametrize("flags", [{"batch_size": 7}, {"debug": True}], ids=str)
def test_flags_that_change_no_row_do_not_matter(flags: dict[str, Any]) -> None:
    assert follow(terms(**flags)) is not None


def test_a_checkpoint_is_too_old_after_the_hours_of_the_setting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert follow(terms(), now=NOW + timedelta(hours=72)) is not None
    assert follow(terms(), now=NOW + timedelta(hours=72, seconds=1)) is None
    assert "is dropped: it is 72 hours old; reading from the beginning" in caplog.text


def test_a_sync_that_was_not_interrupted_leaves_nothing_to_follow() -> None:
    assert follow(terms(), checkpoint=None) is None
    assert follow(terms(), interrupted_at=None) is None
