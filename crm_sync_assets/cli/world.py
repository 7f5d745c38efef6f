"""The sandbox of a demo, to be played again: the same options and changes give the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.errors import FatalError

if TYPE_CHECKING:
    from crm_sync_assets.sandbox.process import Running

NAME = "sandbox.json"


@dataclass(frozen=True, slots=True)
class World:
    """Options of the sandbox, how many changes of each CRM, and how far its clock went ahead."""

    options: Sequence[str]
    moves: Mapping[str, int]
    ahead_seconds: float

    def move(self, running: Running) -> list[str]:
        """Make the changes; a line for each."""
        return [
            line
            for crm, number in self.moves.items()
            for line in json.loads(running.ask(f"{crm}/move", {"n": number, "seed": 1}))["result"]
        ]

    def go_ahead(self, running: Running) -> None:
        running.ask("clock", {"advance": self.ahead_seconds})

    def play_again(self, running: Running) -> None:
        """Make a fresh sandbox what the first one became.

        The changes come after everything that was synced of the first one, so a delta finds them.
        """
        self.go_ahead(running)
        self.move(running)

    def save(self, folder: Path) -> None:
        (folder / NAME).write_text(json.dumps(asdict(self)), "utf-8")


def left_in(folder: Path) -> World | None:
    """What a demo left in its state folder; None where none came to its end."""
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        return World(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise FatalError(f"{path} cannot be read: run the demo again") from error
