"""Random lives of a company, with syncs in between that are disturbed, broken off and resumed."""

from __future__ import annotations

import random

import pytest

from crm_sync_assets.errors import Refused, SyncError
from crm_sync_assets_tests.crms.pipedrive.conftest import RECORDS, Company

SEEDS = range(8)
"""Few of them each time; any other number makes another life."""
DAY = 86_400


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_warehouse_ends_with_the_truth(company: Company, seed: int) -> None:
    live(company, seed)


def live(company: Company, seed: int) -> None:
    """Edits, archives and their reverse, deletions, merges, conversions; deltas and full reads."""
    rng = random.Random(seed)
    knobs, world = company.sandbox.knobs, company.world
    knobs.pipedrive_archive_is_change = is_change = rng.random() < 0.7
    knobs.pipedrive_deleted_notes = rng.random() < 0.5
    knobs.pipedrive_deleted_status = rng.choice((200, 404, 410))
    knobs.pipedrive_null_lists = rng.random() < 0.5
    knobs.pipedrive_flat_pagination = rng.random() < 0.5
    company.configure(page_size=rng.choice((4, 9, 50)), load_rows=20, max_attempts=2)
    company.connect()
    names = ["deals", "leads", *rng.sample([n for n in RECORDS if n not in ("deals", "leads")], 2)]
    for name in names:
        company.sync(name)
    for turn in range(rng.randrange(2, 5)):
        # Together less than the bin keeps: only this machine's clock, which stays, tells of more.
        company.sandbox.clock.advance(rng.choice((60, 700, DAY, 7 * DAY)))
        world.move(rng.randrange(1, 25), seed=1_000 * seed + turn)
        company.sandbox.clock.advance(rng.choice((0, 1, 3_600)))
        for name in names:
            _disturbed(company, rng, name, full=rng.random() < 0.2)
        if is_change and rng.random() < 0.5:
            company.sandbox.clock.advance(2)
            for name in names:
                _settled(company, name, full=False)
            assert company.wrong(*names, everything=False) == [], f"after turn {turn}"
    company.sandbox.clock.advance(2)
    for name in names:
        _settled(company, name, full=True)
    assert company.wrong(*names) == []


def _disturbed(company: Company, rng: random.Random, name: str, *, full: bool) -> None:
    """A sync in whose middle the company goes on living, or a page fails for good."""
    sandbox, world = company.sandbox, company.world
    on, moves, seed = rng.randrange(1, 5), rng.randrange(1, 4), rng.randrange(10**6)
    what = rng.choice(("nothing", "life", "failure", "forgotten cursors"))
    pages = rf"GET /pipedrive/api/v\d/{name}(/archived)?\?"
    if what == "life":
        sandbox.faults.add(pages, on=on, callback=lambda _: world.move(moves, seed) and None)
    elif what != "nothing":
        sandbox.faults.add(pages, on=f"{on}-", status=500)
    try:
        company.sync(name, full=full)
    except Refused:
        company.sync(name, force=True)
    except SyncError:
        assert what in ("failure", "forgotten cursors")
    sandbox.faults.clear()
    if what == "forgotten cursors":
        world.expire_cursors()


def _settled(company: Company, name: str, *, full: bool) -> None:
    """A sync of a company that stands still, to its end: one that is resumed is of before."""
    resumed = True
    while resumed:
        try:
            told = company.sync(name, full=full)
        except Refused:
            told = company.sync(name, force=True)
        assert told.status == "success"
        resumed = told.resumed
