"""A command in a pseudo-terminal of 80 columns, as a person sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping

COLUMNS = 80
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """The command, the leader of the foreground group of its terminal; `shown` is what it wrote."""

    def __init__(self, *words: str, variables: Mapping[str, str] | None = None) -> None:
        self.shown = ""
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            try:
                env = {**os.environ, "TERM": "xterm-256color", **(variables or {})}
                os.execvpe(sys.executable, [sys.executable, *words], env)
            finally:
                os._exit(127)
        size = struct.pack("HHHH", 24, COLUMNS, 0, 0)
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, size)
        self._modes = termios.tcgetattr(self._screen)

    def until(self, seen: Callable[[str], object], *, seconds: float = 60) -> bool:
        """Read on until this is so of what was shown; False if the command or the time ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not seen(self.shown):
            if select.select([self._screen], [], [], 0.2)[0]:
                try:
                    octets = os.read(self._screen, 65536)
                except OSError:
                    octets = b""
                if not octets:
                    return bool(seen(self.shown))
                self.shown += octets.decode(errors="replace")
        return bool(seen(self.shown))

    def press_ctrl_c(self) -> None:
        os.write(self._screen, b"\x03")

    def end(self) -> int:
        """Wait for the end of the command; its exit status."""
        self.until(lambda _: False)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    @property
    def is_restored(self) -> bool:
        """Whether modes are as they were, and the cursor can be seen."""
        hidden, visible = self.shown.rfind("\x1b[?25l"), self.shown.rfind("\x1b[?25h")
        with contextlib.suppress(termios.error):
            if termios.tcgetattr(self._screen) != self._modes:
                return False
        return visible >= hidden

    @property
    def lines(self) -> list[str]:
        """Every line that was ever drawn, without control codes."""
        drawn = re.split(r"[\r\n]+|\x1b\[2K", self.shown)
        return [line for part in drawn if (line := _ESCAPE.sub("", part).rstrip())]

    def close(self) -> None:
        os.close(self._screen)
