"""How many pages are asked for at once: as many as was said, and never more than may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.settings import environment as settings_of
from crm_sync_assets_tests.crms.arrivy.conftest import NOON, Bench

COUNT = 900


@pytest.fixture(scope="module")
def _many() -> Iterator[Sandbox]:
    with Sandbox(seed=9, contacts=1, zipcodes=1, arrivy_tasks=0) as sandbox:
        yield sandbox


@pytest.fixture
def many(_many: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Tasks of one slice, far enough ahead that no status is asked for; answers take 80 ms."""
    _many.reset()
    _many.clock.freeze(NOON)
    for number in range(COUNT):
        _many.arrivy.book(NOON + timedelta(days=4, minutes=30 * number))
    for name, value in _many.env().items():
        environment.setenv(name, value)
    bench = Bench(_many, environment)
    _many.knobs.latency = 0.08
    yield bench
    _many.knobs.reset()
    bench.close()


def at_once(bench: Bench, asked: int, **flags: object) -> int:
    """The most requests of a full read that ran at once."""
    bench.sandbox.ledger.reset()
    bench.sync("tasks", full=True, batch_size=30, concurrent_pages=asked, **flags)
    assert bench.wrong("tasks") == []
    return bench.sandbox.ledger.most_at_once["arrivy"]


def test_pages_are_asked_for_at_once_and_never_more_than_the_account_allows(many: Bench) -> None:
    """What that saves `benchmarks/concurrent_pages.py` tells; a busy machine saves nothing."""
    assert at_once(many, 1) == 1
    many.configure(requests_at_once=4)
    assert at_once(many, 8) == 4
    assert many.history()[-1]["configuration"]["concurrent_pages"] == 4


def test_high_performance_says_what_it_picks(many: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        at_once(many, 1, high_performance=True)
    said = many.history()[-1]["configuration"]
    assert (said["page_size"], said["concurrent_pages"]) == (500, 3)
    assert "high_performance: 3 pages at once, of 500 records" in caplog.text


def test_the_account_s_cap_holds_over_all_its_readers(many: Bench) -> None:
    """Two clients that share a warehouse, as two processes do."""
    import threading

    from crm_sync_assets.crms.arrivy.client import Arrivy
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.declarations.contract import Read, Usage
    from crm_sync_assets.declarations.overrides import settings_for
    from crm_sync_assets_tests.crms.arrivy.conftest import CRM, FULL

    env = settings_of()
    tasks = registry.entity("arrivy.tasks")
    many.sandbox.ledger.reset()
    counts = list[int]()

    def read() -> None:
        client = Arrivy(env, settings_for(CRM), database_url=env.warehouse_url)
        asked = Read(tasks, FULL, 30, None, options={"concurrent_pages": 8})  # type: ignore[arg-type]
        counts.append(sum(len(page.records) for page in client.pages(asked, Usage())))
        client.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert counts == [COUNT, COUNT]
    assert many.sandbox.ledger.most_at_once["arrivy"] == 3


def test_an_interrupted_sync_resumes_at_any_pace(many: Bench) -> None:
    many.sandbox.knobs.latency = 0
    many.sandbox.faults.add(r"page=6", on="all", status=400)
    with pytest.raises(Exception, match="400"):
        many.sync("tasks", batch_size=30, concurrent_pages=8)
    stored = len(many.rows("tasks"))
    assert 0 < stored < COUNT
    many.sandbox.faults.clear()
    assert many.sync("tasks", batch_size=30, concurrent_pages=1).resumed
    assert many.wrong("tasks") == []
