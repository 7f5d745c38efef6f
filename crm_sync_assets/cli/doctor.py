"""`crm-sync doctor`: is everything in place?"""

from __future__ import annotations

from collections.abc import Sequence

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.tables import check_crm
from crm_sync_assets.redaction import one_line, redact

_MARKS = {"ok": "✓", "note": "!", "wrong": "✗"}


def parser() -> Parser:
    found = Parser(
        prog="crm-sync doctor",
        description="Check credentials, warehouse, clocks, disk and settings. Reads a record of "
        "each kind, writes nothing.",
    )
    found.add_argument("crm", nargs="*", help="only these CRMs")
    return found


def run(words: Sequence[str]) -> int:
    """A line per finding; 1 if something is wrong."""
    given = parser().parse(words)
    for name in given.crm:
        check_crm(name)
    from crm_sync_assets.operations.doctor import examine

    wrong = 0
    for finding in examine(given.crm):
        wrong += finding.grade == "wrong"
        text = one_line(redact(" ".join(finding.detail.split())))
        print(f"{_MARKS[finding.grade]} {finding.what}: {text}", flush=True)
    if wrong:
        exits.say(f"{wrong} of these {'is' if wrong == 1 else 'are'} wrong (✗)")
    return exits.FAILED if wrong else exits.SUCCESS
