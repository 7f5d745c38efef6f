"""`crm-sync dev`."""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.cli.arguments import Parser, positive


def run(words: Sequence[str]) -> int:
    parser = Parser(
        prog="crm-sync dev",
        description="Dagster's UI and daemon, the embedded PostgreSQL, and the sandbox unless "
        "HUBSPOT_TOKEN or HUBSPOT_BASE_URL is set. Ctrl-C stops all of them.",
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
    from crm_sync_assets.cli.dev_server import dev

    return dev(port=given.port, host=given.host, contacts=given.contacts, every=given.every)
