"""Side by side: the same records, server and PostgreSQL for this project and its peers.

    make bench                       the whole table, growth and fixed cost
    python -m benchmarks --records 20000 --repeats 1 --only ours,bare

Each contestant runs as a process of its own, start to exit. Per contestant and repetition: a
first load into an empty warehouse, a delta after 1 % of the records changed, a delta after nothing
changed, and a full read of what is stored already. Seconds are wall-clock and CPU (user and
system, of the process and its children, the database not counted), memory is the process's peak.
The median of the repetitions is shown, and how many times as fast this project is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.server import BURST, SEARCHES

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks" / "peers"
PHASES = ("first load", "1 % changed", "nothing changed", "full read")


@dataclass(frozen=True)
class Contestant:
    """How one contestant is called: `full`, `delta` and `again` are the words of each reading."""

    title: str
    command: tuple[str, ...]
    full: str = "full"
    delta: str = "delta"
    again: str = "full"
    options: tuple[str, ...] = ()
    peer: bool = False

    def words(self, phase: str) -> tuple[str, ...]:
        how = {PHASES[0]: self.full, PHASES[3]: self.again}.get(phase, self.delta)
        return (*self.command, how, *self.options)


DLT = (str(PEERS / "dlt_load.py"),)
CONTESTANTS = {
    "ours": Contestant("crm_sync_assets", ("-m", "benchmarks.ours"), again="full-read"),
    "unchecked": Contestant(
        "the same without validation",
        ("-m", "benchmarks.ours"),
        again="full-read",
        options=("--skip-validation",),
    ),
    "bare": Contestant("bare loop, httpx", ("-m", "benchmarks.bare")),
    "django": Contestant("Django bulk_create", (str(PEERS / "django_load.py"),), peer=True),
    "dlt": Contestant("dlt rest_api", (*DLT, "default"), peer=True),
    "dlt-tuned": Contestant("dlt rest_api, tuned", (*DLT, "tuned"), peer=True),
    "dlt-arrow": Contestant("dlt, arrow tables by hand", (*DLT, "arrow"), peer=True),
}
STEP = Contestant("engine", ("-m", "benchmarks.ours"), again="full-read", options=("--engine",))


@dataclass(frozen=True)
class Run:
    """One process: wall-clock and CPU seconds, peak memory in MiB, the records it counted, and the
    seconds of its step alone, imports left out, where it tells them."""

    seconds: float
    cpu: float
    memory: float
    records: int
    step: float


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--only", default=",".join(CONTESTANTS), help="names, by commas")
    arguments.add_argument("--growth", default="10000,100000,1000000", help="sizes, or nothing")
    arguments.add_argument("--latency", action="store_true", help="80 ms and HubSpot's limits too")
    arguments.add_argument("--no-fixed", action="store_true", help="leave out the fixed cost")
    given = arguments.parse_args(words)
    chosen = {name: CONTESTANTS[name] for name in given.only.split(",")}
    python = peers_python() if any(one.peer for one in chosen.values()) else ""
    with tempfile.TemporaryDirectory(prefix="bench_", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        database = Database(home)
        side_by_side(database, home, chosen, python, given.records, given.repeats)
        steps(database, home, given.records, given.repeats)
        if given.growth:
            growth(database, home, [int(size) for size in given.growth.split(",")])
        if given.latency:
            latency(database, home, given.records)
        if not given.no_fixed:
            from benchmarks.fixed import fixed_cost

            fixed_cost(home)


class Database:
    """An embedded PostgreSQL, with a fresh database for whoever asks."""

    def __init__(self, home: Path) -> None:
        from crm_sync_assets.warehouse import embedded

        self._server = embedded.start(home / "postgres")
        self._count = 0

    def fresh(self) -> str:
        from crm_sync_assets.sandbox.crms.genius.crm import beside

        self._count += 1
        return beside(self._server, f"bench_{self._count}")


def side_by_side(
    database: Database,
    home: Path,
    chosen: dict[str, Contestant],
    python: str,
    count: int,
    repeats: int,
) -> None:
    found: dict[tuple[str, str], list[Run]] = {}
    with serving(count) as server:
        ceiling = fetch_ceiling(server, count)
        for repeat in range(repeats):
            for name, contestant in chosen.items():
                url, folder = database.fresh(), home / f"{name}_{repeat}"
                folder.mkdir()
                for phase in PHASES:
                    if phase == PHASES[1]:
                        control(server, {"change": count // 100})
                    run = measured(contestant, phase, server, url, folder, python)
                    expected = {PHASES[1]: count // 100, PHASES[2]: None}.get(phase, count)
                    if expected is not None and run.records != expected:
                        raise SystemExit(f"{name}, {phase}: {run.records} records, not {expected}")
                    found.setdefault((name, phase), []).append(run)
                    print(f"  {name}, {phase}: {run.seconds:.2f} s", file=sys.stderr, flush=True)
                shutil.rmtree(folder, ignore_errors=True)
    print(f"## {count:,} contacts of 30 properties, medians of {repeats}\n")
    print(f"The server alone gives {ceiling:,.0f} records/s to one reader of raw bytes.\n")
    for phase in PHASES:
        print(f"### {phase}\n\n| | seconds | records/s | CPU s | peak MiB | ours is |")
        print("|---|---:|---:|---:|---:|---:|")
        ours = found.get(("ours", phase))
        for name, contestant in chosen.items():
            runs = found[name, phase]
            seconds = median(run.seconds for run in runs)
            rate = f"{runs[0].records / seconds:,.0f}" if runs[0].records else ""
            ratio = f"× {seconds / median(run.seconds for run in ours):.2f}" if ours else ""
            print(
                f"| {contestant.title} | {seconds:.2f} | {rate} | "
                f"{median(run.cpu for run in runs):.2f} | "
                f"{max(run.memory for run in runs):.0f} | {ratio if name != 'ours' else ''} |"
            )
        print(flush=True)


def steps(database: Database, home: Path, count: int, repeats: int) -> None:
    """The engine beside the bare loop, without Dagster and without the start of Python."""
    contestants = (STEP, CONTESTANTS["bare"])
    found: dict[tuple[str, str], list[float]] = {}
    with serving(count) as server:
        for repeat in range(repeats):
            for contestant in contestants:
                url, folder = database.fresh(), home / f"step_{contestant.title}_{repeat}"
                folder.mkdir()
                for phase in PHASES:
                    if phase == PHASES[1]:
                        control(server, {"change": count // 100})
                    run = measured(contestant, phase, server, url, folder, "")
                    found.setdefault((contestant.title, phase), []).append(run.step)
    print("## The step alone, without imports and without Dagster\n")
    print("| | the engine, s | the bare loop, s | engine / loop |\n|---|---:|---:|---:|")
    for phase in PHASES:
        ours, bare = (median(found[one.title, phase]) for one in contestants)
        print(f"| {phase} | {ours:.2f} | {bare:.2f} | {ours / bare:.2f} |")
    print(flush=True)


def growth(database: Database, home: Path, sizes: Sequence[int]) -> None:
    print("## Growth\n\n| records | reading | seconds | records/s | CPU s | peak MiB |")
    print("|---:|---|---:|---:|---:|---:|")
    for size in sizes:
        with serving(size) as server:
            url, folder = database.fresh(), home / f"growth_{size}"
            folder.mkdir()
            for phase in (PHASES[0], PHASES[3]):
                run = measured(CONTESTANTS["ours"], phase, server, url, folder, "")
                print(
                    f"| {size:,} | {phase} | {run.seconds:.1f} | {run.records / run.seconds:,.0f} "
                    f"| {run.cpu:.1f} | {run.memory:.0f} |",
                    flush=True,
                )
    print()


def latency(database: Database, home: Path, count: int) -> None:
    """80 ms before every answer, and HubSpot's limits counted by the server."""
    with serving(count) as server:
        control(server, {"latency": 0.08, "limits": True})
        url, folder = database.fresh(), home / "latency"
        folder.mkdir()
        environment = {"CRM_SYNC_HUBSPOT__RATE_WINDOWS": '[["burst", 190, 10], ["search", 5, 1]]'}
        print("## 80 ms per answer, 190 requests per 10 s, 5 searches per second\n")
        print("| reading | seconds | requests | 429s | bound, seconds | × bound |")
        print("|---|---:|---:|---:|---:|---:|")
        for phase in PHASES[:3]:
            if phase == PHASES[1]:
                control(server, {"change": count // 100})
            control(server, None)
            run = measured(CONTESTANTS["ours"], phase, server, url, folder, "", environment)
            told = control(server, None)
            bound = least_seconds(told["requests"], told["searches"])
            print(
                f"| {phase} | {run.seconds:.1f} | {told['requests']} | {told['refused']} | "
                f"{bound:.1f} | {run.seconds / bound:.2f} |",
                flush=True,
            )
    print(
        "\nThe bound is the larger of what the limits force on so many requests and the round "
        "trips of one\ncursor; the seconds are the whole process, start and end of Python "
        "included.\n"
    )


def least_seconds(requests: int, searches: int, latency: float = 0.08) -> float:
    """The larger of what HubSpot's limits force and what one cursor's round trips take."""
    waits = [
        max(count - 1, 0) // most * seconds
        for count, (most, seconds) in ((requests - searches, BURST), (searches, SEARCHES))
    ]
    return max(*waits, requests * latency)


def measured(
    contestant: Contestant,
    phase: str,
    server: str,
    url: str,
    folder: Path,
    python: str,
    environment: dict[str, str] | None = None,
) -> Run:
    """One process from start to exit."""
    env = {
        **os.environ,
        "HUBSPOT_BASE_URL": f"{server}/hubspot",
        "HUBSPOT_TOKEN": "pat-na1-benchmark",
        "CRM_SYNC_WAREHOUSE_URL": url,
        "CRM_SYNC_HOME": str(folder),
        "BENCH_FOLDER": str(folder),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        # The server has no index that lags and no limits, so nobody waits for them.
        "CRM_SYNC_HUBSPOT__LAG_SECONDS": "0",
        "CRM_SYNC_HUBSPOT__RATE_WINDOWS": "[]",
        **(environment or {}),
    }
    command = [python if contestant.peer else sys.executable, *contestant.words(phase)]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{contestant.title}, {phase}:\n{errors.read()[-4000:]}")
        lines = output.read().split()
        told = errors.read().split()
        step = float(told[-1]) if told and told[-1].replace(".", "", 1).isdigit() else 0.0
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, cpu, usage.ru_maxrss / 1024, int(lines[-1]), step)


@contextmanager
def serving(count: int) -> Iterator[str]:
    """The address of a server with so many contacts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", "--records", str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def control(server: str, order: dict[str, object] | None) -> dict[str, int]:
    data = json.dumps(order).encode() if order is not None else None
    with urllib.request.urlopen(f"{server}/control", data=data, timeout=60) as answer:
        told: dict[str, int] = json.load(answer)
        return told


def fetch_ceiling(server: str, count: int) -> float:
    """Records per second that one connection gets out of the server, bodies unread."""
    import http.client

    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    began = time.monotonic()
    for after in range(0, count, 100):
        connection.request("GET", f"/hubspot/crm/v3/objects/contacts?limit=100&after={after}")
        connection.getresponse().read()
    return count / (time.monotonic() - began)


def peers_python() -> str:
    """The Python of the peers' own environment, made the first time."""
    environment = ROOT / "benchmarks" / ".venv"
    python = environment / "bin" / "python"
    wanted = (PEERS / "requirements.txt").read_text()
    stamp = environment / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing the peers into {environment}, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "-r", str(PEERS / "requirements.txt")],
            check=True,
        )
        stamp.write_text(wanted)
    return str(python)


if __name__ == "__main__":
    main()
