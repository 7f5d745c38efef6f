"""`python .ci/install.py <pip's arguments>`: pip in one line that moves, or its words if it fails.

It runs in a virtual environment that has nothing but pip yet.
"""

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

BAR = 24
FOUND = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)")
PINS = Path(__file__).parents[1] / "constraints.txt"


def install(arguments: list[str]) -> int:
    """pip's exit status; what it said last is printed if that is not 0."""
    shows = sys.stdout.isatty()
    print(f"installing into {sys.prefix}, once (a minute or two)", flush=True)
    total = sum("==" in line for line in PINS.read_text("utf-8").splitlines())
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    last: deque[str] = deque(maxlen=40)
    found: set[str] = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            last.append(line)
            if match := FOUND.match(line.strip()):
                found.add(match[1].lower())
                draw(len(found) / total, match[1], shows)
            elif line.startswith("Installing collected packages"):
                draw(1, f"unpacking {len(found)} packages", shows)
    draw(0, "", shows)
    if pip.returncode:
        sys.stderr.writelines(last)
    return pip.returncode


def draw(share: float, what: str, shows: bool) -> None:
    """The bar, over the one before; nothing of it where there is no `what`."""
    if shows:
        full = min(BAR, round(BAR * share))
        text = f"{'#' * full}{'.' * (BAR - full)} {what}" if what else ""
        print(f"\r\x1b[2K{text[:78]}", end="", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(install(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\ncancelled; the next `make` goes on")
