"""What the doctor says of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at. A `note` is worth knowing but keeps nothing from working."""

    what: str
    grade: Grade
    detail: str
