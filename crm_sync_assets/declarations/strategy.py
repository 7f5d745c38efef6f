"""Flags and watermark become a decision: what to read, and whether it may move the watermark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from crm_sync_assets.errors import UsageError

StrategyName = Literal["initial_full", "full", "incremental", "manual"]


class Choices(Protocol):
    """The flags that decide what is read (`Flags` has them)."""

    @property
    def full(self) -> bool: ...
    @property
    def force(self) -> bool: ...
    @property
    def dry_run(self) -> bool: ...
    @property
    def max_records(self) -> int: ...
    @property
    def start_date(self) -> str | None: ...
    @property
    def end_date(self) -> str | None: ...
    @property
    def filtered(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """What one sync reads.

    `since` is inclusive and `until` exclusive, both aware UTC; None leaves that end open.
    `overwrite` lets an older version replace a newer one; `replaces` makes the table what the
    source holds, in one transaction. `closes_gap` is true only for a read that, once complete,
    leaves nothing unread before its own start, deletions included; `moves_watermark` if it also
    says so in history, which no trial does. `filtered` says that the source is asked
    for a part of its records only, so that nothing follows from what is not among them. `because`
    says why everything is read although a delta would have done, `lost` what the source no longer
    has of what was never read: such a read is not complete, whatever it brings.
    """

    name: StrategyName
    since: datetime | None = None
    until: datetime | None = None
    overwrite: bool = False
    replaces: bool = False
    closes_gap: bool = False
    moves_watermark: bool = False
    filtered: bool = False
    because: str | None = None
    lost: str | None = None

    @property
    def reads_everything(self) -> bool:
        """Whether a complete read proves that an absent record is gone."""
        return self.since is None and self.until is None and not self.filtered


def midnight_utc(day: str) -> datetime:
    """The UTC midnight a YYYY-MM-DD names. Raises UsageError for anything else."""
    try:
        if len(day) != len("YYYY-MM-DD"):
            raise ValueError(day)
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(
            f"'{day}' is not a date: write it as YYYY-MM-DD, for example 2025-01-31"
        ) from None


def choose(
    flags: Choices,
    *,
    watermark: datetime | None,
    tracks_changes: bool = True,
    overlap: timedelta = timedelta(0),
    feed_from: datetime | None = None,
    kept_from: datetime | None = None,
) -> Strategy:
    """The strategy for these flags: start_date, then force, then full, then the watermark.

    `watermark` is the newest complete sync's, None before the first. `tracks_changes` is false
    for a source that cannot say what changed: it is read whole every time. A delta begins
    `overlap` before the watermark, for sources that change what they showed without saying so.
    `feed_from` is how far back the source tells of changes or deletions, None for ever: a delta
    from before that would miss some, so everything is read. What is older than `kept_from` the
    source has no longer, None if it keeps everything: what lies between that and where a delta
    would begin was never read, and is lost, until `force` says to go on without it.
    """
    since = midnight_utc(flags.start_date) if flags.start_date else None
    until = midnight_utc(flags.end_date) if flags.end_date else None
    _refuse(flags, windowed=bool(since or until), tracks_changes=tracks_changes)
    is_trial = bool(flags.dry_run or flags.max_records)
    everything = Strategy(
        "full",
        closes_gap=not flags.filtered,
        moves_watermark=not is_trial and not flags.filtered,
        filtered=flags.filtered,
    )
    if since is not None or until is not None:
        owed = None if watermark is None else watermark - overlap
        reached = [moment for moment in (feed_from, kept_from) if moment is not None]
        is_told = not reached or (watermark is not None and watermark >= max(reached))
        window = replace(everything, name="manual", since=since, until=until)
        return _closing(window, owed, is_told=is_told, overwrite=flags.force)
    lost = _lost(watermark, overlap, kept_from)
    if lost and not flags.force:
        told = lost if everything.moves_watermark else None
        everything = replace(everything, closes_gap=False, moves_watermark=False, lost=told)
    if flags.force or flags.full or not tracks_changes:
        return replace(everything, overwrite=flags.force, replaces=flags.force and flags.full)
    if watermark is None:
        return replace(everything, name="initial_full")
    since = watermark - overlap
    if lost:
        return replace(everything, because=lost)
    if feed_from is not None and since < feed_from:
        why = (
            f"a delta would begin at {since:%Y-%m-%d %H:%M} UTC, and the source tells of what "
            f"changed no further back than {feed_from:%Y-%m-%d %H:%M} UTC"
        )
        return replace(everything, because=why)
    return replace(everything, name="incremental", since=since)


def _closing(
    window: Strategy, owed: datetime | None, *, is_told: bool, overwrite: bool
) -> Strategy:
    """The window, which moves the watermark if it reads all that a delta would, from `owed` on."""
    reaches_back = window.since is None or (owed is not None and window.since <= owed)
    closes_gap = window.closes_gap and window.until is None and reaches_back and is_told
    return replace(
        window,
        overwrite=overwrite,
        closes_gap=closes_gap,
        moves_watermark=window.moves_watermark and closes_gap,
    )


def _lost(watermark: datetime | None, overlap: timedelta, kept_from: datetime | None) -> str | None:
    """What there was between the last complete sync and what the source still has, if anything."""
    if watermark is None or kept_from is None or watermark - overlap >= kept_from:
        return None
    return (
        f"what was recorded between {watermark - overlap:%Y-%m-%d %H:%M} and "
        f"{kept_from:%Y-%m-%d %H:%M} UTC may be lost: no sync has read it, and the source has it "
        "no longer"
    )


def _refuse(flags: Choices, *, windowed: bool, tracks_changes: bool) -> None:
    """Raises UsageError for what cannot be meant together."""
    if windowed and not tracks_changes:
        raise UsageError(
            "this entity cannot say what changed, so it is read whole every time: "
            "leave out start_date and end_date"
        )
    if flags.filtered and flags.full and flags.force:
        raise UsageError(
            "full with force replaces the table by what is read, and a filter reads a part: "
            "leave out one of them"
        )
