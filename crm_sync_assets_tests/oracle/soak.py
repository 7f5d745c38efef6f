"""The oracle for as long as one likes.

    python -m crm_sync_assets_tests.oracle.soak --minutes 30 --seed 1 [--machine hubspot]

Each round is some examples of one seed; a round that fails is replayed by its seed alone, with
`--rounds 1`. Exit code 1 and the steps of the failure when there is one, 0 when time is up.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from crm_sync_assets_tests.oracle.arrivy import ArrivyMachine
from crm_sync_assets_tests.oracle.bench import Bench
from crm_sync_assets_tests.oracle.callrail import CallRailMachine
from crm_sync_assets_tests.oracle.five9 import Five9Machine
from crm_sync_assets_tests.oracle.genius import GeniusMachine
from crm_sync_assets_tests.oracle.gsheet import GSheetMachine
from crm_sync_assets_tests.oracle.hubspot import HubSpotMachine
from crm_sync_assets_tests.oracle.leadconduit import LeadConduitMachine
from crm_sync_assets_tests.oracle.machine import EngineMachine, tally
from crm_sync_assets_tests.oracle.marketsharp import MarketSharpMachine
from crm_sync_assets_tests.oracle.pipedrive import PipedriveMachine
from crm_sync_assets_tests.oracle.salesforce import SalesforceMachine
from crm_sync_assets_tests.oracle.salespro import SalesProMachine
from crm_sync_assets_tests.oracle.salesrabbit import SalesRabbitMachine
from crm_sync_assets_tests.oracle.told import LOST, Telling
from crm_sync_assets_tests.receiver.senders import SENDERS

MACHINES: dict[str, type[EngineMachine]] = {
    "hubspot": HubSpotMachine,
    "genius": GeniusMachine,
    "callrail": CallRailMachine,
    "pipedrive": PipedriveMachine,
    "arrivy": ArrivyMachine,
    "salesrabbit": SalesRabbitMachine,
    "leadconduit": LeadConduitMachine,
    "gsheet": GSheetMachine,
    "salesforce": SalesforceMachine,
    "salespro": SalesProMachine,
    "marketsharp": MarketSharpMachine,
    "five9": Five9Machine,
}


def play(
    machine: type[EngineMachine], bench: Bench, *, number: int, examples: int, steps: int,
    shrink: bool = False, webhooks: Telling = "off",
) -> None:  # fmt: skip
    """So many examples of one seed. Raises what the first failure raised, with its steps noted."""
    played = type(machine.__name__, (machine,), {"bench": bench, "webhooks": webhooks})
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        seed(number)(played),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=phases,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.normal,
        ),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Random lives of a source and of its syncs.")
    parser.add_argument("--minutes", type=float, default=30, help="how long (30)")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10**6, help="of round one")
    parser.add_argument("--rounds", type=int, default=10**9, help="at most")
    parser.add_argument("--examples", type=int, default=10, help="of one round (10)")
    parser.add_argument("--steps", type=int, default=40, help="at most, of one example (40)")
    parser.add_argument("--machine", choices=[*MACHINES, "all"], default="all")
    parser.add_argument(
        "--webhooks",
        choices=[*LOST, "all"],
        default="all",
        help="how much of what happens is told; all: in turn, where the CRM has webhooks",
    )
    parser.add_argument("--shrink", action="store_true", help="look for a shorter failure")
    parser.add_argument("--keep-going", action="store_true", help="after a failure, to the end")
    given = parser.parse_args()
    logging.getLogger("crm_sync_assets").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    # So that the servers are stopped as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = list(MACHINES) if given.machine == "all" else [given.machine]
    told: list[Telling] = list(LOST) if given.webhooks == "all" else [given.webhooks]
    lives = [(one, how) for how in told for one in names if how == "off" or one in SENDERS]
    until, failures = time.monotonic() + 60 * given.minutes, 0
    with Bench() as bench:
        for turn in range(given.rounds):
            number = given.seed + turn // len(lives)
            name, webhooks = lives[turn % len(lives)]
            began = time.monotonic()
            if began > until:
                break
            try:
                play(
                    MACHINES[name], bench, number=number, examples=given.examples,
                    steps=given.steps, shrink=given.shrink, webhooks=webhooks,
                )  # fmt: skip
            except KeyboardInterrupt:
                return 1
            except Exception:  # noqa: BLE001  what the example found, whatever it is
                traceback.print_exc(file=sys.stdout)
                print(
                    f"\nfailed: --machine {name} --webhooks {webhooks} --seed {number} --rounds 1 "
                    f"--examples {given.examples} --steps {given.steps} [--shrink]",
                    flush=True,
                )
                failures += 1
                if not given.keep_going:
                    break
                continue
            seconds = time.monotonic() - began
            print(
                f"{name}, webhooks {webhooks}, seed {number}: {given.examples} examples in "
                f"{seconds:.0f} s",
                flush=True,
            )
    print("\nsteps and endings:")
    for what, times in sorted(tally.items()):
        print(f"{times:8,} {what}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
