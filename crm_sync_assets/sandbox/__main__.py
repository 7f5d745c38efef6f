"""`python -m crm_sync_assets.sandbox`: the sandbox as a process of its own."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from crm_sync_assets.sandbox.crm import Option, entries
from crm_sync_assets.sandbox.server import Sandbox


def parser() -> argparse.ArgumentParser:
    """The command line."""
    args = argparse.ArgumentParser(prog="python -m crm_sync_assets.sandbox", description=__doc__)
    args.add_argument("--host", default="127.0.0.1", help="address to listen on")
    args.add_argument("--port", type=int, default=8650, help="0 takes a free one")
    args.add_argument("--seed", type=int, default=7, help="the same seed gives the same data")
    args.add_argument(
        "--move-every", type=float, default=0, metavar="S", help="one change every S seconds"
    )
    args.add_argument(
        "--knob", action="append", default=[], metavar="NAME=JSON", help="e.g. limits=true"
    )
    args.add_argument("--with-stdin", action="store_true", help="end with standard input, too")
    for option in offered():
        flag, kind = f"--{option.name.replace('_', '-')}", option.kind
        args.add_argument(
            flag, type=kind, default=option.default, metavar=option.metavar, help=option.help
        )
    return args


def offered() -> list[Option]:
    """The options of all CRMs that the program offers."""
    return [option for entry in entries() for option in entry.options if option.help]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; one line of JSON with url and env says that it is ready."""
    args = parser().parse_args(argv)
    options = {option.name: getattr(args, option.name) for option in offered()}
    knobs = {name: json.loads(value) for name, _, value in (k.partition("=") for k in args.knob)}
    sandbox = Sandbox(seed=args.seed, host=args.host, port=args.port, **options, **knobs)
    done = threading.Event()
    for signal_ in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_, lambda *_: done.set())
    if args.with_stdin:
        threading.Thread(target=_wait_for_its_end, args=(done,), daemon=True).start()
    with sandbox:
        if args.move_every > 0:
            sandbox.move_every(args.move_every)
        told = {"url": sandbox.url, "env": sandbox.env(), "webhooks": sandbox.webhooks_env()}
        print(json.dumps(told), flush=True)
        done.wait()
    return 0


def _wait_for_its_end(done: threading.Event) -> None:
    sys.stdin.read()
    done.set()


if __name__ == "__main__":
    raise SystemExit(main())
