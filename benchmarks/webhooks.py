"""How many deliveries a second the receiver takes, and whether one that it answered is ever lost.

    python -m benchmarks.webhooks 20 2 32

For so many seconds, with so many processes that answer, over so many connections: signed deliveries
of HubSpot with one event each, sent to this machine as fast as they are answered. The warehouse is
an embedded PostgreSQL with its writes on the disk. CPU time is that of the receiver.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

SECRET = "benchmark-secret-1"


def request(address: str, number: int) -> bytes:
    """A whole delivery, signed for this address."""
    at = round(1000 * time.time())
    event = {
        "eventId": number,
        "subscriptionId": 25,
        "occurredAt": at,
        "subscriptionType": "contact.propertyChange",
        "objectId": number % 10_000,
        "propertyName": "lifecyclestage",
        "propertyValue": "customer",
    }
    body = json.dumps([event]).encode()
    text = f"POSThttp://{address}/webhooks/hubspot".encode() + body + str(at).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), text, hashlib.sha256)).decode()
    head = (
        f"POST /webhooks/hubspot HTTP/1.1\r\nHost: {address}\r\n"
        "Content-Type: application/json\r\n"
        f"X-HubSpot-Signature-v3: {signature}\r\nX-HubSpot-Request-Timestamp: {at}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def sender(address: str, first: int, until: float, took: dict[int, float]) -> int:
    """Deliver from `first` on until the time is over; how many were not taken."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    number, refused = first, 0
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(request(address, number))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " in head.partition(b"\r\n")[0]:
            took[number] = time.monotonic() - began
        else:
            refused += 1
        lines = head.lower().split(b"\r\n")
        (length,) = [int(one[15:]) for one in lines if one.startswith(b"content-length:")]
        await reader.readexactly(length)
        number += 1
    writer.close()
    return refused


async def send(address: str, seconds: float, connections: int) -> tuple[dict[int, float], int]:
    took: dict[int, float] = {}
    until = time.monotonic() + seconds
    senders = [sender(address, 10_000_000 * n, until, took) for n in range(connections)]
    return took, sum(await asyncio.gather(*senders))


def main(words: Sequence[str]) -> None:
    """Print what was taken, how long it took, and what is not in the table."""
    seconds, workers, connections = (int(word) for word in (*words, "20", "2", "32")[:3])
    with tempfile.TemporaryDirectory(prefix="crm_sync_bench_") as home:
        Path(home).chmod(0o755)
        environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith("CRM_SYNC_")},
            "CRM_SYNC_HOME": home,
            "HUBSPOT_WEBHOOK_SECRET": SECRET,
        }
        command = ["-m", "crm_sync_assets.cli", "webhooks", "--port=0", f"--workers={workers}"]
        receiver = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            assert receiver.stdout is not None
            address = receiver.stdout.readline().split()[4].split("/")[2]
            # The first delivery starts the database.
            asyncio.run(send(address, 3, 1))
            # What has just started the database may end any moment: only those that answer count.
            parent = psutil.Process(receiver.pid)
            family = [parent, *(one for one in parent.children() if "python" in one.name())]
            before = sum(sum(one.cpu_times()[:2]) for one in family)
            memory = sum(one.memory_info().rss for one in family)
            took, refused = asyncio.run(send(address, seconds, connections))
            cpu = sum(sum(one.cpu_times()[:2]) for one in family) - before
            grown = sum(one.memory_info().rss for one in family) - memory
            from crm_sync_assets.warehouse import embedded

            with psycopg.connect(embedded.start(Path(home) / "postgres")) as connection:
                kept = {int(key.split(":")[0]) for (key,) in connection.execute(
                    "SELECT event_key FROM ingestion_webhook_event")}  # fmt: skip
        finally:
            receiver.terminate()
            receiver.wait()
    times = sorted(took.values())
    print(
        f"{len(times) / seconds:,.0f} a second for {seconds} s, {refused} refused, "
        f"{len(took.keys() - kept)} answered and lost; "
        f"median {1000 * times[len(times) // 2]:.0f} ms, "
        f"99 of 100 within {1000 * times[len(times) * 99 // 100]:.0f} ms; "
        f"CPU {1000 * cpu / max(len(times), 1):.2f} ms each; "
        f"memory grew by {grown / 1e6:.0f} MB; load {os.getloadavg()[0]:.0f}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
