"""Values of two meanings never share a table: another zone, account or type id is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from crm_sync_assets.declarations.contract import Meant, Page, Read, Usage
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError, TransientError, UsageError
from crm_sync_assets.operations.refresh import refresh
from crm_sync_assets.operations.replay import replay
from crm_sync_assets.operations.verify import verify
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.operations.test_verify import VerifiableClient
from crm_sync_assets_tests.scripted import (
    PEOPLE,
    PEOPLE_REMOVAL,
    SETTINGS,
    START,
    THINGS,
    FakeClient,
    history,
    people,
    person,
    rows,
    sync,
)


@dataclass
class Telling(VerifiableClient):
    """A client that tells what decides the meaning of its records; `unreachable` raises."""

    meant: dict[str, str] = field(default_factory=lambda: {"zone": "Here", "account": "1"})
    unreachable: Exception | None = None
    equals: Callable[[str], bool] | None = None

    def meaning(self, entity: Entity) -> list[Meant]:
        assert entity.crm == "test"
        if self.unreachable is not None:
            raise self.unreachable
        return [Meant(n, v, n.upper(), equals=self.equals) for n, v in self.meant.items()]

    def calculated(self, entity: Entity, usage: Usage) -> list[str]:
        return ["balance"]

    def values_of(self, read: Read, names: Any, usage: Usage) -> Iterator[Page]:
        return self.pages(read, usage)


def telling(count: int = 150, name: str = "Person", **meant: str) -> Telling:
    records = [person(n, name=f"{name} {n}") for n in range(count)]
    client = Telling(records, now=START + timedelta(days=1))
    client.meant |= meant
    return client


def meanings(warehouse: Warehouse) -> list[dict[str, str] | None]:
    return [row["configuration"].get("meaning") for row in history(warehouse)]


OTHER = r"its zone is There now and was Here when sync 1 wrote test_people.*Set ZONE back, or "


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"full": True},
        {"force": True},
        {"start_date": "2020-01-01"},
        {"start_date": "2020-01-01", "force": True},
        {"dry_run": True},
        {"dry_run": True, "full": True},
        {"max_records": 5},
        {"full": True, "force": True, "max_records": 5},
    ],
    ids=str,
)
def test_a_sync_under_another_meaning_is_refused_before_it_reads_or_writes(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    sync(warehouse, telling())
    before = rows(warehouse, "SELECT * FROM test_people ORDER BY id")
    other = telling(200, "Shifted", zone="There")
    with pytest.raises(UsageError, match=OTHER + r"replace.*`crm-sync test people --full --force`"):
        sync(warehouse, other, **flags)
    assert other.reads == [], "no page was asked for"
    assert rows(warehouse, "SELECT * FROM test_people ORDER BY id") == before
    first, refused = history(warehouse)
    assert (refused["status"], refused["watermark"]) == ("failed", None)
    assert "its zone is There now" in refused["error_message"]
    assert "meaning" not in refused["configuration"], "it has written nothing"
    # Set back, everything goes on as if nothing had happened.
    again = telling()
    assert sync(warehouse, again).strategy.since == first["watermark"]


def test_a_complete_replacement_is_the_way_out(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    other = telling(100, "Shifted", zone="There")
    assert sync(warehouse, other, full=True, force=True, dry_run=True).counts.deleted == 50
    assert sync(warehouse, other, full=True, force=True).status == "success"
    assert people(warehouse) == {str(n): f"Shifted {n}" for n in range(100)}
    assert meanings(warehouse)[-1] == {"zone": "There", "account": "1"}
    assert sync(warehouse, other).strategy.name == "incremental"
    with pytest.raises(UsageError, match="its zone is Here now and was There when sync 4 wrote"):
        sync(warehouse, telling())


def test_a_replacement_that_breaks_off_has_changed_nothing(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    other = telling(150, "Shifted", zone="There")

    def breaks(start: int) -> None:
        if start == 100:
            raise FatalError("the cable")

    other.before_page = breaks
    with pytest.raises(FatalError, match="the cable"):
        sync(warehouse, other, full=True, force=True)
    with pytest.raises(UsageError, match=OTHER):
        sync(warehouse, telling(zone="There"))
    assert sync(warehouse, telling()).status == "success", "as it was, it goes on"
    other.before_page = lambda _: None
    assert sync(warehouse, other, full=True, force=True).status == "success"
    assert set(people(warehouse).values()) == {f"Shifted {n}" for n in range(150)}


def test_what_is_not_known_is_not_compared_and_not_forgotten(warehouse: Warehouse) -> None:
    """A row from before meanings were recorded; an account that does not always tell its id."""
    sync(warehouse, FakeClient([person(1)]))
    assert meanings(warehouse) == [None]
    sync(warehouse, telling(account="1"))
    silent = telling()
    del silent.meant["account"]
    sync(warehouse, silent)
    sync(warehouse, FakeClient([person(2)]))
    assert meanings(warehouse)[1:] == [{"zone": "Here", "account": "1"}] * 3
    with pytest.raises(UsageError, match="its account is 2 now and was 1 when sync 4 wrote"):
        sync(warehouse, telling(account="2"))


def test_another_spelling_of_the_same_is_the_same(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    alias = telling(zone="Alias of Here")
    alias.equals = {"Here": True}.__contains__
    assert sync(warehouse, alias).status == "success"
    assert meanings(warehouse)[-1] == {"zone": "Here", "account": "1"}


def test_an_entity_that_failed_before_it_stored_anything_binds_nobody(
    warehouse: Warehouse,
) -> None:
    wrong = telling(zone="There")
    wrong.before_page = lambda _: (_ for _ in ()).throw(FatalError("no such table"))
    with pytest.raises(FatalError, match="no such table"):
        sync(warehouse, wrong)
    assert sync(warehouse, telling()).status == "success"


def interrupted(warehouse: Warehouse, client: Telling, **flags: Any) -> None:
    def breaks(start: int) -> None:
        if start == 100:
            raise FatalError("the cable")

    client.before_page = breaks
    with pytest.raises(FatalError, match="the cable"):
        sync(warehouse, client, **flags)
    client.before_page = lambda _: None


def test_a_first_sync_that_was_interrupted_is_not_gone_on_with_under_another_meaning(
    warehouse: Warehouse,
) -> None:
    """Half the rows of one account, the other half of another, and called a success."""
    client = telling()
    interrupted(warehouse, client)
    assert len(people(warehouse)) == 100
    with pytest.raises(UsageError, match=OTHER):
        sync(warehouse, telling(zone="There"))
    client.asked.clear()
    assert sync(warehouse, client).resumed, "the refusal has not cost the checkpoint"
    assert client.asked == [100]


def test_a_replacement_goes_on_only_under_its_own_meaning(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    client = telling(150, "Shifted", zone="There")
    interrupted(warehouse, client, full=True, force=True)
    third = telling(150, "Third", zone="Elsewhere")
    assert not sync(warehouse, third, full=True, force=True).resumed
    assert set(people(warehouse).values()) == {f"Third {n}" for n in range(150)}


def test_a_source_that_does_not_answer_fails_the_sync_and_keeps_its_checkpoint(
    warehouse: Warehouse,
) -> None:
    client = telling()
    interrupted(warehouse, client)
    client.unreachable = FatalError("the source cannot be reached")
    with pytest.raises(FatalError, match="cannot be reached"):
        sync(warehouse, client)
    assert history(warehouse)[-1]["status"] == "failed"
    client.unreachable = None
    assert sync(warehouse, client).resumed


@pytest.mark.parametrize("flags", [{}, {"full": True, "force": True}], ids=str)
def test_a_removal_is_bound_by_the_table_it_marks(
    warehouse: Warehouse, flags: dict[str, Any]
) -> None:
    sync(warehouse, telling())
    other = telling(0, account="2")
    with pytest.raises(UsageError, match=r"account is 2.*`crm-sync test people --full --force`"):
        sync(warehouse, other, PEOPLE_REMOVAL, **flags)
    assert len(people(warehouse)) == 150
    sync(warehouse, telling(account="2"), full=True, force=True)
    assert sync(warehouse, other, PEOPLE_REMOVAL).status == "success"


def test_another_entity_is_not_bound(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    things = telling(zone="There")
    things.records = [{"id": "1", "name": "A thing"}]
    assert sync(warehouse, things, THINGS).status == "success"


def test_verify_and_refresh_are_refused_too(warehouse: Warehouse) -> None:
    sync(warehouse, telling())
    other = telling(zone="There")
    for work in (
        lambda: verify(warehouse, PEOPLE, other, SETTINGS),
        lambda: verify(warehouse, PEOPLE, other, SETTINGS, repair=True),
        lambda: refresh(warehouse, PEOPLE, other, SETTINGS),
        lambda: refresh(warehouse, PEOPLE, other, SETTINGS, dry_run=True),
    ):
        with pytest.raises(UsageError, match=OTHER):
            work()
    assert other.reads == []
    assert {row["status"] for row in history(warehouse)[1:]} == {"failed"}
    same = telling()
    assert verify(warehouse, PEOPLE, same, SETTINGS).status == "success"
    assert refresh(warehouse, PEOPLE, same, SETTINGS) is not None
    assert meanings(warehouse)[-2:] == [{"zone": "Here", "account": "1"}] * 2


def set_aside(warehouse: Warehouse) -> list[quarantine.Entry]:
    with warehouse.connection() as connection:
        return quarantine.entries(connection, crm="test")


def test_a_record_that_was_set_aside_is_not_loaded_beside_rows_of_another_meaning(
    warehouse: Warehouse,
) -> None:
    sync(warehouse, telling())
    other = telling(150, "Shifted", zone="There")
    other.records[3]["id"] = ["no", "key"]
    interrupted(warehouse, other, full=True, force=True)
    (entry,) = set_aside(warehouse)
    with pytest.raises(UsageError, match="zone was There; the rows of test_people were read with"):
        replay(warehouse, PEOPLE, [entry])
    assert set(people(warehouse).values()) == {f"Person {n}" for n in range(150)}


def test_a_replacement_under_another_meaning_takes_what_was_set_aside_along(
    warehouse: Warehouse,
) -> None:
    first = telling()
    first.records.append({"id": ["no", "key"], "name": "of the first account"})
    sync(warehouse, first)
    (entry,) = set_aside(warehouse)
    assert replay(warehouse, PEOPLE, [entry]).counts.failed == 1
    assert meanings(warehouse)[-1] == {"zone": "Here", "account": "1"}
    other = telling(account="2")
    other.records.append({"id": {"no": "key"}, "name": "of the second"})
    sync(warehouse, other, full=True, force=True)
    assert [one.record["name"] for one in set_aside(warehouse)] == ["of the second"]


class Down(FakeClient):
    """A source that does not answer, and counts who asks it all the same."""

    links = 0

    def meaning(self, entity: Entity) -> list[Meant]:
        raise TransientError("no answer")

    def list_url(self, entity: Entity) -> str | None:
        self.links += 1
        return None


def test_a_source_that_does_not_answer_is_not_asked_for_a_link(warehouse: Warehouse) -> None:
    client = Down([person(1)])
    with pytest.raises(TransientError):
        sync(warehouse, client)
    assert client.links == 0
