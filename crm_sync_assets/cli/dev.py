"""`crm-sync dev`: the project on one machine, together: sandbox, embedded PostgreSQL, Dagster's UI
and daemon, and the dashboard.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import IO

from crm_sync_assets.cli.arguments import Parser, positive
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import is_named
from crm_sync_assets.errors import FatalError
from crm_sync_assets.settings import Environment, environment

MODULE = "crm_sync_assets.definitions"


def run(words: Sequence[str]) -> int:
    parser = Parser(
        prog="crm-sync dev",
        description="Dagster's UI and daemon, the dashboard, the embedded PostgreSQL, and the "
        "sandbox unless the environment has variables of a CRM. Ctrl-C stops all of them.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the UI [127.0.0.1]")
    parser.add_argument(
        "--port", type=positive, default=3000, help="port of the UI, or the next free one [3000]"
    )
    parser.add_argument("--contacts", type=positive, default=500, help="in the sandbox [500]")
    parser.add_argument(
        "--every", type=positive, default=5, metavar="S", help="seconds between its changes [5]"
    )
    given = parser.parse(words)
    return dev(port=given.port, host=given.host, contacts=given.contacts, every=given.every)


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((host, port))
            except OSError:
                continue
            return port
    raise FatalError(f"no port from {first} to {first + 99} is free")


def dev(*, port: int = 3000, host: str = "127.0.0.1", contacts: int = 500, every: float = 5) -> int:
    """Run everything until Ctrl-C, or until one of the processes ends; the exit status."""
    from crm_sync_assets.orchestration.instance import CONFIGURATION, open_instance
    from crm_sync_assets.sandbox.process import stop

    env = environment()
    with contextlib.ExitStack() as stack:
        shared = _shared_environment(stack, env, contacts, every)
        # Webserver and daemon would both make the storage of a new instance, and get in each
        # other's way.
        open_instance(env).dispose()
        port = free_port(port, host)
        board = free_port(port + 100)
        shared["CRM_SYNC_DASHBOARD_URL"] = f"http://127.0.0.1:{board}"
        workspace = CONFIGURATION.with_name("workspace.yaml")
        code = ["-w", str(workspace)] if workspace.exists() else ["-m", MODULE]
        commands = {
            "webserver": [
                *("-m", "dagster_webserver", *code),
                *("-h", host, "-p", str(port), "--log-level", "warning"),
            ],
            "daemon": [
                *("-m", "dagster._daemon", "run", *code),
                *("--log-level", "warning"),
            ],
            "dashboard": ["-m", "crm_sync_assets.cli", "dashboard", "--port", str(board)],
        }
        children = {
            name: _start(name, [sys.executable, *arguments], shared)
            for name, arguments in commands.items()
        }
        stack.callback(stop, list(children.values()))
        _say("dev", f"Dagster is starting; it will be at http://{host}:{port}")
        return _watch(children, f"http://{host}:{port}")


def _shared_environment(
    stack: contextlib.ExitStack, env: Environment, contacts: int, every: float
) -> dict[str, str]:
    """One environment for all: the same warehouse, instance and CRM account."""
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.orchestration.instance import instance_folder
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox

    warehouse = open_warehouse()
    shared = {**os.environ, "CRM_SYNC_HOME": str(env.made_home())}
    if any(is_named(crm) for crm in registry.crms().values()):
        _say("dev", "the accounts your environment names")
    else:
        options = ["--contacts", str(contacts), "--move-every", str(every)]
        # On a server of yours nothing is made but the warehouse's own tables.
        if not env.warehouse_url:
            options += ["--genius-url", beside(warehouse.url)]
        running = stack.enter_context(sandbox(*options))
        shared |= running.env
        _say("dev", f"the sandbox at {running.url}; one change every {every:g} s")
        for name, value in running.env.items():
            _say("dev", f"  export {name}={value}")
    shared["CRM_SYNC_WAREHOUSE_URL"] = warehouse.url
    shared["DAGSTER_HOME"] = str(instance_folder(env))
    shared["PYTHONUNBUFFERED"] = "1"
    # Dagster announces with every start which of its parameters are in beta.
    shared.setdefault("PYTHONWARNINGS", "ignore")
    shown = "your server" if env.warehouse_url else f"embedded PostgreSQL in {env.home_folder}"
    _say("dev", f"warehouse: {shown}")
    if not env.warehouse_url:
        _say("dev", f"  export CRM_SYNC_WAREHOUSE_URL='{warehouse.url}'")
    return shared


def _start(name: str, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    threading.Thread(target=_relay, args=(name, process.stdout), daemon=True).start()
    return process


def _relay(name: str, lines: IO[str]) -> None:
    for line in lines:
        _say(name, line.rstrip())


def _say(name: str, line: str) -> None:
    print(f"{name:<9} | {line}", flush=True)


def _watch(children: Mapping[str, subprocess.Popen[str]], url: str) -> int:
    """Wait for Ctrl-C, SIGTERM, or the first process that ends."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        # An Event's lock may be held by the very code that a signal interrupts.
        asked.append(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # The terminal was closed; under nohup that is to change nothing.
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    announced = False
    try:
        while not asked:
            time.sleep(0.5)
            for name, process in children.items():
                if process.poll() is not None:
                    _say("dev", f"{name} ended with status {process.returncode}; stopping the rest")
                    return 1
            if not announced and _answers(f"{url}/server_info"):
                announced = True
                _say("dev", f"ready: {url}   (Ctrl-C stops everything)")
        _say("dev", "stopping")
        return 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
