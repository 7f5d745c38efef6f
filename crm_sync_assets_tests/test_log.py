"""One line per event, no secret, no personal value in full."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from crm_sync_assets import log, redaction


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Secrets, handlers and levels are the process's: put back what was there."""
    monkeypatch.setattr(redaction, "_known", {})
    root, package = logging.getLogger(), logging.getLogger(redaction.PACKAGE)
    handlers, level = list(root.handlers), package.level
    yield
    root.handlers[:] = handlers
    package.setLevel(level)


def written(level: str = "INFO", *, as_json: bool = False) -> tuple[logging.Logger, io.StringIO]:
    logging.getLogger().handlers.clear()  # pytest's own, which dislike what some tests log
    stream = io.StringIO()
    log.configure(level, json=as_json, stream=stream)
    return log.logger("crm_sync_assets.test"), stream


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_an_event_is_one_line(as_json: bool) -> None:
    logger, stream = written(as_json=as_json)
    logger.info("first\nsecond \x1b[31m%s", "red\r\u2028x", extra={"batch": 3, "note": "a\nb"})
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line
    assert "first\\" in line
    if as_json:
        event = json.loads(line)
        assert event["event"] == "first\\nsecond \\x1b[31mred\\r\\u2028x"
        assert (event["batch"], event["note"], event["level"]) == (3, "a\\nb", "info")
        assert event["logger"] == "crm_sync_assets.test"
        assert event["timestamp"].endswith("Z")
    else:
        assert line.endswith("batch=3 note=a\\nb")


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_registered_secret_is_nowhere_in_the_log(as_json: bool) -> None:
    secret = 'Zwölf"Boxkämpfer\\jagen'
    redaction.register_secret(secret)
    logger, stream = written(as_json=as_json)
    logger.warning("token is %s", secret, extra={"header": {"k": [secret]}, "url": f"?t={secret}"})
    logger.warning(secret + " %d", 1)
    try:
        raise RuntimeError(f"no luck with {secret}")
    except RuntimeError:
        logger.exception("it broke")
    logging.getLogger("another.library").warning("also %s", secret)
    said = stream.getvalue()
    assert len(said.splitlines()) == 4
    for fragment in ("Zwölf", "Zw\\u00f6lf", "Boxk", "jagen"):
        assert fragment not in said
    assert "RuntimeError" in said


def test_the_longest_secret_goes_first() -> None:
    redaction.register_secret("abcdef")
    redaction.register_secret("abcdef-and-more")
    assert redaction.redact("x abcdef-and-more y abcdef z") == "x *** y *** z"


def test_a_secret_is_found_as_urls_quote_it() -> None:
    redaction.register_secret("p@ss/w ord")
    assert redaction.redact("a=p%40ss%2Fw%20ord&b=p%40ss%2Fw+ord") == "a=***&b=***"


def test_an_empty_or_tiny_secret_does_not_blot_out_the_log() -> None:
    redaction.register_secret("")
    redaction.register_secret(None)
    redaction.register_secret("a")
    assert redaction.redact("a banana") == "a banana"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("{'Authorization': 'Bearer abcdef123'}", "{'Authorization': 'Bearer ***'}"),
        ('{"authorization":"Basic dXNlcjpwYXNz"}', '{"authorization":"Basic ***"}'),
        ("sent Bearer abcdefgh12345", "sent Bearer ***"),
        ("token pat-na1-1a2b3c4d-5e6f-7a8b", "token ***"),
        ("postgresql://me:s3cret@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("redis://:s3cret@cache/0", "redis://:***@cache/0"),
        ("host=db password=s3cret dbname=x", "host=db password=*** dbname=x"),
        ('{"refresh_token": "r-123", "ok": 1}', '{"refresh_token": "***", "ok": 1}'),
        ("?api_key=abc123&page=2", "?api_key=***&page=2"),
        ("?X-Amz-Signature=0a1b&X-Amz-Date=2", "?X-Amz-Signature=***&X-Amz-Date=2"),
        ("?a=1&X-Amz-Security-Token=IQoJ%2Fb", "?a=1&X-Amz-Security-Token=***"),
        ("client_secret=abc&x=1", "client_secret=***&x=1"),
        ("ghp_0123456789abcdefABCDEF", "***"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, safe: str) -> None:
    assert redaction.redact(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "hubspot.contacts: 100 rows stored in 12 ms",
        "https://app.hubspot.com/contacts/1/record/0-1/2?x=ana@example.com",
        "Failed to parse datetime value: 'soon' in field 'updated_at' for hubspot 123",
        "next page after 90210000017",
    ],
)
def test_an_ordinary_line_stays_as_it_is(text: str) -> None:
    assert redaction.redact(text) == text
    assert redaction.one_line(text) == text


@pytest.mark.parametrize(
    ("value", "kind", "masked"),
    [
        ("ana.reyes@example.com", "email", "a***@e***.com"),
        ("ana@example", "email", "a***@e***"),
        ("ana", "email", "a***"),
        ("+1 410-555-0147", "phone", "***47"),
        ("555", "phone", "***"),
        ("Reyes", "text", "R***"),
        ("R", "text", "***"),
        ("", "text", ""),
        ("\x1bx", "text", "\\x1b***"),
        (12345, "integer", "1***"),
    ],
)
def test_a_personal_value_is_masked(value: object, kind: str, masked: str) -> None:
    assert redaction.mask(value, kind) == masked


def test_the_level_is_ours_and_others_are_heard_from_warning() -> None:
    logger, stream = written("debug")
    logger.debug("ours")
    logging.getLogger("httpx_like").info("theirs")
    logging.getLogger("httpx_like").warning("their warning")
    assert [line.split(maxsplit=2)[1:] for line in stream.getvalue().splitlines()] == [
        ["DEBUG", "ours"],
        ["WARNING", "their warning"],
    ]


def test_configuring_again_replaces_the_handler() -> None:
    _, first = written()
    logger, second = written()
    logger.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_line_with_wrong_arguments_is_written_all_the_same() -> None:
    logger, stream = written()
    logger.info("%d rows", "many")
    assert "many" in stream.getvalue()


def test_importing_it_is_cheap() -> None:
    code = "import sys; import crm_sync_assets.log; print('structlog' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
