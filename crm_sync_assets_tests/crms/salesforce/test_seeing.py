"""What is hidden from the user of the API, and what it is allowed to see."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync_assets.declarations.overrides import settings_for
from crm_sync_assets.errors import Forbidden, Incomplete, TransientError
from crm_sync_assets.operations.doctor import examine
from crm_sync_assets.operations.verify import verify
from crm_sync_assets_tests.crms.salesforce.conftest import CRM, Bench


def live(bench: Bench, name: str = "contacts") -> set[str]:
    return {key for key, row in bench.rows(name).items() if row["deleted_at"] is None}


def later(bench: Bench) -> None:
    bench.pass_time(700)


def test_a_record_that_is_not_there_is_gone_for_who_sees_all(bench: Bench) -> None:
    bench.sync("contacts")
    everybody = live(bench)
    one, two, *_ = bench.world.ids("Contact")
    bench.world.purge("Contact", one)
    bench.sync("contacts", full=True)
    assert live(bench) == everybody - {one}
    # Who does not see all cannot know, and keeps the row.
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", two)
    later(bench)
    told = bench.sync("contacts", full=True)
    assert (told.status, told.counts.deleted) == ("success", 0)
    assert live(bench) == everybody - {one}
    entity = bench.entity("contacts")
    found = verify(bench.warehouse, entity, bench.client, settings_for(CRM, entity), repair=True)
    assert found.count("extra") == 0
    assert live(bench) == everybody - {one}


def test_a_right_that_is_gone_fails_deltas_until_a_read_of_everything(bench: Bench) -> None:
    bench.sync("contacts")
    one, other, *_ = bench.world.ids("Contact")
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", one)
    later(bench)
    bench.world.edit("Contact", other, {"Title": "Seen"})
    later(bench)
    with pytest.raises(Forbidden, match=r'had "View All Data".*--full') as told:
        bench.sync("contacts")
    assert told.value.reason == "scope"
    assert bench.history()[-1]["watermark"] is None
    # Granted again nothing was missed.
    bench.world.permit(view_all=True)
    bench.world.show("Contact", one)
    later(bench)
    bench.sync("contacts")
    assert bench.wrong("contacts") == []
    bench.world.permit(view_all=False)
    later(bench)
    bench.sync("contacts", full=True)
    later(bench)
    assert bench.sync("contacts").strategy.name == "incremental"


def test_what_was_hidden_is_read_once_its_user_sees_all(bench: Bench) -> None:
    hidden, *_ = bench.world.ids("Contact")
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", hidden)
    bench.sync("contacts")
    assert hidden not in bench.rows("contacts")
    later(bench)
    assert bench.sync("contacts").counts.created == 0
    bench.world.permit(view_all=True)
    bench.world.show("Contact", hidden)
    later(bench)
    told = bench.sync("contacts")
    assert (told.strategy.name, told.counts.created) == ("incremental", 1)
    assert bench.wrong("contacts") == []
    later(bench)
    bench.sandbox.ledger.reset()
    bench.sync("contacts")
    assert not [one for one in bench.queries() if "IsDeleted+%3D+false" in one]


def test_a_delta_that_goes_on_with_the_right_does_not_see_all(bench: Bench) -> None:
    """What it had read before it was granted lacks what was hidden."""
    hidden, *others = bench.world.ids("Contact")
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", hidden)
    bench.configure(page_size=10, load_rows=10, prefetch_pages=1)
    bench.sync("contacts")
    later(bench)
    bench.world.bulk_touch("Contact", others, properties={"Title": "New"})
    later(bench)
    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on="3-", status=500)
    with pytest.raises(TransientError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    bench.world.permit(view_all=True)
    bench.world.show("Contact", hidden)
    later(bench)
    assert bench.sync("contacts").resumed
    later(bench)
    bench.sync("contacts")
    assert hidden in bench.rows("contacts")
    assert bench.wrong("contacts") == []


def test_a_first_read_that_goes_on_without_the_right_begins_anew(bench: Bench) -> None:
    bench.configure(page_size=10, load_rows=10, prefetch_pages=1)
    bench.sandbox.faults.add(r"queryAll\?.*ORDER", on="3-", status=500)
    with pytest.raises(TransientError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    hidden = bench.world.ids("Contact")[-1]
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", hidden)
    later(bench)
    assert bench.sync("contacts").resumed
    bench.world.permit(view_all=True)
    bench.world.show("Contact", hidden)
    later(bench)
    bench.sync("contacts")
    assert bench.wrong("contacts") == []


@pytest.mark.parametrize("full", [False, True])
def test_a_right_that_is_lost_a_moment_ago_fails_what_was_begun_with_it(
    bench: Bench, full: bool
) -> None:
    """That it was there is still remembered."""
    bench.sync("contacts")
    before = live(bench)
    hidden = bench.world.ids("Contact")[0]
    bench.sandbox.clock.advance(700)
    bench.world.edit("Contact", hidden, {"Title": "Hidden"})
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", hidden)
    bench.sandbox.clock.advance(700)
    with pytest.raises(Incomplete, match="has it no more"):
        bench.sync("contacts", full=full)
    assert live(bench) == before
    bench.world.permit(view_all=True)
    bench.world.show("Contact", hidden)
    later(bench)
    assert not bench.sync("contacts").resumed
    assert bench.wrong("contacts") == []


def test_what_is_absent_is_asked_for_with_the_right_of_this_moment(bench: Bench) -> None:
    bench.sync("contacts")
    hidden = bench.world.ids("Contact")[0]
    bench.world.permit(view_all=False)
    bench.world.hide("Contact", hidden)
    [page] = bench.by_key(bench.entity("contacts"), hidden)
    assert (list(page.tombstones), list(page.kept)) == ([], [(hidden,)])


def test_a_user_that_is_not_shown_keeps_its_row(bench: Bench) -> None:
    """None is ever deleted, whoever asks."""
    bench.sync("users")
    one = bench.world.ids("User")[-1]
    bench.world.hide("User", one)
    later(bench)
    told = bench.sync("users", full=True)
    assert told.counts.deleted == 0
    assert one in live(bench, "users")


def notes(bench: Bench) -> list[Any]:
    return [one for one in examine(["salesforce"]) if "View All Data" in one.detail]


def test_doctor_says_whether_all_is_seen(bench: Bench) -> None:
    assert notes(bench) == []
    bench.world.permit(view_all=False)
    [note] = notes(bench)
    assert (note.what, note.grade) == ("Salesforce", "note")
    assert "Grant it in a permission set" in note.detail


def test_an_org_that_does_not_say_shows_not_all(bench: Bench) -> None:
    bench.sync("contacts")
    bench.world.hide_object("UserPermissionAccess")
    hidden, *_ = bench.world.ids("Contact")
    bench.world.hide("Contact", hidden)
    later(bench)
    told = bench.sync("contacts", full=True)
    assert told.counts.deleted == 0
    assert hidden in live(bench)
