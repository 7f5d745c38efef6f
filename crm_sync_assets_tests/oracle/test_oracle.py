"""The oracle for about a minute, with the same lives every time; `make soak` takes longer."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from crm_sync_assets_tests.mariadb import MARIADBD
from crm_sync_assets_tests.oracle.bench import Bench
from crm_sync_assets_tests.oracle.soak import MACHINES, play
from crm_sync_assets_tests.oracle.told import Telling
from crm_sync_assets_tests.receiver.senders import SENDERS


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
    play(MACHINES["hubspot"], bench, number=seed, examples=2, steps=35)


@pytest.mark.timeout(900)
@pytest.mark.skipif(
    MARIADBD is None and os.environ.get("CI") != "true",
    reason="no mariadbd here: apt-get install mariadb-server",
)
def test_whatever_happens_genius_ends_with_the_truth(bench: Bench) -> None:
    play(MACHINES["genius"], bench, number=1, examples=3, steps=25)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("crm", sorted(MACHINES.keys() - {"hubspot", "genius"}))
def test_whatever_happens_the_others_end_with_the_truth(bench: Bench, crm: str) -> None:
    play(MACHINES[crm], bench, number=1, examples=3, steps=20)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("webhooks", ["on", "half"])
@pytest.mark.parametrize("crm", sorted(SENDERS))
def test_whatever_is_told_of_it_they_end_with_the_truth(
    bench: Bench, crm: str, webhooks: Telling
) -> None:
    play(MACHINES[crm], bench, number=1, examples=1, steps=20, webhooks=webhooks)
