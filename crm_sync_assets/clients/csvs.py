"""Lines of a CSV file, one at a time: quoted values may hold commas, quotes and line ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from crm_sync_assets.clients.http import MOST_BYTES

# A long text may have 131,072 characters and more, which is where the library stops.
csv.field_size_limit(MOST_BYTES)


class Broken(ValueError):
    """What is no CSV file with these columns, or was cut."""


def lines_of(body: bytes) -> Iterator[list[str]]:
    """Its lines, the header first. Raises Broken.

    NUL bytes occur in such files where the same values have none elsewhere.
    """
    text = io.TextIOWrapper(
        io.BytesIO(body.replace(b"\0", b"")), "utf-8", errors="surrogateescape", newline=""
    )
    try:
        yield from csv.reader(text, strict=True)
    except csv.Error as error:
        raise Broken(f"it is no whole CSV file ({error})") from None
