"""All contacts, though no answer says how many there are, and each has a thousand at most."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crm_sync_assets.crms.five9.axes import Axes, Part
from crm_sync_assets.crms.five9.sweeping import Sweep
from crm_sync_assets.errors import FatalError, Refused, SyncError, TransientError
from crm_sync_assets.sandbox.crms.five9.world import fits
from crm_sync_assets_tests.crms.five9.conftest import Bench


def _asked(bench: Bench, field: str = "") -> list[str]:
    """The criteria of requests for contacts."""
    return [
        line.removeprefix("getContactRecords ")
        for line in bench.questions()
        if line.startswith(f"getContactRecords {field}")
    ]


def test_one_answer_that_is_not_cut_is_all_there_is(bench: Bench) -> None:
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 45)
    assert _asked(bench) == ["contactID=%"]
    assert bench.wrong() == []


def test_a_cut_answer_is_asked_for_in_parts_each_of_them_once(bench: Bench) -> None:
    bench.cut_at(7)
    told = bench.sync("contacts")
    assert (told.status, told.counts.created, told.counts.processed) == ("success", 45, 45)
    asked = _asked(bench)
    assert len(asked) == len(set(asked)) > 45 / 7
    assert {"contactID=0%", "contactID=9%", "contactID=10"} <= set(asked)
    assert bench.wrong() == []


def test_ids_of_different_lengths_are_all_there(bench: Bench) -> None:
    """One id may be the beginning of another."""
    ids = ["1", "10", "100", "100482", "2", "99999999"]
    asking = bench.client.asking("five9.contacts")

    def answered(criteria: list[dict[str, str]]) -> list[dict[str, str]]:
        wanted = fits(criteria[0]["value"], blank=False)
        # Those that end where others go on are not among the first that are seen.
        return [{"contactID": one} for one in reversed(ids) if wanted(one)][:2]

    asking.rows = answered
    sweep = Sweep(asking, Axes({"id": "contactID"}), [(Part("id", ""),)], most=2)
    found = [row["contactID"] for rows in sweep.answers() for row in rows]
    assert sorted(found) == sorted(ids)


def test_moments_without_their_last_zeros_are_all_there() -> None:
    second = "2024-04-12 13:12:44"
    moments = [second, *(f"{second}.{part}" for part in ("0", "7", "76", "767", "768", "761"))]

    def answered(criteria: list[dict[str, str]]) -> list[dict[str, str]]:
        wanted = fits(criteria[0]["value"], blank=False)
        rows = [{"contactID": one, "made": one} for one in reversed(moments)]
        return [row for row in rows if wanted(row["made"])][:2]

    asking = SimpleNamespace(rows=answered, subject="five9.contacts")
    sweep = Sweep(asking, Axes({"created": "made"}), [(Part("created", ""),)], most=2)  # type: ignore[arg-type]
    found = [row["contactID"] for rows in sweep.answers() for row in rows]
    assert sorted(found) == sorted(moments)


@pytest.mark.parametrize("most", [7, 1_000])
def test_without_wildcards_in_ids_contacts_are_read_by_when_they_were_made(
    bench: Bench, most: int
) -> None:
    bench.cut_at(most)
    bench.sandbox.knobs.five9_id_wildcards = False
    told = bench.sync("contacts")
    assert (told.status, told.counts.created, told.counts.processed) == ("success", 45, 45)
    assert not _asked(bench, "number1")
    assert bench.wrong() == []


def test_many_contacts_that_were_made_at_once_are_told_apart_by_their_numbers(
    bench: Bench,
) -> None:
    bench.cut_at(7)
    bench.sandbox.knobs.five9_id_wildcards = False
    for number in range(20):
        bench.world.create("contacts", {"number1": f"61455501{number}" if number > 5 else None})
    assert bench.sync("contacts").status == "success"
    assert any("number1=614" in line for line in _asked(bench, "sys_created_date"))
    assert bench.wrong() == []


def by_number(bench: Bench, most: int = 7) -> None:
    """Nothing else takes wildcards."""
    bench.cut_at(most)
    bench.sandbox.knobs.turn({"five9_id_wildcards": False, "five9_date_wildcards": False})


@pytest.mark.parametrize("most", [7, 1_000])
def test_where_only_numbers_take_wildcards_those_who_have_none_are_asked_for_too(
    bench: Bench, most: int
) -> None:
    by_number(bench, most)
    for number in range(4):
        bench.world.edit("contacts", bench.world.ids("contacts")[number], {"number1": None})
    for one in bench.world.ids("contacts")[4:]:
        bench.world.edit("contacts", one, {"number1": f"6145{one}"})
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 45)
    assert "number1=" in _asked(bench)
    assert bench.wrong() == []


def test_odd_numbers_are_found_by_what_they_begin_with(bench: Bench) -> None:
    by_number(bench)
    for one in bench.world.ids("contacts"):
        bench.world.edit("contacts", one, {"number1": f"6145{one}"})
    for number in ("+44 20 7183", "(614) 555-0142", "x%y", "614", "6", "~1", "614-555"):
        bench.world.create("contacts", {"number1": number})
    assert bench.sync("contacts").status == "success"
    assert bench.wrong() == []


@pytest.mark.parametrize("number", ["6145550142", None])
def test_what_cannot_be_cut_any_further_fails_and_says_so(bench: Bench, number: str | None) -> None:
    by_number(bench)
    for _ in range(15):
        bench.world.create("contacts", {"number1": number})
    with pytest.raises(FatalError, match=r"cannot be cut any further: number1") as raised:
        bench.sync("contacts")
    assert "6145550142" not in str(raised.value)
    assert bench.history()[-1]["watermark"] is None


def test_a_thousand_and_more_contacts_with_one_area_and_made_in_one_moment(bench: Bench) -> None:
    """With the cap that there is."""
    for number in range(1_100):
        bench.world.create("contacts", {"number1": f"614555{number:04d}"}, at=1_700_000_000_000)
    told = bench.sync("contacts")
    assert (told.status, told.counts.processed) == ("success", 1_145)
    assert bench.wrong() == []


# -- what is not believed


def test_a_part_that_leaves_out_whom_the_whole_had_is_asked_for_again(bench: Bench) -> None:
    bench.cut_at(7)
    bench.sandbox.faults.add("getContactRecords contactID=1005%", lie="empty")
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 45)
    assert bench.wrong() == []
    assert _asked(bench).count("contactID=1005%") == 2
    assert bench.history()[-1]["performance_metrics"]["retries"] == 1


def test_a_part_that_always_leaves_somebody_out_fails(bench: Bench) -> None:
    bench.cut_at(7)
    bench.sandbox.faults.add("getContactRecords contactID=1005%", on="all", lie="empty")
    with pytest.raises(TransientError, match=r"contact 10\d+ is there, and the answer .* leaves"):
        bench.sync("contacts")


def test_who_disappears_between_the_whole_and_its_parts_is_gone(bench: Bench) -> None:
    bench.cut_at(7)
    gone: list[str] = []

    def vanish(_: int) -> None:
        for one in bench.world.ids("contacts")[2:40]:
            bench.world.purge("contacts", one)
            gone.append(one)

    bench.sandbox.faults.add("getContactRecords contactID=1005%", callback=vanish)
    assert bench.sync("contacts").status == "success"
    assert gone
    assert bench.wrong() == []


def test_an_answer_with_somebody_else_is_not_believed(bench: Bench) -> None:
    bench.cut_at(7)
    bench.sandbox.faults.add(
        "getContactRecords contactID=1005%",
        rewrite=lambda body: body.replace(b"<data>10", b"<data>20"),
    )
    with pytest.raises(Refused, match="which is none of them"):
        bench.sync("contacts")


def test_an_answer_with_fewer_values_than_fields_is_not_believed(bench: Bench) -> None:
    bench.sandbox.faults.add(
        "getContactRecords", rewrite=lambda body: body.replace(b"<fields>city</fields>", b"")
    )
    with pytest.raises(Refused, match="49 values for 48 fields"):
        bench.sync("contacts")
    assert bench.history()[-1]["reason"] == "data"


def test_nobody_shown_where_lists_have_somebody_is_a_failure(bench: Bench) -> None:
    """Wildcards that find nobody are no empty domain."""
    bench.sandbox.faults.add("getContactRecords", on="all", lie="empty")
    with pytest.raises(FatalError, match="shows no contact with a number, and its lists have"):
        bench.sync("contacts")


def test_nobody_but_those_without_a_number_is_a_failure_too(bench: Bench) -> None:
    by_number(bench)
    bench.world.edit("contacts", bench.world.ids("contacts")[0], {"number1": None})
    bench.sandbox.faults.add("getContactRecords number1=.*%", on="all", lie="empty")
    with pytest.raises(FatalError, match="shows no contact with a number, and its lists have"):
        bench.sync("contacts")


def test_a_domain_without_contacts_is_empty(bench: Bench) -> None:
    for one in bench.world.ids("contacts"):
        bench.world.purge("contacts", one)
    told = bench.sync("contacts")
    assert (told.status, told.counts.processed) == ("success", 0)


def test_a_domain_without_fields_is_not_believed(bench: Bench) -> None:
    bench.sandbox.faults.add(
        "getContactFields",
        rewrite=lambda body: body.partition(b"<return>")[0] + body.rpartition(b"</return>")[2],
    )
    with pytest.raises(Refused, match="no contact field at all"):
        bench.sync("contacts")


# -- the lists


def test_where_lists_hint_at_more_all_is_read_once_more_by_another_way(bench: Bench) -> None:
    bench.sandbox.knobs.five9_lists_have_all = True
    bench.sandbox.faults.add("getContactRecords contactID=%", lie="short")
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 45)
    assert _asked(bench)[:2] == ["contactID=%", "sys_created_date=%"]
    assert bench.wrong() == []


def test_where_lists_have_no_more_than_was_read_nothing_is_read_twice(bench: Bench) -> None:
    bench.sandbox.knobs.five9_lists_have_all = True
    bench.sync("contacts")
    assert _asked(bench) == ["contactID=%"]


def test_fewer_contacts_than_one_list_has_are_no_success_and_delete_nobody(bench: Bench) -> None:
    bench.sandbox.knobs.five9_lists_have_all = True
    bench.sync("contacts")
    bench.sandbox.faults.add("getContactRecords (contactID=%|sys_created)", on="all", lie="short")
    with pytest.raises(FatalError, match=r"short read: 44 contacts.*one list alone has 45"):
        bench.sync("contacts", full=True)
    bench.sandbox.faults.clear()
    assert bench.wrong() == []
    again = bench.sync("contacts", full=True)
    assert again.resumed
    assert (again.status, again.counts.deleted) == ("success", 0)
    assert bench.wrong() == []


def test_contacts_that_nobody_can_ask_for_are_no_success_where_lists_have_more(
    bench: Bench,
) -> None:
    bench.sandbox.knobs.turn(
        {"five9_id_wildcards": False, "five9_blank_matches": False, "five9_lists_have_all": True}
    )
    bench.sandbox.knobs.five9_date_wildcards = False
    with pytest.raises(FatalError, match="contacts without a number cannot be asked for"):
        bench.sync("contacts")


def test_who_is_gone_is_asked_for_by_id_before_it_is_marked(bench: Bench) -> None:
    bench.sync("contacts")
    gone = bench.world.ids("contacts")[5]
    bench.world.purge("contacts", gone)
    bench.sandbox.ledger.reset()
    told = bench.sync("contacts", full=True)
    assert told.counts.deleted == 1
    assert f"contactID={gone}" in _asked(bench)
    assert bench.wrong() == []


def test_an_interrupted_read_goes_on_with_the_questions_that_are_left(bench: Bench) -> None:
    bench.cut_at(7)
    whole = bench.pages(bench.entity("contacts"))
    bench.sandbox.ledger.reset()
    bench.sandbox.faults.add("getContactRecords", on="12-", drop=True)
    with pytest.raises(SyncError):
        bench.sync("contacts")
    bench.sandbox.faults.clear()
    bench.sandbox.ledger.reset()
    again = bench.sync("contacts")
    assert again.resumed
    assert again.counts.processed == 45
    # The first page was tried with one question more.
    assert len(_asked(bench)) == len(whole) - 10
    assert bench.wrong() == []


def test_a_contact_is_asked_for_by_its_id_and_is_there_or_gone(bench: Bench) -> None:
    entity = bench.entity("contacts")
    (page,) = bench.by_key(entity, "100482")
    assert [record["contactID"] for record in page.records] == ["100482"]
    (page,) = bench.by_key(entity, "1")
    assert [one.key for one in page.tombstones] == [("1",)]
