"""Salesforce's bulk jobs and processes that die: the next one takes up the job that was ordered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crm_sync_assets_tests.crms.bench import bench, running, sandbox
from crm_sync_assets_tests.crms.salesforce.conftest import Bench
from crm_sync_assets_tests.end_to_end.killing import killed, process

__all__ = ["bench", "running", "sandbox"]
PAGE = 100


class Many(Bench):
    options = {"salesforce_contacts": 980}  # noqa: RUF012  as its parent has it


@pytest.fixture(scope="module")
def kind() -> type[Bench]:
    return Many


@pytest.fixture
def org(bench: Bench) -> Bench:
    """Its contacts are ten pages of results, a batch each; the job is done when it is looked at."""
    bench.configure(bulk_rows=500, page_size=PAGE, load_rows=PAGE, prefetch_pages=1)
    knobs = {"salesforce_job_page": PAGE, "salesforce_job_polls": 0}
    bench.sandbox.knobs.turn({"token_lifetime": 1_000_000, **knobs})
    return bench


def asked(org: Bench) -> tuple[list[str], list[str]]:
    """The jobs that were asked about, and the locators of results that were read, in order."""
    jobs, locators = list[str](), list[str]()
    for one in org.asked("/jobs/query/"):
        found = re.search(r"/jobs/query/(\w+)(/results)?$", one.path)
        assert found
        jobs.append(found[1])
        if found[2]:
            locators.append(re.sub(r".*locator=|maxRecords=\d+&?", "", one.query))
    return jobs, locators


def orders(org: Bench) -> int:
    return sum(one.method == "POST" for one in org.asked("/jobs/query"))


@pytest.mark.parametrize(
    ("step", "nth", "stored"),
    # The first batch has the job's id and no rows.
    [("after commit", 1, 0), ("after commit", 7, 6), ("between COPY and upsert", 7, 6)],
    ids=["before any result", "at 60 %", "within a batch at 60 %"],
)
def test_a_process_that_dies_leaves_its_job_to_the_next(
    org: Bench, step: str, nth: int, stored: int
) -> None:
    everything = set(org.world.ids("Contact"))
    org.sandbox.ledger.reset()
    killed(step, nth, crm="salesforce", entity="contacts")
    [dead] = org.history()
    assert (dead["status"], dead["watermark"]) == ("running", None)
    job = dead["checkpoint"]["cursor"]["job"]["id"]
    jobs, before = asked(org)
    assert (orders(org), set(jobs)) == (1, {job})
    assert len(org.rows("contacts")) == pytest.approx(stored * PAGE, abs=PAGE)
    org.sandbox.ledger.reset()
    child = process(entity="contacts", crm="salesforce")
    out, complaint = child.communicate(timeout=90)
    assert out.strip() == "success", complaint
    jobs, after = asked(org)
    assert orders(org) == 0
    assert set(jobs) == {job}
    # What was being stored is read again, and what waited behind it; nothing that was stored.
    assert not set(before[:stored]) & set(after)
    assert len(after) == 10 - stored
    last: Any = org.history()[-1]
    assert last["records_processed"] == last["records_created"] == len(everything)
    assert set(org.rows("contacts")) == everything
    assert org.wrong("contacts") == []


def test_a_page_of_results_that_was_stored_by_half_is_not_read_twice(org: Bench) -> None:
    org.sandbox.knobs.turn({"salesforce_job_page": 250})
    everything = set(org.world.ids("Contact"))
    # After the job's id: 100, 100 and 50 rows of the first page, 100 of the second.
    killed("after commit", 5, crm="salesforce", entity="contacts")
    [dead] = org.history()
    assert dead["checkpoint"]["cursor"]["job"]["row"] == PAGE
    org.sandbox.ledger.reset()
    child = process(entity="contacts", crm="salesforce")
    out, complaint = child.communicate(timeout=90)
    assert out.strip() == "success", complaint
    assert (orders(org), len(asked(org)[1])) == (0, 3)
    last: Any = org.history()[-1]
    assert last["records_processed"] == last["records_created"] == len(everything)
    assert org.wrong("contacts") == []
