"""`crm-sync dev`: the project on one machine, together: sandbox, embedded PostgreSQL, Dagster's UI
and daemon, and the dashboard.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

from crm_sync_assets.cli import dev_webhooks
from crm_sync_assets.cli.arguments import MOST_PORT, Parser, port_number, positive
from crm_sync_assets.cli.shell import from_here, write_exports
from crm_sync_assets.cli.world import World, left_in
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import is_named
from crm_sync_assets.declarations.overrides import unknown_overrides
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.settings import Environment, environment, variables

MODULE = "crm_sync_assets.definitions"
LOCATION = "crm_sync_assets"
CODE_SECONDS = 120
"""How long the code may take to load."""


def parser() -> Parser:
    found = Parser(
        prog="crm-sync dev",
        description="Dagster's UI and daemon, the dashboard, the embedded PostgreSQL, the receiver "
        "of webhooks where any are expected, and the sandbox, which sends some, unless the "
        "environment has variables of a CRM. Ctrl-C stops all of them.",
    )
    found.add_argument("--host", default="127.0.0.1", help="address of the UI [127.0.0.1]")
    found.add_argument(
        "--port", type=port_number, default=3000, help="port of the UI, or the next free one [3000]"
    )
    found.add_argument("--contacts", type=positive, default=500, help="in the sandbox [500]")
    found.add_argument(
        "--every", type=positive, default=5, metavar="S", help="seconds between its changes [5]"
    )
    found.add_argument("--empty", action="store_true", help="do not go on with the demo's data")
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    return dev(**vars(given))


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, min(first + 100, MOST_PORT + 1)):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((host, port))
            except OSError:
                continue
            return port
    raise FatalError(f"no port from {first} on is free: give another with --port")


def dev(
    *,
    port: int = 3000,
    host: str = "127.0.0.1",
    contacts: int = 500,
    every: float = 5,
    empty: bool = False,
) -> int:
    """Run everything until Ctrl-C, or until one of the processes ends; the exit status.

    A second one in the same state folder only says where the first one is.
    """
    from crm_sync_assets.orchestration.instance import open_instance
    from crm_sync_assets.sandbox.process import stop

    home = environment().made_home()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(_alone(home / "dev.lock"))
        if place is None:
            print(f"it runs already: {(home / 'dev.lock').read_text() or 'it is just starting'}")
            return 0
        _refuse_what_cannot_be_loaded()
        world = None if empty else _of_the_demo(home)
        env = environment()
        hooks = free_port(dev_webhooks.FIRST_PORT)
        shared, exports, plays = _shared_environment(stack, env, world, contacts, every, hooks)
        # Webserver and daemon would both make the storage of a new instance, and get in each
        # other's way.
        open_instance(env).dispose()
        port = free_port(port, host)
        board = free_port(min(port + 100, MOST_PORT - 100))
        shared["CRM_SYNC_DASHBOARD_URL"] = f"http://127.0.0.1:{board}"
        url = f"http://{host}:{port}"
        _write_down(place, f"{url} (process {os.getpid()}); Ctrl-C there stops it")
        _say("dev", f"Dagster is starting; it will be at {url}")
        children: dict[str, subprocess.Popen[str]] = {}
        # The last one that was started stops first.
        stack.callback(lambda: stop(list(reversed(children.values()))))
        workspace = _serve_code(stack, children, shared)
        servers = _servers(workspace, host, port, board)
        if plays or dev_webhooks.are_expected():
            servers["webhooks"] = dev_webhooks.arguments(hooks)
        for name, arguments in servers.items():
            children[name] = _start(name, [sys.executable, *arguments], shared)
        if plays:
            stack.enter_context(dev_webhooks.registered(shared, hooks, _say))
        write_exports(path := home / "dev.sh", exports)
        stack.callback(path.unlink, missing_ok=True)
        _say("dev", f"in another terminal: source {from_here(path, Path.cwd())}, then crm-sync …")
        return _watch(children, url)


def _refuse_what_cannot_be_loaded() -> None:
    """Raises UsageError for a setting with which the code would not load, but end in tracebacks."""
    from crm_sync_assets.definitions import build

    problems = unknown_overrides(registry.crms(), registry.all_entities())
    if problems:
        raise UsageError(problems[0])
    build()


def _servers(workspace: Path, host: str, port: int, board: int) -> dict[str, Sequence[str]]:
    """What runs beside the code, by name: arguments of Python."""
    code = ("-w", str(workspace), "--log-level", "warning")
    return {
        "webserver": ["-m", "dagster_webserver", *code, "-h", host, "-p", str(port)],
        "daemon": ["-m", "dagster._daemon", "run", *code],
        "dashboard": ["-m", "crm_sync_assets.cli", "dashboard", "--port", str(board)],
    }


def _serve_code(
    stack: contextlib.ExitStack,
    children: dict[str, subprocess.Popen[str]],
    env: Mapping[str, str],
) -> Path:
    """Start the server of our code and wait for it; a workspace that points there.

    On their own, webserver and daemon load the code once each, and the daemon again every minute.
    """
    from dagster._grpc.client import DagsterGrpcClient
    from dagster._grpc.server import wait_for_grpc_server

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crm_sync_dev_")))
    address = folder / "code"
    command = [
        *(sys.executable, "-m", "dagster", "code-server", "start", "-m", MODULE),
        *("--socket", str(address), "--location-name", LOCATION, "--log-level", "warning"),
    ]
    children["code"] = _start("code", command, env)
    client = DagsterGrpcClient(socket=str(address))
    wait_for_grpc_server(children["code"], client, command, timeout=CODE_SECONDS)
    server = {"socket": str(address), "location_name": LOCATION}
    workspace = folder / "workspace.yaml"
    workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}), "utf-8")
    return workspace


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[IO[str] | None]:
    """The file, locked until the block ends; None where another process has it."""
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        _write_down(file, "")
        yield file


def _write_down(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()


def _of_the_demo(home: Path) -> World | None:
    """The world of the demo, whose state folder is ours from here on; None without one.

    Whoever has an account, a server or an instance of Dagster in mind does not mean the demo's.
    """
    folder = home / "demo"
    world = left_in(folder)
    given = variables()
    if world is None or environment().warehouse_url or given.get("DAGSTER_HOME") or _any_is_named():
        return None
    os.environ |= {**world.variables, "CRM_SYNC_HOME": str(folder)}
    _say("dev", f"with what the demo left in {folder}; --empty starts without")
    return world


def _any_is_named() -> bool:
    return any(is_named(crm) for crm in registry.crms().values())


def _shared_environment(
    stack: contextlib.ExitStack,
    env: Environment,
    world: World | None,
    contacts: int,
    every: float,
    hooks: int,
) -> tuple[dict[str, str], dict[str, str], bool]:
    """One environment for all: the same warehouse, instance and CRM account.

    Then what of it another terminal needs, and whether it is the sandbox that is played with:
    its webhooks lead to the port `hooks`.
    """
    from crm_sync_assets.operations.opening import open_warehouse
    from crm_sync_assets.orchestration.instance import instance_folder
    from crm_sync_assets.sandbox.crms.genius.crm import beside
    from crm_sync_assets.sandbox.process import sandbox

    warehouse = open_warehouse()
    exports = {**(world.variables if world else {}), "CRM_SYNC_HOME": str(env.made_home())}
    plays = not _any_is_named()
    if not plays:
        _say("dev", "the accounts your environment names")
    else:
        options = ["--move-every", str(every)]
        options += world.options if world else ("--contacts", str(contacts))
        # On a server of yours nothing is made but the warehouse's own tables.
        if not env.warehouse_url:
            options += ["--genius-url", beside(warehouse.url)]
        running = stack.enter_context(sandbox(*options))
        if world:
            world.play_again(running)
        exports |= {**running.env, **dev_webhooks.of_the_sandbox(running.webhooks, hooks)}
        _say("dev", f"the sandbox at {running.url}; one change every {every:g} s")
    shared = {**os.environ, **exports, "CRM_SYNC_WAREHOUSE_URL": warehouse.url}
    shared["DAGSTER_HOME"] = str(instance_folder(env))
    shared["PYTHONUNBUFFERED"] = "1"
    # Dagster announces with every start which of its parameters are in beta.
    shared.setdefault("PYTHONWARNINGS", "ignore")
    _say("dev", f"warehouse: {'your server' if env.warehouse_url else warehouse.url}")
    return shared, exports, plays


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
        # Dagster colours its log for a terminal, which this may not be.
        _say(name, _COLOUR.sub("", line.rstrip()))


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


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
