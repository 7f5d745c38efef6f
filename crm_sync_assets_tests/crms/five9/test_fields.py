"""Fields that a domain has made, has no longer, or prints in a way of its own; lists as filters."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crm_sync_assets.clients.zones import Zone
from crm_sync_assets.crms.five9.fields import NO_KNOWN_WAY, Fields, Reader
from crm_sync_assets.errors import Refused, UsageError
from crm_sync_assets_tests.crms.five9.conftest import CONTACTS, Bench

PRINTED = {
    "PC Work Finished": ["dd.MM.yyyy"],
    "Appointment Date": ["MMM d, yyyy"],
    "Appointment Date and Time": ["MM/dd/yyyy hh:mm:ss a"],
    "New Contact Field": ["dd/MM/yyyy HH:mm:ss"],
    "sys_created_date": ["QQQ yyyy"],
}
MAPPED = {"LastModifiedDateTime": "New Contact Field"}


def _reader(zone: str = "America/New_York") -> Reader:
    return Reader(CONTACTS, Fields(frozenset(), MAPPED, PRINTED), Zone(zone))


def test_moments_are_of_the_domains_zone_and_dates_as_their_format_prints_them() -> None:
    record = _reader().record(
        {
            "contactID": "1",
            "PC Work Finished": "03.02.2026",
            "Appointment Date": "Feb 3, 2026",
            "Appointment Date and Time": "07/04/2026 01:30:00 PM",
            "New Contact Field": "04/07/2026 09:00:00",
            "sys_last_disposition_time": "2026-01-15 12:00:00.250",
            "sys_created_date": "as it is",
        }
    )
    columns = {column.name: column for column in CONTACTS.columns}
    for name, wanted in {
        "PC_Work_Finished": date(2026, 2, 3),
        "Appointment_Date": date(2026, 2, 3),
        "Appointment_Date_and_Time": datetime(2026, 7, 4, 17, 30, tzinfo=UTC),
        "New_Contact_Field": datetime(2026, 7, 4, 13, tzinfo=UTC),
        "modified_at": datetime(2026, 7, 4, 13, tzinfo=UTC),
        "sys_last_disposition_time": datetime(2026, 1, 15, 17, 0, 0, 250_000, tzinfo=UTC),
    }.items():
        column = columns[name]
        assert column.parse(record[column.path("")]) == wanted, name
    assert record["sys_created_date"] == f"as it is {NO_KNOWN_WAY}"


def _said(**formats: str) -> Fields:
    """Fields of which one is mapped to the last change, and printed so."""
    restrictions = [{"type": kind, "value": value} for kind, value in formats.items()]
    names = {"New Contact Field": "LastModifiedDateTime", "sys_created_date": "None"}
    return Fields.of(
        [
            {"name": name, "mapTo": mapped, "restrictions": restrictions}
            for name, mapped in names.items()
        ]
    )


@pytest.mark.parametrize(
    ("formats", "written"),
    [
        ({"DateFormat": "dd/MM/yyyy", "TimeFormat": "HH:mm"}, "12/04/2024 13:12"),
        ({"DateFormat": "MM/dd/yyyy", "TimeFormat": "hh:mm:ss a"}, "04/12/2024 01:12:00 PM"),
        ({"DateFormat": "yyyy-MM-dd", "TimeFormat": "hh:mm a"}, "2024-04-12 01:12 PM"),
        ({"DateFormat": "dd/MM/yyyy", "TimeFormat": "HH:mm"}, "2024-04-12 13:12:00.000"),
        ({"TimeFormat": "hh:mm a"}, "2024-04-12 01:12 PM"),
        ({"DateFormat": "MM/dd/yyyy HH:mm"}, "04/12/2024 13:12"),
        ({}, "2024-04-12T17:12:00Z"),
    ],
)
def test_a_moment_is_read_by_the_formats_of_its_date_and_its_time(
    formats: dict[str, str], written: str
) -> None:
    reader = Reader(CONTACTS, _said(**formats), Zone("America/New_York"))
    row = {"contactID": "1", "New Contact Field": written}
    right = datetime(2024, 4, 12, 17, 12, tzinfo=UTC)
    assert reader.changed(row) == right
    record = reader.record(row)
    for name in ("New Contact Field", "LastModifiedDateTime"):
        assert datetime.fromisoformat(record[name]) == right


def test_a_moment_without_a_time_is_the_midnight_of_the_domain() -> None:
    record = _reader().record({"contactID": "1", "sys_last_disposition_time": "2026-01-15"})
    assert record["sys_last_disposition_time"] == "2026-01-15T05:00:00+00:00"


UNREADABLE = ["04/12/2024 01:12:44 PM", "04/12/2024", "20240412", "1712927564000", "2024-13-40"]


@pytest.mark.parametrize("written", UNREADABLE)
def test_the_moment_of_the_last_change_is_never_guessed(written: str) -> None:
    reader = Reader(CONTACTS, _said(), Zone("America/New_York"))
    with pytest.raises(Refused, match="neither as the field's DateFormat and TimeFormat"):
        reader.changed({"contactID": "1", "New Contact Field": written})


@pytest.mark.parametrize("written", UNREADABLE)
def test_other_dates_and_moments_that_cannot_be_read_are_noted_and_empty(
    bench: Bench, written: str
) -> None:
    names = ("Appointment Date", "Appointment Date and Time")
    one = bench.world.create("contacts", dict.fromkeys(names, written))
    bench.sync("contacts")
    row = bench.rows("contacts")[one]
    assert (row["Appointment_Date"], row["Appointment_Date_and_Time"]) == (None, None)
    noted = {issue["field"] for issue in row["sync_issues"]}
    assert noted == {"Appointment_Date", "Appointment_Date_and_Time"}


def test_numbers_and_switches_are_read_as_they_are_written(bench: Bench) -> None:
    one = bench.world.create(
        "contacts",
        {
            "Total Job Amount": "1,250,000.50",
            "DialAttempts": "1,204",
            "DoNotDial": "Y",
            "lead_prioritization": "",
        },
    )
    bench.sync("contacts")
    row = bench.rows("contacts")[one]
    assert row["Total_Job_Amount"] == Decimal("1250000.50")
    assert (row["DialAttempts"], row["DoNotDial"]) == (1_204, True)
    assert row["lead_prioritization"] is None


def test_what_a_domain_has_made_is_in_extra_and_stays_when_its_field_is_gone(bench: Bench) -> None:
    bench.sandbox.knobs.five9_more_fields = True
    one = bench.world.create("contacts", {"Storm Name": "Ida", "Roof-Age": "12"})
    bench.sync("contacts")
    assert bench.rows("contacts")[one]["extra"] == {"Storm Name": "Ida", "Roof-Age": "12"}
    bench.sandbox.knobs.five9_more_fields = False
    bench.pass_time(60)
    bench.world.edit("contacts", one, {"Roof-Age": None, "city": "Columbus"})
    bench.sync("contacts")
    row = bench.rows("contacts")[one]
    assert (row["city"], row["extra"]) == ("Columbus", {"Storm Name": "Ida"})


def test_a_declared_field_that_is_gone_keeps_what_is_stored(bench: Bench) -> None:
    one = bench.world.create("contacts", {"Product": "Roof"})
    bench.sync("contacts")
    bench.pass_time(60)
    bench.world.edit("contacts", one, {"city": "Columbus"})
    place = b"<fields>Product</fields>"
    bench.sandbox.faults.add(
        "getContactRecords", on="all", rewrite=lambda b: b.replace(place, b"<fields>Goods</fields>")
    )
    told = bench.sync("contacts")
    assert told.table.hidden_columns == {"Product"}
    row = bench.rows("contacts")[one]
    assert (row["city"], row["Product"]) == ("Columbus", "Roof")
    assert row["extra"]["Goods"] == "Roof"


def test_characters_that_xml_has_not_cost_nobody_a_record(bench: Bench) -> None:
    bench.sandbox.knobs.five9_control_characters = True
    told = bench.sync("contacts")
    assert (told.status, told.counts.created) == ("success", 45)
    assert bench.wrong() == []


def test_contacts_who_share_a_number_and_who_have_none_are_rows_of_their_own(bench: Bench) -> None:
    same = [bench.world.create("contacts", {"number1": "6145550142"}) for _ in range(2)]
    none = bench.world.create("contacts", {"first_name": "Nobody"})
    bench.sync("contacts")
    rows = bench.rows("contacts")
    assert [rows[one]["number1"] for one in same] == ["6145550142"] * 2
    assert (rows[none]["number1"], rows[none]["list_name"]) == (None, "")


def test_a_field_that_is_gone_meanwhile_is_noticed_once(bench: Bench) -> None:
    """A delta asks for a field of which it heard minutes ago."""
    bench.sync("contacts")
    bench.pass_time(60)
    bench.world.edit("contacts", bench.world.ids("contacts")[0], {"city": "Columbus"})
    bench.sandbox.faults.add("getContactRecords New", on=2, status=500, body="field")
    told = bench.sync("contacts")
    assert (told.status, told.counts.updated) == ("success", 1)
    assert bench.wrong() == []


# -- lists as filters


def test_only_contacts_of_one_list_are_a_part_and_conclude_nothing(bench: Bench) -> None:
    bench.sync("contacts")
    before = bench.history()[-1]["watermark"]
    bench.world.purge("contacts", bench.world.ids("contacts")[0])
    told = bench.sync("contacts", list_name="Callbacks", full=True)
    live = [one["record"] for one in bench.world.truth("contacts") if one["state"] == "live"]
    truth = [record["last_list"] for record in live]
    assert told.counts.processed == truth.count("Callbacks") > 0
    assert told.counts.deleted == 0
    row = bench.history()[-1]
    assert (row["kind"], row["watermark"]) == ("filtered", None)
    assert bench.sync("contacts").strategy.since == before - bench.client.settings.overlap


def test_at_most_so_many_of_each_list_are_a_part_too(bench: Bench) -> None:
    told = bench.sync("contacts", max_records_per_list=3)
    names = [row["list_name"] for row in bench.rows("contacts").values()]
    assert {name: names.count(name) for name in set(names)} == dict.fromkeys(set(names), 3)
    assert told.counts.processed == 3 * len(set(names)) == 12
    assert bench.history()[-1]["watermark"] is None


def test_a_cap_and_a_list_stop_early(bench: Bench) -> None:
    bench.cut_at(7)
    told = bench.sync("contacts", max_records_per_list=2, list_name="Callbacks")
    assert told.counts.processed == 2
    few = len(bench.questions())
    bench.sandbox.ledger.reset()
    bench.sync("contacts", list_name="Callbacks")
    assert few < len(bench.questions())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"list_name": "Callback"}, "no list of the domain.*Callbacks"),
        ({"max_records_per_list": 0}, "give a number from 1 on"),
    ],
)
def test_flags_that_mean_nothing_are_refused(
    bench: Bench, flags: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        bench.sync("contacts", **flags)
