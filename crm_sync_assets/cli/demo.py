"""`crm-sync demo`."""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.cli.arguments import Parser, positive


def run(words: Sequence[str]) -> int:
    parser = Parser(
        prog="crm-sync demo",
        description="A first sync and a delta of every HubSpot entity against the sandbox, in a "
        "state folder of its own, compared with the sandbox's truth at the end.",
    )
    parser.add_argument("--contacts", type=positive, default=2_000, metavar="N", help="[2000]")
    parser.add_argument(
        "--moves", type=positive, default=400, metavar="N", help="changes before the delta [400]"
    )
    parser.add_argument("--no-progress", action="store_true", help="Plain lines, no bars.")
    given = parser.parse(words)
    from crm_sync_assets.cli.demo_run import demo

    return demo(contacts=given.contacts, moves=given.moves, bars=not given.no_progress)
