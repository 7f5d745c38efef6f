"""What a MySQL table can hold and PostgreSQL or Python cannot, from MariaDB to the reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from crm_sync_assets.clients.sql.database import named_column, named_table
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.contract import Usage
from crm_sync_assets.errors import FatalError
from crm_sync_assets.sandbox.crms.genius.world import World
from crm_sync_assets.warehouse.tables import ensure_table
from crm_sync_assets_tests.crms.genius.truth import differences, stored_rows
from crm_sync_assets_tests.crms.genius.worlds import (
    Start,
    clock,
    genius_environment,
    mariadb,
    mysql_database,
    start,
    world,
)
from crm_sync_assets_tests.hostile.conftest import Run
from crm_sync_assets_tests.hostile.plain import LOG_LINE, STATEMENT, assert_plain
from crm_sync_assets_tests.mariadb import MariaDB
from crm_sync_assets_tests.scripted import history, rows

__all__ = ["clock", "genius_environment", "mariadb", "mysql_database", "start", "world"]


@dataclass(frozen=True)
class Case:
    """What one row is set to, and what must come of it; `refused` rows are set aside."""

    sql: str
    stored: Mapping[str, Any] = field(default_factory=dict)
    noted: tuple[str, ...] = ()
    refused: str = ""


def literal(text: str) -> str:
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def sent(column: str, sql: str, value: Any) -> Case:
    return Case(f"{column} = {sql}", {column: value})


def unread(column: str, sql: str) -> Case:
    """A value that becomes NULL, and a note."""
    return Case(f"{column} = {sql}", {column: None}, noted=(column,))


def changed(column: str, sql: str, value: Any) -> Case:
    return Case(f"{column} = {sql}", {column: value}, noted=(column,))


LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
BACKWARDS = "\u202ekcatta\u202c\x1b[31m\x85"
LONG = timedelta(hours=838, minutes=59, seconds=59)

APPOINTMENTS: dict[str, Case] = {
    "a zero date": unread("date", "'0000-00-00'"),
    "no day": unread("date", "'2022-11-00'"),
    "31 February": unread("date", "'2022-02-31'"),
    "the first day": sent("date", "'0001-01-01'", date(1, 1, 1)),
    "the last day": sent("date", "'9999-12-31'", date(9999, 12, 31)),
    "a zero moment": unread("confirm_date", "'0000-00-00 00:00:00'"),
    "no month": unread("confirm_date", "'2022-00-10 10:00:00'"),
    "the last moment": sent("confirm_date", "'9999-12-31 23:59:59.999999'", LAST),
    "a zero timestamp": unread("complete_date", "'0000-00-00 00:00:00'"),
    "a changed date of zero": unread("updated_at", "'0000-00-00 00:00:00'"),
    "a changed date without a day": unread("updated_at", "'2022-11-00 00:00:00'"),
    "no changed date": sent("updated_at", "NULL", None),
    "838 hours": sent("duration", "'838:59:59'", LONG),
    "minus 838 hours": sent("duration", "'-838:59:59'", -LONG),
    "838 o'clock": unread("time", "'838:59:59'"),
    "before midnight": unread("time", "'-00:00:01'"),
    "24 o'clock": sent("time", "'24:00:00'", time(0)),
    "2^64 - 1": unread("prospect_id", "18446744073709551615"),
    "2^63": unread("prospect_id", "9223372036854775808"),
    "2^63 - 1": sent("prospect_id", "9223372036854775807", 2**63 - 1),
    "64 bits": Case(f"spouses_present = b'{'1' * 64}'", refused="spouses_present cannot be read"),
    "63 bits": sent("spouses_present", f"b'{'1' * 63}'", 2**63 - 1),
    "NULL where none belongs": sent("spouses_present", "NULL", 0),
    "a year": sent("complete_outcome_id", "2155", 2155),
    "no year": sent("complete_outcome_id", "0", 0),
    "the largest double": unread("prospect_source_id", "1.7976931348623157e308"),
    "the smallest double": unread("prospect_source_id", "5e-324"),
    "a fraction": unread("prospect_source_id", "1.5"),
    "minus zero": sent("prospect_source_id", "-0e0", 0),
    "2 for true": sent("is_complete", "2", 2),
    "JSON": sent("leap_estimate_id", "'{\"a\": [1, \"x\"]}'", '{"a": [1, "x"]}'),
    "NUL": changed("city", "CONCAT('a', CHAR(0), 'b')", "ab"),
    "5 MB": sent("notes", "REPEAT('long ', 1000000)", "long " * 1_000_000),
    "emoji": sent("city", literal("👩‍👩‍👧‍👦"), "👩‍👩‍👧‍👦"),
    "right to left": sent("city", literal(BACKWARDS), BACKWARDS),
    "a statement": sent("city", literal(STATEMENT), STATEMENT),
    "a log line": sent("city", literal(LOG_LINE), LOG_LINE),
    "a log line for an address": changed("email", literal(LOG_LINE), LOG_LINE),
    "a formula": sent("notes", "'=cmd|\\' /C calc\\'!A0'", "=cmd|' /C calc'!A0"),
    "a blob that is text": sent("marketsharp_id", literal("Núñez"), "Núñez"),
    "a blob that is none": changed("marketsharp_id", "X'89504E470D0AFF'", "\ufffdPNG\r\n\ufffd"),
    "a blob of NULs": changed("marketsharp_id", "X'00000041'", "A"),
    "latin-1": changed("address2", "X'4A6F73E9'", "Jos\ufffd"),
    "half a character": changed("address2", "X'41EDA080'", "A\ufffd\ufffd\ufffd"),
    "beyond Unicode": changed("address2", "X'41F4908080'", "A" + "\ufffd" * 4),
    "too long a form": changed("address2", "X'41C080'", "A\ufffd\ufffd"),
    "a key of 2^64 - 1": Case("id = 18446744073709551615", refused="the key id is outside"),
    "a key of 2^63 - 1": Case("id = 9223372036854775807"),
}  # fmt: skip
ALTERED = """
    ALTER TABLE appointment MODIFY id BIGINT UNSIGNED, MODIFY prospect_id BIGINT UNSIGNED,
    MODIFY spouses_present BIT(64) NULL, MODIFY complete_outcome_id YEAR NULL,
    MODIFY prospect_source_id DOUBLE NULL, MODIFY is_complete TINYINT(1) NULL,
    MODIFY leap_estimate_id JSON NULL, MODIFY notes LONGTEXT, MODIFY marketsharp_id LONGBLOB,
    MODIFY address2 VARBINARY(255), MODIFY confirm_date DATETIME(6) NULL,
    MODIFY duration TIME(6) NULL
"""
FIRST_ID = 301


def test_a_thousand_rows_and_one_of_everything_that_is_wrong(
    mariadb: MariaDB,
    mysql_database: str,
    world: World,
    start: Start,
    crm_sync: Run,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.insert("appointment", 1_000 - len(world.rows("appointment")))
    mariadb.execute(
        "SET sql_mode = ''",
        "UPDATE appointment SET leap_estimate_id = NULL, complete_outcome_id = NULL",
        ALTERED,
        database=mysql_database,
    )
    genius = start()
    first = genius.sync("appointments")
    assert (first.status, first.counts.created) == ("success", 1_000)
    assert differences(world, genius.warehouse, "appointments") == []
    entity = registry.entity("genius.appointments")
    before = stored_rows(genius.warehouse, entity)

    keys = dict(zip(APPOINTMENTS, range(FIRST_ID, 1_000), strict=False))
    lenient = ("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'",)
    mariadb.execute(
        *lenient,
        *(f"UPDATE appointment SET {case.sql} WHERE id = {keys[name]}"  # noqa: S608
          for name, case in APPOINTMENTS.items()),
        database=mysql_database,
    )  # fmt: skip
    with caplog.at_level("INFO"):
        begun = genius.sync("appointments", full=True)
    refused = [case for case in APPOINTMENTS.values() if case.refused]
    assert (begun.status, begun.counts.failed) == ("partial", len(refused))
    assert begun.counts.add_up
    assert [m for m in caplog.messages if "\n" in m or "\x1b" in m] == []

    after = stored_rows(genius.warehouse, entity)
    touched = {(key,) for key in keys.values()}
    changing = {"sync_updated_at", "sync_issues"}
    for key in before.keys() - touched:
        assert after[key] == before[key], "every neighbour is exact, and was not rewritten"
    wrong = {}
    for name, case in APPOINTMENTS.items():
        if case.sql.startswith("id ="):
            continue
        row = after[(keys[name],)]
        expected = {n: v for n, v in before[(keys[name],)].items() if n not in changing}
        expected |= case.stored
        found = {n: (row[n], v) for n, v in expected.items() if row[n] != v}
        noted = {issue["field"] for issue in row["sync_issues"] or ()}
        known = {issue["field"] for issue in before[(keys[name],)]["sync_issues"] or ()}
        if found or not set(case.noted) <= noted or noted - known - set(case.noted):
            wrong[name] = (str(found)[:200], noted)
    assert wrong == {}
    assert (2**63 - 1,) in after
    assert rows(genius.warehouse, "SELECT stage, field FROM ingestion_quarantine ORDER BY 2") == [
        ("parse", "id"),
        ("parse", "spouses_present"),
    ]
    # The record whose key cannot be read may be any row, so a full read calls none absent;
    # a delta compares keys, and finds that two of them are no longer there.
    assert after[(keys["a key of 2^64 - 1"],)]["deleted_at"] is None
    assert genius.sync("appointments").counts.deleted == 2

    for flags in ({}, {"full": True}, {}):
        again = genius.sync("appointments", **flags)
        assert again.status == "partial"
        assert (again.counts.created, again.counts.updated, again.counts.deleted) == (0, 0, 0)
    status, out, err = crm_sync("quarantine", "list", "--crm=genius")
    assert (status, err) == (0, "")
    assert_plain(out)
    assert history(genius.warehouse)[-1]["watermark"] is not None


def test_money_of_65_digits_and_a_boolean_of_2(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start
) -> None:
    most = "9" * 35 + "." + "9" * 30
    mariadb.execute(
        "ALTER TABLE job MODIFY contract_amount DECIMAL(65, 30), MODIFY payment_amount DOUBLE, "
        "MODIFY job_value DOUBLE",
        "ALTER TABLE division MODIFY is_utility TINYINT(1) NULL",
        f"UPDATE job SET contract_amount = -{most} WHERE id = 3",  # noqa: S608
        "UPDATE job SET contract_amount = NULL, job_value = 1.7976931348623157e308 WHERE id = 4",
        "UPDATE job SET payment_amount = 5e-324, job_value = -0e0 WHERE id = 5",
        "UPDATE division SET is_utility = 2 WHERE id = 2",
        database=mysql_database,
    )
    genius = start()
    assert genius.sync("jobs").status == genius.sync("divisions").status == "success"
    jobs = stored_rows(genius.warehouse, registry.entity("genius.jobs"))
    assert jobs[(3,)]["contract_amount"] == Decimal(f"-{most}")
    assert jobs[(4,)]["contract_amount"] == 0
    assert jobs[(4,)]["job_value"] == Decimal("1.7976931348623157e308")
    assert jobs[(5,)]["payment_amount"] == Decimal("5e-324")
    assert jobs[(5,)]["job_value"] == 0
    division = stored_rows(genius.warehouse, registry.entity("genius.divisions"))[(2,)]
    assert (division["is_utility"], division["sync_issues"]) == (True, None)
    assert genius.sync("jobs", full=True).counts.updated == 0


def test_a_column_that_changes_its_type_between_two_syncs(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start
) -> None:
    """Numbers that became words are NULL and noted; where NULL may not be, the row is set aside."""
    genius = start()
    genius.sync("leads")
    count = len(world.rows("lead"))
    cost = stored_rows(genius.warehouse, registry.entity("genius.leads"))[(7,)]["lead_cost"]
    mariadb.execute(
        "ALTER TABLE lead MODIFY rating VARCHAR(20), MODIFY lead_cost VARCHAR(20)",
        "UPDATE lead SET rating = 'high' WHERE lead_id = 5",
        "UPDATE lead SET lead_cost = '12,50' WHERE lead_id = 7",
        "UPDATE lead SET rating = '3', lead_cost = '1e3' WHERE lead_id = 6",
        database=mysql_database,
    )
    genius = start()
    begun = genius.sync("leads", full=True, batch_size=7)
    assert (begun.status, begun.counts.processed, begun.counts.failed) == ("partial", count, 1)
    assert (begun.counts.created, begun.counts.deleted) == (0, 0)
    leads = stored_rows(genius.warehouse, registry.entity("genius.leads"))
    assert leads[(5,)]["rating"] is None
    assert "rating" in {i["field"] for i in leads[(5,)]["sync_issues"]}
    assert leads[(7,)]["lead_cost"] == cost, "what is stored stays; 20 stands for NULL only"
    assert rows(genius.warehouse, "SELECT record_id, field FROM ingestion_quarantine") == [
        ("7", "lead_cost")
    ]
    assert (leads[(6,)]["rating"], leads[(6,)]["lead_cost"]) == (3, Decimal(1000))
    assert genius.sync("leads").counts.updated == 0


@pytest.mark.parametrize("flags", [{}, {"full": True}], ids=["delta", "full"])
def test_a_key_that_becomes_text_is_refused_rather_than_read_out_of_order(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start, flags: dict[str, Any]
) -> None:
    """MariaDB answered the comparison of keys with the same one for ever."""
    start().sync("leads")
    mariadb.execute("ALTER TABLE lead MODIFY lead_id VARCHAR(20)", database=mysql_database)
    genius = start()
    with pytest.raises(FatalError, match="column lead_id of table lead is varchar"):
        genius.sync("leads", **flags)
    assert history(genius.warehouse)[-1]["watermark"] is None


FULL_DISK = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON genius_job_change_order_item
    FOR EACH ROW WHEN (NEW.id = 25000) EXECUTE FUNCTION full_disk();
"""


def test_79_bad_rows_in_40000_cost_no_other_row_and_no_watermark(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start
) -> None:
    """A batch that cannot be stored stops the watermark; 79 impossible dates do not.

    The same shape once lost 1.6 million rows in 76 buffers of a green run.
    """
    total, bad = 40_000, 79
    mariadb.execute(
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "DELETE FROM job_change_order_item",
        "INSERT INTO job_change_order_item "
        "(id, change_order_id, description, amount, created_at, updated_at) "
        "SELECT seq, seq, CONCAT('item ', seq), seq / 100, '2020-01-01', '2020-01-01' "
        "FROM seq_1_to_40000",
        "UPDATE job_change_order_item SET created_at = IF(id % 2, '2022-11-00', '0000-00-00'), "
        "description = CONCAT(description, CHAR(0)) WHERE id % 506 = 0",
        database=mysql_database,
    )
    genius = start()

    with genius.warehouse.connection() as connection:
        ensure_table(connection, registry.entity("genius.job_change_order_items"))
        connection.execute(FULL_DISK)
        connection.commit()
    with pytest.raises(FatalError, match="no space left"):
        genius.sync("job_change_order_items")
    stored = "SELECT count(*) FROM genius_job_change_order_item"
    assert rows(genius.warehouse, stored)[0][0] < 25_000
    with genius.warehouse.connection() as connection:
        connection.execute("DROP FUNCTION full_disk CASCADE")
        connection.commit()
    failed = history(genius.warehouse)[-1]
    assert (failed["status"], failed["watermark"]) == ("failed", None)
    begun = genius.sync("job_change_order_items")
    assert begun.resumed
    assert (begun.status, begun.counts.processed, begun.counts.failed) == ("success", total, 0)
    assert begun.watermark is not None
    assert rows(
        genius.warehouse,
        "SELECT count(*), count(created_at), count(*) FILTER (WHERE description = 'item ' || id "
        "AND amount = id / 100.0), count(sync_issues) FROM genius_job_change_order_item",
    ) == [(total, total - bad, total, bad)]


@pytest.mark.parametrize(
    "window", [{"start_date": "0001-01-01"}, {"end_date": "9999-12-31"}], ids=["first", "last"]
)
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_a_window_may_reach_to_either_end_of_time(
    world: World,
    start: Start,
    genius_environment: pytest.MonkeyPatch,
    window: dict[str, str],
    zone: str,
) -> None:
    genius_environment.setenv("GENIUS_TIME_ZONE", zone)
    begun = start().sync("quotes", **window)
    dated = [row for row in world.rows("quote") if row["updated_at"]]
    open_at_the_top = "end_date" not in window
    assert begun.status == "success"
    assert begun.counts.processed == (len(world.rows("quote")) if open_at_the_top else len(dated))


TRUTHS = {"0": False, "1": True, "2": True, "-1": True, "NULL": None}


@pytest.mark.parametrize("kind", ["TINYINT", "BIGINT", "DECIMAL(5, 2)", "DOUBLE", "BIT(8)"])
def test_a_truth_is_whatever_is_not_0_as_mysql_judges_it(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start, kind: str
) -> None:
    """A user with is_inactive = 2 was stored as active, with a note."""
    values = {v: t for v, t in TRUTHS.items() if not (kind == "BIT(8)" and v == "-1")}
    values |= {"0.5": True} if kind in ("DECIMAL(5, 2)", "DOUBLE") else {}
    users = sorted(world.keys("user_data"))[: len(values)]
    assert len(users) == len(values)
    mariadb.execute(
        f"ALTER TABLE user_data MODIFY is_inactive {kind} NULL",
        *(
            f"UPDATE user_data SET is_inactive = {value} WHERE user_id = {key[0]}"  # noqa: S608
            for value, key in zip(values, users, strict=True)
        ),
        database=mysql_database,
    )
    genius = start()
    assert genius.sync("user_data").status == "success"
    stored = stored_rows(genius.warehouse, registry.entity("genius.user_data"))
    assert {v: stored[key]["is_inactive"] for v, key in zip(values, users, strict=True)} == {
        **values,
        "NULL": False,
    }
    assert differences(world, genius.warehouse, "user_data") == []


def test_a_word_that_is_no_truth_is_set_aside_where_null_may_not_be(
    mariadb: MariaDB, mysql_database: str, world: World, start: Start
) -> None:
    (first, *_) = sorted(world.keys("user_data"))
    mariadb.execute(
        "ALTER TABLE user_data MODIFY is_inactive VARCHAR(20) NULL",
        f"UPDATE user_data SET is_inactive = 'gone' WHERE user_id = {first[0]}",  # noqa: S608
        database=mysql_database,
    )
    genius = start()
    begun = genius.sync("user_data")
    assert (begun.status, begun.counts.failed) == ("partial", 1)
    assert first not in stored_rows(genius.warehouse, registry.entity("genius.user_data"))
    ((reason,),) = rows(genius.warehouse, "SELECT reason FROM ingestion_quarantine")
    assert "is_inactive cannot be read as boolean" in reason


@pytest.mark.parametrize("name", ["lead`; DROP TABLE `quote", "quote' OR '1'='1", 'x"; --', "%s"])
def test_a_name_of_a_table_or_column_cannot_become_a_statement(
    world: World, start: Start, name: str
) -> None:
    """Names come from declarations; even so each is quoted."""
    genius = start()
    table = named_table(name)
    with pytest.raises(FatalError, match="there is no such table"):
        genius.client.database.rows(sa.select(named_column(table, name)), "genius", Usage())
    table = named_table("quote")
    with pytest.raises(FatalError, match="no longer has"):
        genius.client.database.rows(sa.select(named_column(table, name)), "genius", Usage())
    assert world.rows("quote")
