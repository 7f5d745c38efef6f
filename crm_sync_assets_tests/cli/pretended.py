"""Stories of the demo that are not told: for processes, which import what they do by its name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from crm_sync_assets.cli.story import Plot, Seen, Told
from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox.process import Control


def tell(plot: Plot, control: Control, show: Callable[[Seen], None]) -> Told:
    """Ends as the name of the CRM says; the sandbox's address is a folder to leave a trace in."""
    show(Seen("first sync", 1, 2, 3))
    folder = Path(control.url)
    (folder / plot.crm).write_text(str(os.getpid()), "utf-8")
    if plot.crm == "dies":
        os._exit(9)
    if plot.crm == "fails":
        raise FatalError("the pretended one is down: ask nobody")
    if plot.crm == "meets":
        # Only where another one is under way at the same time.
        while not (folder / "meets_too").exists():
            time.sleep(0.01)
    while plot.crm == "hangs":
        time.sleep(0.01)
    return Told(os.environ["TITLE"], 2)
