"""The sandbox of a demo, to be played again: the same options and changes give the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.errors import FatalError

if TYPE_CHECKING:
    from crm_sync_assets.sandbox.process import Control

NAME = "sandbox.json"


@dataclass(frozen=True, slots=True)
class World:
    """Options of the sandbox, how many changes of each CRM, and how far its clock went ahead.

    `variables` are those that the demo was run with, and whoever goes on with its data needs.
    """

    options: Sequence[str]
    moves: Mapping[str, int]
    ahead_seconds: float
    variables: Mapping[str, str] = field(default_factory=dict)

    def play_again(self, control: Control) -> None:
        """Make a fresh sandbox what the first one became.

        The changes come after everything that was synced of the first one, so a delta finds them.
        """
        control.ask("clock", {"advance": self.ahead_seconds})
        for crm, number in self.moves.items():
            move(control, crm, number)

    def save(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self)), "utf-8")


def move(control: Control, crm: str, number: int) -> list[str]:
    """So many changes of a CRM, always the same; a line for each."""
    done: list[str] = json.loads(control.ask(f"{crm}/move", {"n": number, "seed": 1}))["result"]
    return done


def left_in(folder: Path) -> World | None:
    """What a demo left in its state folder; None where none came to its end."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        return World(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise FatalError(f"{path} cannot be read: run the demo again") from error
