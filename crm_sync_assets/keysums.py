"""Sums over keys, the same in every database: two sets of keys are compared without reading them.

A bucket of keys is summed up as count, sum, and a sum of scrambled keys. Two buckets that agree in
all three hold the same keys, but for a chance of one in two thousand million.
"""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 10_000
"""Values of the first key column in one bucket."""

_SMALL_PRIME = 1_000_003
_LARGE_PRIME = 2_147_483_647


def terms(columns: Sequence[str], low: int, width: int = WIDTH) -> tuple[str, str, str]:
    """SQL for (bucket, sum, scrambled sum) of whole-number key columns, given as quoted names.

    A bucket is named by how far its lowest first key lies above `low`. PostgreSQL, MySQL and
    MariaDB understand it, and no step leaves 64 bits.
    """
    scrambled = f"mod({columns[0]}, {_SMALL_PRIME:d})"
    for column in columns[1:]:
        scrambled = f"mod({scrambled} * 1009 + mod({column}, {_SMALL_PRIME:d}), {_SMALL_PRIME:d})"
    offset = f"({columns[0]} - ({low:d}))"
    return (
        f"{offset} - mod({offset}, {width:d})",
        " + ".join(f"sum({column})" for column in columns),
        f"sum(mod({scrambled} * {scrambled} * {scrambled}, {_LARGE_PRIME:d}))",
    )
