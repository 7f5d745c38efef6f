"""How a question with too many answers becomes several, that together ask for no less.

A question is a few criteria, and each criterion one field that is as said, or begins as said. One
whose answer is cut is asked again for each way in which the last field may go on. Where the field
is said in full, the next axis goes on.

- contactID is made of digits.
- A moment is written in one way.
- number1 may be anything, or blank. What telephone numbers are written with is asked for, and what
  else was seen; in the first place all that is on a keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any, Final, Literal

from crm_sync_assets.crms.five9.fields import Row

Name = Literal["id", "number", "changed", "created", "day"]
"""An axis; a day is no further cut by the time of the day."""
Question = tuple["Part", ...]

DIGITS: Final = "0123456789"
PHONE: Final = f"{DIGITS}+-().#/ x"
WILD: Final = "%_*?[]^\\"
"""What may stand for other characters, here or in some database, and cannot be asked for."""
KEYBOARD: Final = PHONE + "".join(
    letter for letter in map(chr, range(32, 127)) if letter not in PHONE + WILD
)
SHAPE: Final = "dddd-dd-dd dd:dd:dd.ddd"
_FIRST: Final = {0: "12", 5: "01", 8: "0123", 11: "012", 14: "012345", 17: "012345"}
_MAY_END: Final = (10, 16, 19, *range(21, len(SHAPE) + 1))
"""Where a moment may end: without a time, without seconds, without their parts, with one or two of
those, as where zeros are left out, and in full."""


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion: a field of the axis `on` that is `value`, or only begins so."""

    on: Name
    value: str
    exact: bool = False

    @property
    def written(self) -> str:
        """As Five9 takes it."""
        return self.value if self.exact else f"{self.value}%"

    def fits(self, value: str | None) -> bool:
        """Whether a contact with this value meets it."""
        have = value or ""
        return have == self.value if self.exact else have.startswith(self.value)


@dataclass(frozen=True, slots=True)
class Axes:
    """The fields of the axes, and the axes that go on in turn where one is at its end."""

    fields: Mapping[Name, str]
    then: Sequence[Name] = ()

    def criteria(self, question: Question) -> list[dict[str, str]]:
        """As the service takes them."""
        return [{"field": self.fields[part.on], "value": part.written} for part in question]

    def fits(self, question: Question, row: Row) -> bool:
        """Whether a contact belongs to what was asked."""
        return all(part.fits(row.get(self.fields[part.on])) for part in question)

    def parts_of(self, question: Question, seen: Sequence[Row]) -> list[Question]:
        """What asks together for all that the question asks for; nothing when it cannot be cut.

        `seen` are some of those that it asks for.
        """
        *before, last = question
        values = [row.get(self.fields[last.on]) or "" for row in seen]
        found = [] if last.exact else _further(last, values)
        if found:
            return [(*before, part) for part in found]
        used = {part.on for part in question}
        following = next((name for name in self.then if name not in used), None)
        if following is None:
            return []
        values = [row.get(self.fields[following]) or "" for row in seen]
        blank = [Part(following, "", exact=True)] if following == "number" else []
        return [(*question, part) for part in (*blank, *_further(Part(following, ""), values))]


def _further(part: Part, seen: Iterable[str]) -> list[Part]:
    """The ways in which a value may go on, and that it ends; those first of which some were seen.

    As far as all that were seen go on in the same way, that is not asked for by itself.
    """
    if part.on == "day":
        return []
    head = part.value
    values = [value for value in seen if value.startswith(head) and len(value) > len(head)]
    common = commonprefix(values) or head  # noqa: RUF071  characters are what is compared
    while set(common[len(head) :]) & set(WILD):
        common = common[:-1]
    found: list[Part] = []
    for place in range(len(head), len(common) + 1):
        begun = common[:place]
        if begun and (part.on in ("id", "number") or place in _MAY_END):
            found.append(Part(part.on, begun, exact=True))
        others = {value[place] for value in values if len(value) > place}
        letters = [*_usual(part.on, place), *sorted(others - {*_usual(part.on, place), *WILD})]
        known = common[place : place + 1]
        found += [Part(part.on, begun + letter) for letter in letters if letter != known]
    return sorted(found, key=lambda one: not any(map(one.fits, values)))


def _usual(on: Name, place: int) -> str:
    """What a value of this axis may have in this place."""
    if on == "id":
        return DIGITS
    if on == "number":
        return PHONE if place else KEYBOARD
    if place >= len(SHAPE):
        return ""
    return _FIRST.get(place, DIGITS) if SHAPE[place] == "d" else SHAPE[place]


def stored(questions: Sequence[Question]) -> list[list[list[Any]]]:
    """As a cursor keeps them."""
    return [[[part.on, part.value, part.exact] for part in one] for one in questions]


def restored(kept: Sequence[Sequence[Sequence[Any]]]) -> list[Question]:
    """Out of a cursor."""
    return [tuple(Part(*part) for part in one) for one in kept]
