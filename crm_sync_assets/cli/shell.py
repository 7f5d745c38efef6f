"""A file to source: a second terminal's commands then see what this one's see."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from crm_sync_assets.errors import FatalError


def write_exports(path: Path, variables: Mapping[str, str]) -> None:
    """The variables, and where `crm-sync` is; only its owner may read it, for it holds tokens.

    Raises FatalError when it cannot be written.
    """
    programs = Path(sys.executable).parent
    lines = [f"export PATH={shlex.quote(str(programs))}:$PATH"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError as error:
        raise FatalError(f"{path} cannot be written: {error.strerror}") from error


def from_here(path: Path, here: Path) -> str:
    """A path as one would type it in the folder `here`, quoted where a shell needs that."""
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
