"""The ways to read everything, in the order in which they are to be trusted.

1. By contactID: no contact is without one, it is made of digits, and it never changes.
2. By when a contact was made: the same, but that many may have been made at once.
3. By number1, which may be missing, may change, and may begin with anything.

Nobody says for which of them Five9 takes wildcards: a way is tried before it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from crm_sync_assets.crms.five9 import axes
from crm_sync_assets.crms.five9.axes import Axes, Name, Part, Question
from crm_sync_assets.crms.five9.dialect import Unfit
from crm_sync_assets.crms.five9.domain import Asking
from crm_sync_assets.crms.five9.fields import CREATED, MODIFIED, Fields
from crm_sync_assets.crms.five9.places import By, Place
from crm_sync_assets.crms.five9.sources import ID
from crm_sync_assets.crms.five9.sweeping import NotAsked, Sweep
from crm_sync_assets.errors import FatalError
from crm_sync_assets.log import logger

log = logger(__name__)

NUMBER: Final = "number1"
BLANK: Final[Question] = (Part("number", "", exact=True),)


class Ways:
    """The ways through one domain. `only` are criteria that every question has."""

    def __init__(self, asking: Asking, fields: Fields, only: Sequence[dict[str, str]] = ()) -> None:
        self._asking, self._only = asking, only
        mapped = fields.mapped
        self._fields: dict[Name, str] = {"id": ID}
        if CREATED in mapped:
            self._fields["created"] = mapped[CREATED]
        self._fields["number"] = NUMBER
        if MODIFIED in mapped:
            self._fields |= {"changed": mapped[MODIFIED], "day": mapped[MODIFIED]}

    def sweep(self, place: Place) -> Sweep:
        """What is left at a place, to be asked for."""
        then: list[Name] = ["created", "number"] if place.dates_work else ["number"]
        if place.ids_work or "created" not in self._fields:
            then = ["id"] if place.ids_work else ["number"]
        return Sweep(
            self._asking,
            Axes(self._fields, then),
            axes.restored(place.left),
            most=self._asking.domain.most,
            only=self._only,
        )

    def first(self, place: Place) -> tuple[Place, Sweep]:
        """Everything by the first way that works. Raises FatalError where none does."""
        return next(self._open(place))

    def second(self, place: Place) -> tuple[Place, Sweep] | None:
        """Everything by another way than that of this place, if there is one."""
        return None if place.by == "number" else next(self._open(place))

    def _open(self, place: Place) -> Iterator[tuple[Place, Sweep]]:
        names: tuple[Literal["id", "created"], ...] = ("id", "created")
        for name in names:
            if name in self._fields and name != place.by:
                found = _another(name, place)
                found.ids_work |= name == "id"
                found.dates_work |= name == "created"
                found.left = axes.stored([(Part(name, ""),)])
                sweep = self.sweep(found)
                if self._works(sweep, (Part(name, ""),)):
                    yield found, sweep
        yield self._by_number(place)

    def _works(self, sweep: Sweep, root: Question) -> bool:
        """Whether wildcards find somebody: all, and, if they are many, those with a beginning."""
        [part] = root
        try:
            rows = sweep.tried(root)
            if len(rows) >= self._asking.domain.most:
                begun = str(rows[0].get(self._fields[part.on]) or "")[:1]
                rows = sweep.asked((Part(part.on, begun),)) if begun else []
        except (Unfit, NotAsked) as error:
            log.info("%s: not by %s: %s", self._asking.subject, self._fields[part.on], error)
            return False
        return bool(rows)

    def _by_number(self, place: Place) -> tuple[Place, Sweep]:
        """Contacts without a number, and all others.

        Raises FatalError where wildcards find nobody and the lists have somebody: those without a
        number would be taken for all there are.
        """
        others: Question = (Part("number", ""),)
        found = _another("number", place)
        found.left = axes.stored([BLANK, others])
        sweep = self.sweep(found)
        try:
            found.blind = not sweep.tried(BLANK)
        except (Unfit, NotAsked) as error:
            log.info("%s: not those without a number: %s", self._asking.subject, error)
            found.blind = True
        if found.blind:
            sweep.left = [others]
        if not sweep.tried(others) and place.listed and not self._only:
            raise FatalError(
                f"{self._asking.subject}: Five9 shows no contact with a number, and its lists have "
                f"{place.listed}: wildcards find nobody there, and without them nothing can be read"
            )
        found.left = axes.stored(sweep.left)
        return found, sweep


def _another(by: By, place: Place) -> Place:
    """The beginning of a reading by another way, with what is known of the domain."""
    return Place(
        by,
        place.listed,
        place.largest,
        ids_work=place.ids_work,
        dates_work=place.dates_work,
    )
