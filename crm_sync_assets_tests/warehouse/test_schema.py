"""Entity tables: made, widened, never converted, and named within 63 bytes."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from crm_sync_assets.declarations.columns import boolean, integer, json, text
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.errors import FatalError
from crm_sync_assets.warehouse import comments as said
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets.warehouse.tables import ensure_table, index_name, system_columns
from crm_sync_assets_tests.scripted import PEOPLE, FakeClient, Script, person, rows
from crm_sync_assets_tests.scripted import sync as scripted_sync


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(said, "_refused", set())


def make(warehouse: Warehouse, entity: Entity) -> list[str]:
    with warehouse.connection() as connection:
        added = ensure_table(connection, entity)
        connection.commit()
    return added


def columns(warehouse: Warehouse, table: str) -> dict[str, tuple[str, str, str | None]]:
    return {
        name: (kind, nullable, default)
        for name, kind, nullable, default in rows(
            warehouse,
            "SELECT column_name, data_type, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_name = %s",
            table,
        )
    }


def test_a_table_has_the_declared_columns_and_the_engines_own(warehouse: Warehouse) -> None:
    assert make(warehouse, PEOPLE) == []
    found = columns(warehouse, "test_people")
    assert {name: kind for name, (kind, _, _) in found.items()} == {
        "id": "text",
        "name": "text",
        "balance": "numeric",
        "modified": "timestamp with time zone",
        "merged": "jsonb",
        "other": "jsonb",
        "deleted_at": "timestamp with time zone",
        "sync_issues": "jsonb",
        "merged_into": "text",
        "sync_created_at": "timestamp with time zone",
        "sync_updated_at": "timestamp with time zone",
    }
    assert [name for name, (_, nullable, _) in found.items() if nullable == "NO"] == ["id"]


def comments(warehouse: Warehouse) -> dict[str, tuple[str, str]]:
    """Of test_people: what is said by column, '' for the table, and which transaction said it."""
    found = rows(
        warehouse,
        "SELECT coalesce(attname, ''), description, d.xmin::text FROM pg_description AS d "
        "LEFT JOIN pg_attribute AS a ON attrelid = objoid AND attnum = objsubid AND objsubid > 0 "
        "WHERE objoid = 'test_people'::regclass",
    )
    return {name: (text, transaction) for name, text, transaction in found}


def test_a_table_and_its_columns_say_what_they_hold(warehouse: Warehouse) -> None:
    make(warehouse, PEOPLE)
    make(warehouse, replace(PEOPLE, columns=(*PEOPLE.columns, text("nick", about="a short name"))))
    told = {name: text for name, (text, _) in comments(warehouse).items()}
    assert told[""] == PEOPLE.about
    assert told["id"] == "text from id"
    assert told["nick"] == "text from nick; a short name"
    assert told["sync_updated_at"] == "when the row last changed here"
    assert told.keys() - {""} == columns(warehouse, "test_people").keys()


def change(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.connection() as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_table_of_an_older_version_is_told_what_it_lacks_and_nothing_twice(
    warehouse: Warehouse,
) -> None:
    make(warehouse, PEOPLE)
    before = comments(warehouse)
    make(warehouse, PEOPLE)
    assert comments(warehouse) == before
    change(
        warehouse,
        "COMMENT ON TABLE test_people IS NULL",
        "COMMENT ON COLUMN test_people.name IS 'what it said before'",
        "COMMENT ON COLUMN test_people.sync_issues IS NULL",
        "ALTER TABLE test_people ADD COLUMN theirs text",
        "COMMENT ON COLUMN test_people.theirs IS 'of somebody else'",
    )
    make(warehouse, PEOPLE)
    after = comments(warehouse)
    assert after.pop("theirs")[0] == "of somebody else"
    assert {n: text for n, (text, _) in after.items()} == {n: t for n, (t, _) in before.items()}
    said_now = {name for name in after if after[name] != before[name]}
    assert said_now == {"", "name", "sync_issues"}


def test_a_declaration_that_says_nothing_leaves_a_table_without_a_comment(
    warehouse: Warehouse,
) -> None:
    silent = replace(PEOPLE, about="")
    make(warehouse, silent)
    before = comments(warehouse)
    assert "" not in before
    make(warehouse, silent)
    assert comments(warehouse) == before


def test_nobody_waits_for_a_lock_to_say_what_a_table_holds(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    make(warehouse, PEOPLE)
    change(warehouse, "COMMENT ON COLUMN test_people.name IS NULL")
    with warehouse.connection() as other:
        other.execute("LOCK TABLE test_people IN SHARE UPDATE EXCLUSIVE MODE")
        for _ in range(2):
            assert make(warehouse, PEOPLE) == []
        assert "name" not in comments(warehouse)
        other.rollback()
    said = [r.getMessage() for r in caplog.records if "comments of test_people" in r.getMessage()]
    assert len(said) == 1
    assert "could not obtain lock" in said[0]
    make(warehouse, PEOPLE)
    assert comments(warehouse)["name"][0] == "text from name"


def test_what_the_source_calls_a_column_is_said_once_and_stays(warehouse: Warehouse) -> None:
    client = FakeClient([person(1)], labels={"name": "“Full\nname”: as on  the card", "nick": "no"})
    scripted_sync(warehouse, client, dry_run=True)
    assert rows(warehouse, "SELECT to_regclass('test_people')") == [(None,)]
    scripted_sync(warehouse, client)
    before = comments(warehouse)
    assert before["name"][0] == "text from name; called “Full name”: as on the card"
    assert before["id"][0] == "text from id"
    for labels in (client.labels, None):
        scripted_sync(warehouse, FakeClient([person(1)], labels=labels))
        assert comments(warehouse) == before
    named = replace(PEOPLE, columns=(text("name", about="of a card"), *PEOPLE.columns[2:]))
    make(warehouse, named)
    kept = "text from name; of a card; called “Full name”: as on the card"
    assert comments(warehouse)["name"][0] == kept
    scripted_sync(warehouse, FakeClient([person(1)], labels={"name": "x" * 1_000}))
    assert comments(warehouse)["name"][0] == f"text from name; called {'x' * said.LONGEST} …"


def test_a_declared_column_takes_the_place_of_the_engines_own() -> None:
    own = replace(PEOPLE, columns=(*PEOPLE.columns, text("deleted_at")))
    assert "deleted_at" in system_columns(PEOPLE)
    assert "deleted_at" not in system_columns(own)


def test_a_json_column_may_have_a_default(warehouse: Warehouse) -> None:
    make(warehouse, PEOPLE)
    more = (json("numbers", default=[]), json("answers", default={}))
    make(warehouse, replace(PEOPLE, columns=(*PEOPLE.columns, *more)))
    found = columns(warehouse, "test_people")
    assert found["numbers"] == ("jsonb", "NO", "'[]'::jsonb")
    assert found["answers"] == ("jsonb", "NO", "'{}'::jsonb")


def test_a_column_with_a_default_is_not_null_in_old_rows_too(warehouse: Warehouse) -> None:
    make(warehouse, PEOPLE)
    with warehouse.connection() as connection:
        connection.execute("INSERT INTO test_people (id) VALUES ('1')")
        connection.commit()
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, boolean("archived", default=False)))
    assert make(warehouse, wider) == ["archived"]
    assert make(warehouse, wider) == []
    assert rows(warehouse, "SELECT id, archived FROM test_people") == [("1", False)]
    assert columns(warehouse, "test_people")["archived"] == ("boolean", "NO", "false")


def test_a_column_that_left_the_declaration_keeps_its_values(warehouse: Warehouse) -> None:
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, integer("age")))
    make(warehouse, wider)
    with warehouse.connection() as connection:
        connection.execute("INSERT INTO test_people (id, age) VALUES ('1', 7)")
        connection.commit()
    assert make(warehouse, PEOPLE) == []
    assert make(warehouse, wider) == []
    assert rows(warehouse, "SELECT age FROM test_people") == [(7,)]


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        ("ALTER name TYPE integer USING 1", "name is integer in the warehouse but text"),
        ("ALTER modified TYPE timestamp", "modified is timestamp without time zone"),
        ("ALTER deleted_at TYPE text", "deleted_at is text in the warehouse but timestamptz"),
    ],
)
def test_another_type_is_refused_and_nothing_is_converted(
    warehouse: Warehouse, change: str, stored: str
) -> None:
    make(warehouse, PEOPLE)
    with warehouse.connection() as connection:
        connection.execute("DROP VIEW test_people_live")
        connection.execute(f"ALTER TABLE test_people {change}")
        connection.commit()
    before = columns(warehouse, "test_people")
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, integer("age")))
    for entity in (PEOPLE, wider):
        with pytest.raises(FatalError, match=stored):
            make(warehouse, entity)
    assert columns(warehouse, "test_people") == before


def test_a_varchar_somebody_made_by_hand_will_do_for_text(warehouse: Warehouse) -> None:
    make(warehouse, PEOPLE)
    with warehouse.connection() as connection:
        connection.execute("DROP VIEW test_people_live")
        connection.execute("ALTER TABLE test_people ALTER name TYPE varchar(20)")
        connection.commit()
    assert make(warehouse, PEOPLE) == []


def test_many_processes_may_make_the_same_table_at_once(warehouse: Warehouse) -> None:
    problems: list[BaseException] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        try:
            make(warehouse, PEOPLE)
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_index_names_are_short_and_differ_where_their_columns_do() -> None:
    alike = "c" * 60
    names = [index_name("t" * 60, f"{alike}_{n}") for n in range(50)]
    names += [index_name("tä😀" * 15, f"ö{alike}{n}") for n in range(50)]
    assert len(set(names)) == 100
    assert max(len(name.encode()) for name in names) <= 63
    assert index_name("people", "name") == "ix_people_name"


def test_tables_with_names_that_differ_late_get_all_their_indexes(warehouse: Warehouse) -> None:
    for end in ("a", "b"):
        names = [f"{'c' * 58}_{n}" for n in range(3)]
        entity = Entity(
            f"test.long_{end}",
            about="Long names.",
            source=Script(modified=None),
            columns=(text("id", key=True), *(text(name) for name in names)),
            table=f"{'ü' * 31}{end}",
            indexes=tuple(names),
        )
        make(warehouse, entity)
        assert make(warehouse, entity) == []
        found = rows(warehouse, "SELECT indexname FROM pg_indexes WHERE tablename=%s", entity.table)
        assert len(found) == 4
