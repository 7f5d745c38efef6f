"""Flags and watermark to strategy: a pure decision, so every case is a line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync_assets.declarations.flags import Flags
from crm_sync_assets.declarations.strategy import choose, midnight_utc
from crm_sync_assets.errors import UsageError

MARK = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
BEFORE, AFTER = "2026-02-01", "2026-04-01"


@pytest.mark.parametrize(
    ("flags", "watermark", "name", "since", "moves"),
    [
        pytest.param({}, None, "initial_full", None, True, id="first sync"),
        pytest.param({}, MARK, "incremental", MARK, True, id="delta"),
        pytest.param({"full": True}, MARK, "full", None, True, id="full"),
        pytest.param({"full": True}, None, "full", None, True, id="full as the first"),
        pytest.param({"force": True}, MARK, "full", None, True, id="force alone reads everything"),
        pytest.param(
            {"start_date": BEFORE}, MARK, "manual", BEFORE, True, id="from before the watermark"
        ),
        pytest.param(
            {"start_date": AFTER}, MARK, "manual", AFTER, False, id="from after it leaves a gap"
        ),
        pytest.param(
            {"start_date": BEFORE}, None, "manual", BEFORE, False, id="a first sync from a date"
        ),
        pytest.param(
            {"start_date": BEFORE, "force": True},
            MARK,
            "manual",
            BEFORE,
            True,
            id="start_date beats force",
        ),
        pytest.param(
            {"start_date": BEFORE, "full": True},
            MARK,
            "manual",
            BEFORE,
            True,
            id="start_date beats full",
        ),
        pytest.param(
            {"start_date": BEFORE, "end_date": AFTER}, MARK, "manual", BEFORE, False, id="a window"
        ),
        pytest.param({"end_date": AFTER}, MARK, "manual", None, False, id="closed at the top"),
        pytest.param(
            {"start_date": "2026-03-01"},
            datetime(2026, 3, 1, tzinfo=UTC),
            "manual",
            "2026-03-01",
            True,
            id="from the watermark itself",
        ),
        pytest.param({"dry_run": True}, MARK, "incremental", MARK, False, id="dry run"),
        pytest.param({"max_records": 5}, None, "initial_full", None, False, id="limited"),
        pytest.param(
            {"full": True, "max_records": 5}, MARK, "full", None, False, id="limited full"
        ),
    ],
)
def test_strategy_follows_from_flags_and_watermark(
    flags: dict[str, object],
    watermark: datetime | None,
    name: str,
    since: str | datetime | None,
    moves: bool,
) -> None:
    strategy = choose(Flags(**flags), watermark=watermark)  # type: ignore[arg-type]
    expected = midnight_utc(since) if isinstance(since, str) else since
    assert (strategy.name, strategy.since, strategy.moves_watermark) == (name, expected, moves)


@pytest.mark.parametrize("trial", [{}, {"dry_run": True}, {"max_records": 5}], ids=str)
@pytest.mark.parametrize(
    ("flags", "watermark", "closes"),
    [
        ({}, None, True),
        ({}, MARK, True),
        ({"full": True}, MARK, True),
        ({"start_date": BEFORE}, MARK, True),
        ({"start_date": AFTER}, MARK, False),
        ({"start_date": BEFORE}, None, False),
        ({"start_date": BEFORE, "end_date": AFTER}, MARK, False),
    ],
)
def test_a_trial_reads_what_the_sync_it_foretells_would(
    flags: dict[str, object],
    watermark: datetime | None,
    closes: bool,
    trial: dict[str, object],
) -> None:
    strategy = choose(Flags(**flags, **trial), watermark=watermark)  # type: ignore[arg-type]
    assert strategy.closes_gap == closes
    assert strategy.moves_watermark == (closes and not trial)


def test_only_full_with_force_replaces_the_table() -> None:
    assert choose(Flags(full=True, force=True), watermark=MARK).replaces
    assert not choose(Flags(full=True), watermark=MARK).replaces
    assert not choose(Flags(force=True), watermark=MARK).replaces
    assert choose(Flags(force=True), watermark=MARK).overwrite


@pytest.mark.parametrize("flags", [{}, {"full": True}, {"start_date": BEFORE}])
def test_only_force_lets_an_older_version_replace_a_newer_one(flags: dict[str, object]) -> None:
    assert not choose(Flags(**flags), watermark=MARK).overwrite  # type: ignore[arg-type]
    if "full" not in flags:
        forced = choose(Flags(**flags, force=True), watermark=MARK)  # type: ignore[arg-type]
        assert forced.overwrite


@pytest.mark.parametrize(
    ("flags", "watermark", "everything"),
    [
        ({}, None, True),
        ({"full": True}, MARK, True),
        ({}, MARK, False),
        ({"start_date": BEFORE}, MARK, False),
        ({"end_date": AFTER}, MARK, False),
        ({"start_date": BEFORE, "end_date": AFTER}, MARK, False),
    ],
)
def test_only_a_read_open_at_both_ends_proves_what_is_absent(
    flags: dict[str, object], watermark: datetime | None, everything: bool
) -> None:
    strategy = choose(Flags(**flags), watermark=watermark)  # type: ignore[arg-type]
    assert strategy.reads_everything == everything


@pytest.mark.parametrize(
    ("flags", "since", "moves"),
    [
        pytest.param({}, MARK - timedelta(days=30), True, id="a delta looks back"),
        pytest.param({"start_date": AFTER}, AFTER, False, id="a window is what was asked for"),
        pytest.param({"start_date": BEFORE}, BEFORE, False, id="also one from the watermark on"),
        pytest.param({"full": True}, None, True, id="a full read has nothing before it"),
    ],
)
def test_an_overlap_is_read_again_by_deltas_alone(
    flags: dict[str, object], since: str | datetime | None, moves: bool
) -> None:
    strategy = choose(Flags(**flags), watermark=MARK, overlap=timedelta(days=30))  # type: ignore[arg-type]
    expected = midnight_utc(since) if isinstance(since, str) else since
    assert (strategy.since, strategy.moves_watermark) == (expected, moves)
    assert choose(Flags(), watermark=None, overlap=timedelta(days=30)).name == "initial_full"


@pytest.mark.parametrize(("days", "moves"), [(29, False), (31, True)])
def test_a_window_moves_the_watermark_if_it_reads_again_what_a_delta_would(
    days: int, moves: bool
) -> None:
    """Else what changed there would be behind the overlap of the next delta, and read by none."""
    flags = Flags(start_date=f"{MARK - timedelta(days=days):%Y-%m-%d}")
    strategy = choose(flags, watermark=MARK, overlap=timedelta(days=30))
    assert strategy.moves_watermark == moves
    assert choose(flags, watermark=MARK).moves_watermark


@pytest.mark.parametrize(
    ("flags", "overlap_days", "feed_from", "name", "moves"),
    [
        pytest.param({}, 0, MARK, "incremental", True, id="the feed reaches the watermark"),
        pytest.param({}, 0, LATER, "full", True, id="the feed begins after it"),
        pytest.param({}, 30, MARK, "full", True, id="the overlap begins before the feed"),
        pytest.param({"dry_run": True}, 0, LATER, "full", False, id="dry"),
        pytest.param({"start_date": BEFORE}, 0, MARK, "manual", True, id="a window"),
        pytest.param(
            {"start_date": BEFORE}, 0, LATER, "manual", False, id="a window over untold deletions"
        ),
        pytest.param({"end_date": AFTER}, 0, LATER, "manual", False, id="a closed window"),
    ],
)
def test_a_delta_from_before_the_feed_reads_everything(
    flags: dict[str, object], overlap_days: int, feed_from: datetime, name: str, moves: bool
) -> None:
    overlap = timedelta(days=overlap_days)
    strategy = choose(Flags(**flags), watermark=MARK, overlap=overlap, feed_from=feed_from)  # type: ignore[arg-type]
    assert (strategy.name, strategy.moves_watermark) == (name, moves)
    assert (strategy.because is not None) == (name == "full")
    if name == "full":
        assert strategy.reads_everything
    assert choose(Flags(), watermark=None, feed_from=feed_from).because is None


@pytest.mark.parametrize(
    ("flags", "overlap_days", "kept_from", "name", "is_lost", "moves"),
    [
        pytest.param({}, 0, MARK, "incremental", False, True, id="all since then is there"),
        pytest.param({}, 0, LATER, "full", True, False, id="some of it has expired"),
        pytest.param({}, 30, MARK, "full", True, False, id="some of the overlap has"),
        pytest.param({"full": True}, 0, LATER, "full", True, False, id="whoever asks for it"),
        pytest.param({"full": True}, 0, MARK, "full", False, True, id="nothing has"),
        pytest.param({"force": True}, 0, LATER, "full", False, True, id="without it then"),
        pytest.param({"dry_run": True}, 0, LATER, "full", False, False, id="dry"),
        pytest.param({"start_date": BEFORE}, 0, LATER, "manual", False, False, id="a window"),
        pytest.param({"start_date": BEFORE}, 0, MARK, "manual", False, True, id="a window, told"),
    ],
)
def test_what_expired_before_it_was_read_keeps_a_read_from_being_complete(
    flags: dict[str, object],
    overlap_days: int,
    kept_from: datetime,
    name: str,
    is_lost: bool,
    moves: bool,
) -> None:
    overlap = timedelta(days=overlap_days)
    strategy = choose(Flags(**flags), watermark=MARK, overlap=overlap, kept_from=kept_from)  # type: ignore[arg-type]
    assert (strategy.name, strategy.moves_watermark) == (name, moves)
    assert (strategy.lost is not None) == is_lost
    assert strategy.closes_gap == moves
    first = choose(Flags(**flags), watermark=None, kept_from=kept_from)  # type: ignore[arg-type]
    assert first.lost is None


def test_a_source_that_cannot_say_what_changed_is_read_whole() -> None:
    strategy = choose(Flags(), watermark=MARK, tracks_changes=False)
    assert (strategy.name, strategy.since, strategy.moves_watermark) == ("full", None, True)
    for flags in (Flags(start_date=BEFORE), Flags(end_date=AFTER)):
        with pytest.raises(UsageError, match="cannot say what changed"):
            choose(flags, watermark=None, tracks_changes=False)


@pytest.mark.parametrize(
    "day",
    ["2025-13-01", "2025-02-30", "01/02/2025", "20250101", "2025-W01-1", "yesterday", "", " "],
)
def test_a_bad_date_is_refused_with_the_form_it_should_have(day: str) -> None:
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        midnight_utc(day)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 10_001}, "from 1 to 10000"),
        ({"max_records": -1}, "max_records is -1"),
        ({"full": True, "start_date": BEFORE}, "leave out one"),
        ({"full": True, "end_date": AFTER}, "leave out one"),
        ({"start_date": AFTER, "end_date": BEFORE}, "not before"),
        ({"start_date": BEFORE, "end_date": BEFORE}, "not before"),
        ({"start_date": "31.12.2025"}, "not a date"),
        ({"end_date": "2025-2-1"}, "not a date"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(flags: dict[str, object], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Flags(**flags).check()  # type: ignore[arg-type]


def test_a_start_in_the_future_is_refused_and_today_is_not() -> None:
    """Which day it is, is UTC's to say, whatever the clock on the wall shows."""
    tonight = datetime.fromisoformat("2026-03-31T20:00:00-08:00")
    Flags(start_date="2026-04-01").check(now=tonight)
    Flags(end_date="2099-01-01").check(now=tonight)
    for more in ({}, {"end_date": "2099-01-01"}, {"force": True}, {"dry_run": True}):
        with pytest.raises(UsageError, match=r"start_date 2026-04-02 is in the future.*2026-04-01"):
            Flags(start_date="2026-04-02", **more).check(now=tonight)


moments = st.none() | st.datetimes(timezones=st.just(UTC))
days = st.none() | st.dates().map(str)


@given(moments, st.booleans(), st.booleans(), st.booleans(), st.integers(0, 3), days, days)
def test_whatever_moves_the_watermark_has_read_everything_since_the_old_one(
    watermark: datetime | None,
    full: bool,
    force: bool,
    dry_run: bool,
    max_records: int,
    start_date: str | None,
    end_date: str | None,
) -> None:
    flags = Flags(
        full=full,
        force=force,
        dry_run=dry_run,
        max_records=max_records,
        start_date=start_date,
        end_date=end_date,
    )
    strategy = choose(flags, watermark=watermark)
    if strategy.moves_watermark:
        assert not dry_run
        assert not max_records
        assert strategy.until is None
        assert strategy.since is None or (watermark is not None and strategy.since <= watermark)
