"""The oracle for about a minute, with the same lives every time; `make soak` takes longer."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from crm_sync_assets_tests.mariadb import MARIADBD
from crm_sync_assets_tests.oracle.arrivy import ArrivyMachine
from crm_sync_assets_tests.oracle.bench import Bench
from crm_sync_assets_tests.oracle.callrail import CallRailMachine
from crm_sync_assets_tests.oracle.genius import GeniusMachine
from crm_sync_assets_tests.oracle.gsheet import GSheetMachine
from crm_sync_assets_tests.oracle.hubspot import HubSpotMachine
from crm_sync_assets_tests.oracle.leadconduit import LeadConduitMachine
from crm_sync_assets_tests.oracle.pipedrive import PipedriveMachine
from crm_sync_assets_tests.oracle.salesforce import SalesforceMachine
from crm_sync_assets_tests.oracle.salesrabbit import SalesRabbitMachine
from crm_sync_assets_tests.oracle.soak import play


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with Bench() as bench:
        yield bench


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of warnings are what the examples ask for."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_happens_hubspot_ends_with_the_truth(bench: Bench, seed: int) -> None:
    play(HubSpotMachine, bench, number=seed, examples=2, steps=35)


@pytest.mark.timeout(900)
@pytest.mark.skipif(
    MARIADBD is None and os.environ.get("CI") != "true",
    reason="no mariadbd here: apt-get install mariadb-server",
)
def test_whatever_happens_genius_ends_with_the_truth(bench: Bench) -> None:
    play(GeniusMachine, bench, number=1, examples=3, steps=25)


@pytest.mark.timeout(900)
def test_whatever_happens_callrail_ends_with_the_truth(bench: Bench) -> None:
    play(CallRailMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_pipedrive_ends_with_the_truth(bench: Bench) -> None:
    play(PipedriveMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_salesrabbit_ends_with_the_truth(bench: Bench) -> None:
    play(SalesRabbitMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_arrivy_ends_with_the_truth(bench: Bench) -> None:
    play(ArrivyMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_leadconduit_ends_with_the_truth(bench: Bench) -> None:
    play(LeadConduitMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_gsheet_ends_with_the_truth(bench: Bench) -> None:
    play(GSheetMachine, bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
def test_whatever_happens_salesforce_ends_with_the_truth(bench: Bench) -> None:
    play(SalesforceMachine, bench, number=1, examples=3, steps=20)
