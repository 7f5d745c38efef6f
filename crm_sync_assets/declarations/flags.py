"""The universal flags: what a person may ask of a sync. Pure; Dagster's config mirrors them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, Field, create_model

from crm_sync_assets.declarations.strategy import midnight_utc
from crm_sync_assets.errors import UsageError

if TYPE_CHECKING:
    from crm_sync_assets.declarations.entity import Entity

MOST_PER_PAGE = 10_000
Kind = TypeVar("Kind", bound="Flags")


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that one CRM has: `kind` is str, int or bool.

    One that `filters` makes the source show a part of its records; it has no default, so that a
    sync is whole unless somebody asked for less. `entities` are those that take it, all if empty.
    `check` says what is wrong with a value, if anything is. One that `is_pace` says how fast to
    read and not what: a sync that was interrupted resumes at any pace. One that `skips` leaves its
    entities out, and says nothing to the others of a run. One that `selects` has the name of the
    one entity to sync, in the place of naming it.
    """

    name: str
    about: str
    kind: type[str] | type[int] | type[bool] = str
    default: str | int | bool | None = None
    filters: bool = False
    entities: tuple[str, ...] = ()
    check: Callable[[Any], str | None] | None = None
    is_pace: bool = False
    skips: bool = False
    selects: bool = False

    @property
    def unset(self) -> str | int | bool | None:
        """Its value when nobody gave it."""
        return False if self.kind is bool else self.default

    def problem(self) -> str | None:
        """Why it cannot be declared like this."""
        if not self.name.isidentifier() or self.name != self.name.lower():
            return "its name has to be an identifier in lower case"
        if self.name in RESERVED or hasattr(Flags, self.name) or self.name in Flags.model_fields:
            return "the name is taken: every entity has it, or the history keeps something under it"
        if self.kind is bool and self.default:
            return "a switch is off by default"
        if self.default is not None and type(self.default) is not self.kind:
            return f"its default {self.default!r} is no {self.kind.__name__}"
        if self.skips and not (self.kind is bool and self.filters and self.entities):
            return "what skips is a switch that filters, of some entities"
        if self.filters and self.default:
            return "one that filters has no default: every sync would be a part of the records"
        return None


class Flags(BaseModel):
    """The flags every entity takes; `own` are those that only this CRM has."""

    own: ClassVar[tuple[Flag, ...]] = ()

    debug: bool = Field(False, description="Log verbosely, with the time each batch took.")
    full: bool = Field(False, description="Read everything; a newer stored row still wins.")
    skip_validation: bool = Field(
        False, description="No value checks and no business rules; values are still parsed."
    )
    dry_run: bool = Field(
        False,
        description="Read, process and compare, then roll back: exact counts, nothing written "
        "but the history row.",
    )
    batch_size: int = Field(
        100, description="Records per API page or SQL chunk; clamped to what the source allows."
    )
    max_records: int = Field(0, description="Stop exactly there; 0 is no limit.")
    force: bool = Field(
        False,
        description="Overwrite newer rows too. Alone it reads everything, with start_date from "
        "there; with full it replaces the table in one transaction.",
    )
    start_date: str | None = Field(
        None, description="YYYY-MM-DD: read what changed since that UTC midnight."
    )
    end_date: str | None = Field(
        None, description="YYYY-MM-DD: read what changed before that UTC midnight."
    )

    def check(self, *, now: datetime | None = None) -> None:
        """Raises UsageError for values and combinations that cannot be meant, `now` or at all."""
        if not 1 <= self.batch_size <= MOST_PER_PAGE:
            raise UsageError(
                f"batch_size is {self.batch_size}: give a number from 1 to {MOST_PER_PAGE}"
            )
        if self.max_records < 0:
            raise UsageError(
                f"max_records is {self.max_records}: give 0 for no limit, or a positive number"
            )
        start = midnight_utc(self.start_date) if self.start_date else None
        end = midnight_utc(self.end_date) if self.end_date else None
        if end and self.full:
            raise UsageError(
                "full reads everything and end_date only a window: leave out one of them"
            )
        if start and self.full:
            raise UsageError(
                "full reads everything and start_date from a day on: leave out one of them "
                "(force with start_date overwrites from that day)"
            )
        if start and end and start >= end:
            raise UsageError(
                f"start_date {self.start_date} is not before end_date {self.end_date}: "
                "the window is [start_date, end_date)"
            )
        today = (now or datetime.now(UTC)).astimezone(UTC).date()
        if start and start.date() > today:
            raise UsageError(
                f"start_date {self.start_date} is in the future: nothing has changed since then. "
                f"Today is {today} in UTC, which is the last day that can be given"
            )

    def check_for(self, entity: Entity) -> None:
        """Raises UsageError for a flag that this entity does not take, or that is blank."""
        for flag in self.own:
            if isinstance(value := getattr(self, flag.name), str) and not value.strip():
                raise UsageError(f"{flag.name} is blank: give a value, or leave it out")
        for flag in self._own_given():
            if flag.entities and entity.sync_type not in flag.entities:
                taken = ", ".join(flag.entities)
                raise UsageError(f"{entity} takes no {flag.name}: it is a flag of {taken}")
            value = getattr(self, flag.name)
            if flag.selects and not is_called(entity, value):
                raise UsageError(
                    f"{flag.name} is {value}, and this is {entity}: leave it out, or name its own"
                )
            if flag.check is not None and (problem := flag.check(value)):
                raise UsageError(f"{flag.name} is {value}: {problem}")

    def beside(self: Kind, entity: Entity, others: Iterable[Entity]) -> Kind:
        """These for one entity of a run with others: without what leaves out only those."""
        asked = {one.sync_type for one in others}
        theirs = {
            flag.name: False
            for flag in self._own_given()
            if flag.skips
            and entity.sync_type not in flag.entities
            and not asked.isdisjoint(flag.entities)
        }
        return self.model_copy(update=theirs) if theirs else self

    @property
    def filtered(self) -> bool:
        """Whether the source is asked for a part of its records."""
        return any(flag.filters for flag in self._own_given())

    def own_options(self) -> dict[str, Any]:
        """The values of the flags that only this CRM has."""
        universal = Flags.model_fields
        return {name: value for name, value in self.given().items() if name not in universal}

    def own_terms(self) -> dict[str, Any]:
        """Of those, what decides what is read."""
        pace = {flag.name for flag in self.own if flag.is_pace}
        return {name: value for name, value in self.own_options().items() if name not in pace}

    def _own_given(self) -> list[Flag]:
        return [flag for flag in self.own if getattr(self, flag.name) != flag.unset]

    def given(self) -> dict[str, Any]:
        """The flags as SyncHistory's `configuration` keeps them."""
        return self.model_dump(mode="json")


def is_called(entity: Entity, name: str) -> bool:
    """Whether it is meant by a name in another spelling, like ActivityResults."""
    return entity.sync_type.replace("_", "") == re.sub(r"[\s_-]", "", name).lower()


OLD_NAMES: Mapping[str, str] = {
    "since": "start_date",
    "test": "dry_run",
    "verbose": "debug",
    "force_overwrite": "force",
}

RESERVED = frozenset(
    [
        *OLD_NAMES,
        # what the command line and Dagster's config call something else
        *("entities", "flags", "help", "no_progress", "quiet"),
        # what SyncHistory's configuration has beside the flags
        *("because", "fingerprint", "hidden_columns", "lock", "meaning", "mirrored_event"),
        *("page_size", "refresh", "repair", "replay", "resumes", "source_memory", "source_state"),
        *("strategy", "trial", "until", "verify"),
        # what the terms of a checkpoint have
        *("declaration", "mode", "overwrite", "replaces"),
    ]
)
"""Names that no CRM's own flag may have."""


def with_own(base: type[Kind], name: str, own: tuple[Flag, ...]) -> type[Kind]:
    """`base` with a CRM's own flags added, as a class of that name; `base` itself without any."""
    if not own:
        return base
    fields: dict[str, Any] = {
        flag.name: (
            flag.kind if flag.unset is not None else flag.kind | None,
            Field(flag.unset, description=flag.about),
        )
        for flag in own
    }
    kind = create_model(name, __base__=base, **fields)
    kind.own = own
    return kind
