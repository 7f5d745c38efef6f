"""The folder this project works in: where its state folder and its `.env` are."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_sync_assets.errors import UsageError

STATE = ".crm_sync"
DOTENV = ".env"
GIT = ".git"
"""What a clone, and each of its work trees, has in its uppermost folder."""


def project_folder() -> Path:
    """The working folder, or the nearest one above it whose state folder is this user's.

    A working folder with a `.env` or a state folder is one by itself. Above it one is looked for
    as long as the folders are of the same file system and owner; not above a git repository, nor
    in the home folder, which is above everything, nor where everybody may write. Raises UsageError
    where the working folder is there no longer.
    """
    try:
        here = Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the working folder cannot be told ({error.strerror}): go to one that is there"
        ) from None
    if any((here / name).exists() for name in (DOTENV, STATE, GIT)):
        return here
    try:
        return _above(here) or here
    except (OSError, RuntimeError):
        # A folder that cannot be looked at, or a user without a home.
        return here


def _above(here: Path) -> Path | None:
    begin, home = here.stat(), Path.home().resolve()
    for folder in here.parents:
        found = folder.stat()
        if (found.st_dev, found.st_uid) != (begin.st_dev, begin.st_uid):
            return None
        if folder == home or found.st_mode & stat.S_IWOTH or folder == Path(folder.anchor):
            return None
        state = folder / STATE
        if state.is_dir():
            return folder if state.stat().st_uid == os.geteuid() else None
        if (folder / GIT).exists():
            return None
    return None


_tellers: list[Callable[[Path], None]] = []


@contextmanager
def telling_of_new_home(tell: Callable[[Path], None]) -> Iterator[None]:
    """While it lasts `tell` gets the state folder that is made because there was none."""
    _tellers.append(tell)
    try:
        yield
    finally:
        _tellers.pop()


def tell_of_new_home(folder: Path) -> None:
    """Whoever wants to know is told; a server's processes do not."""
    for tell in _tellers[-1:]:
        tell(folder)
