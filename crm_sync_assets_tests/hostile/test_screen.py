"""What people type and what they see: nothing of it is a statement, a colour or a second line."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest

from crm_sync_assets import log, redaction
from crm_sync_assets.cli import exits
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.validators import MAX_REMEMBERED, email, phone, state, url
from crm_sync_assets.rows.processor import Failure, Processor
from crm_sync_assets.sandbox import Sandbox
from crm_sync_assets.warehouse import quarantine
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.hostile.conftest import Run
from crm_sync_assets_tests.hostile.plain import LOG_LINE, STATEMENT, assert_plain
from crm_sync_assets_tests.scripted import rows
from crm_sync_assets_tests.truth import HubSpotSyncs

CONTACTS = registry.entity("hubspot.contacts")
ODD = {
    "a log line": LOG_LINE,
    "a statement": STATEMENT,
    "right to left": "\u202ekcatta\u202c\u200b\x9b31m\x85",
    "half a character": "\ud800 \x00",
    "a formula": "=cmd|' /C calc'!A0",
    "names": "Núñez 👩‍👩‍👧",
}


@pytest.fixture
def quarantined(warehouse: Warehouse) -> Warehouse:
    """A record per odd text in quarantine, with the text in its id, its reason and its values."""
    with warehouse.connection() as connection:
        failures = [
            Failure(
                redaction.one_line(text) if kind == "half a character" else text,
                "parse",
                f"the key id {text}",
                "id",
                {"id": None, "properties": {text: [text]}},
                None,
            )
            for kind, text in ODD.items()
        ]
        quarantine.add(connection, CONTACTS, None, failures)
        connection.commit()
    return warehouse


def test_a_quarantined_record_is_shown_and_draws_nothing(
    quarantined: Warehouse, crm_sync: Run
) -> None:
    for words in (("list",), ("list", "--json"), ("show", "--crm=hubspot", "--limit=9")):
        status, out, err = crm_sync("quarantine", *words)
        assert (status, err) == (exits.SUCCESS, "")
        assert_plain(out)
        if words[0] == "list" and "--json" not in words:
            assert "[red]red[/red]" in "".join(out.split()), "markup is text"
    shown = json.loads(out)
    assert {key for one in shown for key in one["record"]["properties"]} == set(ODD.values())
    assert "Núñez 👩" in out, "what a person can read stays readable"


def test_a_replay_says_what_it_refused_in_one_line_each(
    quarantined: Warehouse, crm_sync: Run
) -> None:
    status, out, err = crm_sync("quarantine", "replay")
    assert status == exits.PARTIAL
    assert f"{len(ODD)} refused again" in out
    assert_plain(out + err)
    lines = err.splitlines()
    assert len(lines) == len(ODD)
    assert all(line.startswith("crm-sync: hubspot.contacts ") for line in lines)


def test_a_text_in_history_is_shown_and_draws_nothing(warehouse: Warehouse, crm_sync: Run) -> None:
    with warehouse.connection() as connection:
        connection.execute(
            "INSERT INTO ingestion_sync_history (crm_source, sync_type, start_time, end_time, "
            "status, error_message) VALUES ('hubspot', 'contacts', now(), now(), 'failed', %s)",
            (LOG_LINE,),
        )
        connection.commit()
    for words in (("history",), ("history", "--json"), ("health",), ("health", "--json")):
        assert_plain("".join(crm_sync(*words)[1:]))


STATEMENTS = ["'; DROP TABLE ingestion_sync_history; --", "' OR '1'='1", "%s", "x\ud800"]


@pytest.mark.parametrize("text", STATEMENTS)
@pytest.mark.parametrize(
    "words",
    [
        ["history", "--entity", "?"],
        ["history", "--crm", "?"],
        ["history", "--status", "?"],
        ["history", "--since", "?"],
        ["quarantine", "list", "--entity", "?"],
        ["quarantine", "list", "--crm", "?"],
        ["quarantine", "list", "--id", "?"],
        ["quarantine", "show", "--id", "?"],
        ["quarantine", "replay", "--id", "?"],
        ["quarantine", "replay", "--entity", "?"],
        ["health", "?"],
        ["entities", "?"],
        ["hubspot", "?"],
        ["hubspot", "contacts", "--start-date", "?"],
        ["hubspot", "contacts", "--end-date", "?"],
        ["hubspot", "contacts", "--batch-size", "?"],
        ["?"],
    ],
    ids=" ".join,
)
def test_what_is_typed_is_never_a_statement(
    quarantined: Warehouse, crm_sync: Run, words: list[str], text: str
) -> None:
    status, out, err = crm_sync(*(text if word == "?" else word for word in words))
    assert status in (exits.SUCCESS, exits.USAGE, exits.FAILED)
    assert "unexpected" not in err
    assert_plain(out + err)
    assert len(err.splitlines()) <= 1
    if status == exits.SUCCESS and "--json" not in out:
        assert "=cmd" not in out, "the filter found nothing"
    assert rows(quarantined, "SELECT count(*) FROM ingestion_quarantine") == [(len(ODD),)]
    assert rows(quarantined, "SELECT count(*) FROM ingestion_sync_history") == [(0,)]


@pytest.mark.parametrize("when", ["99999999999d", "99999999999h", "²d", "٣d", "10000-01-01T00:00"])
def test_a_time_beyond_all_time_is_refused_as_such(
    warehouse: Warehouse, crm_sync: Run, when: str
) -> None:
    status, out, err = crm_sync("history", f"--since={when}")
    assert (status, out) == ((exits.USAGE, "") if when != "٣d" else (exits.SUCCESS, out))
    assert ("is no moment" in err) == (when != "٣d")


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "JSON"])
def test_whatever_a_record_holds_is_one_line_of_the_log(as_json: bool) -> None:
    stream = io.StringIO()
    # Each odd value has a line of its own, and each field one at the end.
    log.configure("INFO", json=as_json, stream=stream)
    sent: list[Any] = [
        {"id": text, "properties": {"price": text, "email": text, "lead_id": [text], text: text}}
        for text in ODD.values()
    ]
    sent += [{"id": text, "properties": 1} for text in ODD.values()]
    processor = Processor(CONTACTS, log_each=True)
    batch = processor.process(sent)
    processor.sum_up()
    assert len(batch.rows) + len(batch.failures) == len(sent)
    logging.getLogger("crm_sync_assets").warning("%s %s", LOG_LINE, {LOG_LINE: [LOG_LINE]})
    lines = stream.getvalue().splitlines()
    assert_plain(stream.getvalue())
    assert len(lines) > len(sent)
    assert all(line[:1] in ("{" if as_json else "2") for line in lines)
    if as_json:
        assert all("CRITICAL" not in json.loads(line)["level"] for line in lines)


def test_a_long_text_costs_the_log_no_minutes() -> None:
    """Looking for secrets once took the square of the length: ten minutes for a megabyte."""
    stream = io.StringIO()
    log.configure("INFO", stream=stream)
    began = time.monotonic()
    logging.getLogger("crm_sync_assets").warning("%s", "a" * 1_000_000)
    huge = {"id": "b" * 3_000_000, "properties": {"price": "c" * 3_000_000}}
    processor = Processor(CONTACTS, record_url=lambda key: f"https://x/{key[0]}", log_each=True)
    processor.process([huge])
    processor.sum_up()
    assert time.monotonic() - began < 60
    assert len(stream.getvalue()) < 1_100_000, "of a record a line shows the beginning"


def test_checks_remember_no_megabytes() -> None:
    for check in (email, phone, url, state):
        assert check("x" * (MAX_REMEMBERED + 1)) is not None
        remembered = next(
            cell.cell_contents
            for name in ("_email_slowly", "_phone_slowly", "_url_slowly", "_state_slowly")
            if name == f"_{check.__name__}_slowly"
            for cell in check.__globals__[name].__closure__
            if hasattr(cell.cell_contents, "cache_info")
        )
        before = remembered.cache_info().currsize
        check("y" * 100_000)
        assert remembered.cache_info().currsize == before
        check(f"short {check.__name__} {time.monotonic_ns()}")
        assert remembered.cache_info().currsize == before + 1


@pytest.mark.parametrize("text", [LOG_LINE, '{"level": "critical"}', "[red]x[/red] {} %s"])
def test_the_body_of_an_error_is_one_line_wherever_it_is_told(
    hubspot: HubSpotSyncs, sandbox: Sandbox, crm_sync: Run, text: str
) -> None:
    body = json.dumps({"status": "error", "message": text, "category": text})
    sandbox.faults.add("contacts", on="all", status=400, body=body)
    status, out, err = crm_sync("hubspot", "contacts", "--no-progress")
    assert status == exits.FAILED
    assert_plain(out + err)
    ((message,),) = rows(hubspot.warehouse, "SELECT error_message FROM ingestion_sync_history")
    assert "answered 400" in message
    assert_plain(message)
    assert_plain("".join(crm_sync("history")[1:]))
