"""How long it takes from what happens in a CRM to the row, with webhooks.

    python -m benchmarks.webhook_latency eager 25
    python -m benchmarks.webhook_latency sensor 8

One contact after the other is edited in HubSpot's sandbox, its delivery sent to a receiver of its
own process, and the table looked at fifty times a second. `eager`: the receiver reads what is told;
`sensor`: Dagster's daemon starts a run for it. The warehouse is an embedded PostgreSQL.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psycopg

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.sandbox.crms.hubspot import webhooks as hubspot
from crm_sync_assets.warehouse import embedded

SECRET = "benchmark-secret-1"
CODE = "crm_sync_assets.definitions"
PATIENCE_SECONDS = 240.0


@contextmanager
def started(*words: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process of Python for as long as it lasts."""
    process = subprocess.Popen(
        [sys.executable, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def until_it_is_there(connection: psycopg.Connection[tuple[str]], contact: str, name: str) -> float:
    """The moment in which the row says so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    query = "SELECT FROM hubspot_contact WHERE id = %s AND firstname = %s"
    while connection.execute(query, (contact, name)).fetchone() is None:
        if time.monotonic() > deadline:
            raise SystemExit(f"after {PATIENCE_SECONDS:.0f} s the row is not there")
        time.sleep(0.02)
    return time.monotonic()


def main(words: Sequence[str]) -> None:
    """Print what it took, by rank."""
    how, times = (*words, "eager", "25")[:2]
    rng = random.Random(1)
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="crm_sync_bench_"))
        Path(home).chmod(0o755)
        sandbox = stack.enter_context(Sandbox(seed=1, contacts=50, zipcodes=1))
        env = {n: v for n, v in os.environ.items() if not n.startswith("CRM_SYNC_")}
        env |= {**sandbox.env(), "CRM_SYNC_HOME": home, "HUBSPOT_WEBHOOK_SECRET": SECRET}
        sync = [sys.executable, "-m", "crm_sync_assets.cli", "hubspot", "contacts", "--no-progress"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(sync, env=env, check=True, **quiet)
        eager = ["--eager"] if how == "eager" else []
        receiver = stack.enter_context(
            started("-m", "crm_sync_assets.cli", "webhooks", "--port=0", *eager, env=env)
        )
        assert receiver.stdout is not None
        url = receiver.stdout.readline().split()[4].rstrip(",;")
        if how == "sensor":
            env["DAGSTER_HOME"] = str(Path(home) / "dagster")
            stack.enter_context(started("-m", "dagster._daemon", "run", "-m", CODE, env=env))
        sender = hubspot.sender(sandbox.hubspot, url, SECRET)
        contacts = sandbox.hubspot.ids("contacts")
        connection = stack.enter_context(
            psycopg.connect(embedded.start(Path(home) / "postgres"), autocommit=True)
        )
        took = list[float]()
        # The first one waits for what has to start.
        for n in range(int(times) + 1):
            contact, name = contacts[n % len(contacts)], f"Latency {n}"
            time.sleep(rng.uniform(0.5, 2.5))
            began = time.monotonic()
            sandbox.hubspot.edit("contacts", contact, {"firstname": name})
            if not sender.send():
                raise SystemExit(f"the delivery was not taken: {dict(sender.answers)}")
            took.append(until_it_is_there(connection, contact, name) - began)
    took = sorted(took[1:])
    print(
        f"{how}: {len(took)} edits; seconds: least {took[0]:.1f}, median {median(took):.1f}, "
        f"9 of 10 within {took[len(took) * 9 // 10]:.1f}, most {took[-1]:.1f}; "
        f"load {os.getloadavg()[0]:.0f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
