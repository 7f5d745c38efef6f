"""`crm-sync sandbox`: the CRMs as a local server, in the foreground."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence

from crm_sync_assets.cli.arguments import Parser, port_number, positive, whole_number
from crm_sync_assets.errors import FatalError, UsageError


def parser() -> Parser:
    found = Parser(
        prog="crm-sync sandbox",
        description="Serve the CRMs locally until Ctrl-C. The lines it prints point clients at it.",
    )
    found.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
    found.add_argument("--port", type=port_number, default=8650, help="0: a free one [8650]")
    found.add_argument("--seed", type=whole_number, default=7, help="same seed, same data [7]")
    found.add_argument("--contacts", type=positive, default=500, metavar="N", help="[500]")
    found.add_argument(
        "--move-every", type=float, default=0, metavar="S", help="one change every S seconds"
    )
    found.add_argument(
        "--knob", action="append", default=[], metavar="NAME=JSON", help="e.g. limits=true"
    )
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    from crm_sync_assets.sandbox import Sandbox

    try:
        knobs = {
            name: json.loads(value) for name, _, value in (k.partition("=") for k in given.knob)
        }
        sandbox = Sandbox(
            seed=given.seed, contacts=given.contacts, host=given.host, port=given.port, **knobs
        )
    except ValueError as error:
        raise UsageError(f"--knob: {error}") from None
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        sandbox.start()
    except OSError as error:
        raise FatalError(
            f"port {given.port} of {given.host} cannot be used ({error.strerror}): "
            "give another with --port, 0 takes a free one"
        ) from None
    try:
        if given.move_every > 0:
            sandbox.move_every(given.move_every)
        print(f"# {sandbox.url}; Ctrl-C stops it. In another terminal:")
        for name, value in sandbox.env().items():
            print(f"export {name}={value}", flush=True)
        done.wait()
    finally:
        sandbox.stop()
    return 0
