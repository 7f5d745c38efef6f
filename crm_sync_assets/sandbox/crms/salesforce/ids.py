"""Ids of records: 15 characters whose case counts, and three more that say which are upper case."""

import string

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
"""In the order of their bytes, so that a list by id is a list by number."""

_POD = "Kj00000"
_CHECKS = string.ascii_uppercase + "012345"
_BASE = len(DIGITS)
_PAIRS = tuple(a + b for a in DIGITS for b in DIGITS)


def _upper(text: str) -> int:
    return sum(1 << place for place, letter in enumerate(text) if letter.isupper())


_PAIR_BITS = tuple(map(_upper, _PAIRS))
_PLACE = {letter: place for place, letter in enumerate(DIGITS)}


def whole(short: str) -> str:
    """The 18 characters of an id of 15."""
    return short + "".join(_CHECKS[_upper(short[start : start + 5])] for start in (0, 5, 10))


class Ids:
    """The ids of one object, by its three-letter prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._head = prefix + _POD
        self._checks = whole(self._head + "00000")[15:17]

    def write(self, number: int) -> str:
        """The id of a number below 62⁵."""
        rest, low = divmod(number, _BASE * _BASE)
        top, high = divmod(rest, _BASE * _BASE)
        first = DIGITS[top]
        bits = first.isupper() | _PAIR_BITS[high] << 1 | _PAIR_BITS[low] << 3
        return f"{self._head}{first}{_PAIRS[high]}{_PAIRS[low]}{self._checks}{_CHECKS[bits]}"

    def read(self, text: str) -> int | None:
        """The number that an id of 15 or 18 characters says; None where it is no such id."""
        if text[:10] != self._head or len(text) not in (15, 18):
            return None
        number = 0
        for letter in text[10:15]:
            if letter not in _PLACE:
                return None
            number = number * _BASE + _PLACE[letter]
        return number if len(text) == 15 or self.write(number) == text else None
