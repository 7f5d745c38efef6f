"""Any secret, written in any way, on its way out."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from crm_sync_assets import log, redaction
from crm_sync_assets.clients.answers import Answer
from crm_sync_assets.clients.auth import Bearer
from crm_sync_assets.clients.oauth import Grant, MemoryStore, Tokens
from crm_sync_assets.errors import FatalError
from crm_sync_assets.masking import masked
from crm_sync_assets.rows.processor import Failure
from crm_sync_assets.settings import environment
from crm_sync_assets.told import Withheld, safe, words
from crm_sync_assets_tests.canaries.catalogue import BY_NAME, SAID

FORMS = {
    "raw": lambda s: s,
    "quoted": lambda s: quote(s, safe=""),
    "quoted twice": lambda s: quote(quote(s, safe=""), safe=""),
    "form": lambda s: quote_plus(s, encoding="utf-8", errors="surrogatepass"),
    "upper": str.upper,
    "lower": str.lower,
    "json": json.dumps,
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "json as it is": lambda s: json.dumps(s, ensure_ascii=False),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda s: repr(s.encode("utf-8", "surrogatepass")),
    "repr of repr": lambda s: repr(repr(s)),
    "html": html.escape,
    "html twice": lambda s: html.escape(html.escape(s)),
    "one line": redaction.one_line,
    "squeezed": lambda s: " ".join(s.split()),
}
# Without asterisks: what is hidden is shown as some, and a secret of them would seem to be there.
ENCODABLE = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="*"), min_size=4, max_size=30
)
ODD = st.text(st.sampled_from("aZ9\"'\\ \n\t%+&<>/:@#?=.([{$^|~éß\u2028\x00\x1b😀"), min_size=4)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    before, redaction._known = redaction._known, {}
    handlers = list(logging.getLogger().handlers)
    yield
    redaction._known = before
    logging.getLogger().handlers[:] = handlers


def core(text: str) -> str:
    """What of a secret tells something: all that is not white space or control characters."""
    return redaction._BLANK.sub("", text)


def pieces(secret: str, form: str) -> list[str]:
    """What must not be left: the whole form; and each half of it, where halves are long and do not
    consist of what stands for a blank."""
    half = len(form) // 2
    tells = len(core(secret)) >= 12 and core(secret[0]) and core(secret[-1])
    return [form] + ([form[:half], form[half:]] if tells else [])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=ENCODABLE | ODD, around=st.sampled_from(["", " ", "x=", '"', "\\", "\n", "ab"]))
@example(secret="aaaa", around="a")
@example(secret="a  b\nc\td", around="")
@example(secret="\\\\\\\\", around="\\")
@example(secret='ab"\\', around='"')
def test_no_form_of_a_secret_passes_the_redactor(secret: str, around: str) -> None:
    assume(len(core(secret)) >= redaction.MIN_SECRET)
    redaction._known = {}
    redaction.register_secret(secret)
    for name, write in FORMS.items():
        form = write(secret)
        said = redaction.redact(f"before {around}{form}{around} after")
        assert redaction.HIDDEN in said, name
        for piece in pieces(secret, form):
            assert piece not in said, name


LIKE = {"s": "sS\u017f", "k": "kK\u212a", "i": "iI\u0130\u0131"}
"""Letters that count as others where case does not."""


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=ENCODABLE | ODD | st.text("sik-+", min_size=4, max_size=9), data=st.data())
def test_a_text_that_a_secret_is_found_in_is_searched_for_it(
    secret: str, data: st.DataObject
) -> None:
    """Only such texts meet the pattern, which takes a while to make."""
    coded = base64.b64encode(secret.encode("utf-8", "replace")).decode()
    spelt = data.draw(st.sampled_from([secret, quote(secret, safe="", errors="replace"), coded]))
    text = "".join(data.draw(st.sampled_from(LIKE.get(c.lower(), c))) for c in spelt)
    if redaction._spellings(secret).search(text):
        folded = redaction._folded(text)
        assert any(mark in folded for mark in redaction._marks(secret))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=ENCODABLE | ODD, as_json=st.booleans())
def test_no_secret_passes_the_log(secret: str, as_json: bool) -> None:
    plain = written(as_json, "nothing", {})
    assume(len(core(secret)) >= redaction.MIN_SECRET)
    assume(core(secret).lower() not in core(plain).lower())
    redaction.register_secret(secret)
    said = written(as_json, f"a {secret} b {quote(secret)}", {"field": secret, "more": [secret]})
    redaction._known = {}
    (line,) = said.splitlines()
    for form in (secret, redaction.one_line(secret), quote(secret), json.dumps(secret)[1:-1]):
        if core(form):
            assert form not in line
    if as_json:
        event = json.loads(line)
        assert redaction.HIDDEN in event["event"]
        assert redaction.HIDDEN in event["field"]
        assert secret not in str(event)


def written(as_json: bool, message: str, extra: dict[str, Any]) -> str:
    """One line of the log, its moment left out."""
    stream = io.StringIO()
    handler = log.configure("INFO", json=as_json, stream=stream)
    record = logging.makeLogRecord({"name": "crm_sync_assets.x", "levelno": 20, "created": 0.0})
    record.msg, record.levelname = message, "INFO"
    record.__dict__.update(extra)
    handler.handle(record)
    logging.getLogger().removeHandler(handler)
    return stream.getvalue()


@settings(max_examples=50, deadline=None)
@given(secret=st.binary(min_size=12, max_size=40), user=st.text("abc", max_size=5))
def test_no_password_passes_as_base64(secret: bytes, user: str) -> None:
    password = base64.b32encode(secret).decode()
    redaction._known = {}
    redaction.register_secret(password)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(f"{user}:{password}".encode()).decode()
        said = redaction.redact(f"sent {encoded} to it")
        # The user's name stands before it, and may share a character with it.
        for at in range(8 * (len(user) + 1) // 6 + 1, len(encoded) - 8):
            assert encoded[at : at + 8] not in said


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_secrets_that_overlap_leave_nothing_of_each_other(data: st.DataObject) -> None:
    whole = data.draw(st.text("abcXYZ019", min_size=12, max_size=24))
    cut, other = data.draw(st.integers(4, 8)), data.draw(st.integers(4, 8))
    redaction._known = {}
    secrets = [whole[:-cut], whole[other:], whole]
    chosen = data.draw(st.permutations(secrets))
    for secret in chosen:
        redaction.register_secret(secret)
    said = redaction.redact(f"<{whole}> <{whole[:-cut]}> <{whole[other:]}>")
    assert said == "<***> <***> <***>"


def test_a_secret_that_is_a_number_is_hidden_in_a_field_and_the_line_stays_json() -> None:
    redaction.register_secret("83746501")
    event = json.loads(written(True, "x", {"field": 83746501, "other": 12, "share": 0.5}))
    assert (event["field"], event["other"], event["share"]) == ("***", 12, 0.5)


def test_an_exception_in_the_log_tells_neither_values_nor_local_variables() -> None:
    stream = io.StringIO()
    log.configure(stream=stream)
    name = SAID.name
    try:
        try:
            raise KeyError(SAID.email)
        except KeyError as error:
            raise ValueError(name) from error
    except ValueError:
        logging.getLogger("another.library").exception("it broke")
    said = stream.getvalue()
    assert "raise ValueError(name)" in said
    assert "ValueError at test_redaction.py:" in said
    assert SAID.tag not in said.lower()


@pytest.mark.parametrize(
    ("text", "safe_text"),
    [
        ("Set-Cookie: a=1abc; b=2abc", "Set-Cookie: ***"),
        ("Cookie: a=1abc; Path=/x. Check it", "Cookie: *** Check it"),
        ("GET /x?token=abc&page=2", "GET /x?token=***&page=2"),
        ("/x?my_key=abc#frag", "/x?my_key=***#frag"),
        ("?sslpassword=a%20b&x=1", "?sslpassword=***&x=1"),
        ("mysql://me:a/b?c@d@host/x", "mysql://me:***@host/x"),
        (r"{\"client_secret\": \"a b\", \"x\": 1}", r"{\"client_secret\": \"***\", \"x\": 1}"),
        ('{"token": "a b"}', '{"token": "***"}'),
        ("unexpected token 'x'", "unexpected token 'x'"),
        ("the key: id", "the key: id"),
    ],
)
def test_what_looks_like_a_secret(text: str, safe_text: str) -> None:
    assert redaction.redact(text) == safe_text


# What is said of a body and of an exception


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            b'{"message": "no such thing", "name": "Ana"}',
            '{"message": "no such thing", "name": "***"}',
        ),
        (b'{"results": [{"id": "1", "name": "An', '{"results": [{"id": "***", "name": "***"'),
        (b'["Ana", {"errors": ["bad"]}]', '["***", {"errors": ["bad"]}]'),
        (b'{"name": "A\\"na", "n": 3}', '{"name": "***", "n": 3}'),
        (b"<html><script>x='1'</script><p class='y'>Sorry</p><!-- z", "Sorry"),
        (b"plain words", "plain words"),
    ],
)
def test_of_a_body_only_what_explains_is_shown(body: bytes, shown: str) -> None:
    assert masked(body) == shown


def test_a_secret_is_hidden_before_a_message_is_cut() -> None:
    secret = BY_NAME["ZIPCODES_GITHUB_TOKEN"].value
    redaction.register_secret(secret)
    assert "hsKx" not in masked(b"x" * 195 + secret.encode())


def test_what_an_error_quotes_is_withheld_and_its_class_decides_on() -> None:
    redaction.register_secret("hunter2222")
    error = FatalError("password is hunter2222")
    error.__cause__ = ValueError(SAID.name)
    error.__cause__.__context__ = KeyError(SAID.email)
    told = safe(error)
    assert told is error
    assert str(told) == "password is ***"
    assert isinstance(told.__cause__, Withheld)
    assert "ValueError" in str(told.__cause__)
    assert isinstance(told.__cause__.__context__, Withheld)
    assert SAID.tag not in f"{told.__cause__} {told.__cause__.__context__}".lower()
    again = Withheld(words(ValueError(SAID.name)))
    assert safe(again) is again, "what was withheld once keeps its place"
    assert words(again).startswith("ValueError")
    noted = FatalError("x")
    noted.add_note(SAID.name)
    assert not getattr(safe(noted), "__notes__", None)


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError(SAID.name), ValueError(SAID.name)
    one.__cause__, two.__cause__ = two, one
    assert isinstance(safe(one), Withheld)


def test_what_is_of_the_machine_is_told() -> None:
    assert (
        words(OSError(28, "No space left on device"))
        == "OSError: [Errno 28] No space left on device"
    )
    assert words(AttributeError("no attribute x")) == "AttributeError: no attribute x"


def test_nothing_private_is_in_a_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """A debugger, a failed assertion and a traceback with local variables print these."""
    url, keys = "postgresql://me:hunter2222@db/x", BY_NAME["CRM_SYNC_ENCRYPTION_KEYS"].value
    monkeypatch.setenv("CRM_SYNC_WAREHOUSE_URL", url)
    monkeypatch.setenv("CRM_SYNC_ENCRYPTION_KEYS", keys)
    record = {"name": SAID.name}
    store = MemoryStore("hunter2222")
    shown = [
        environment(),
        Bearer("hunter2222", "HUBSPOT_TOKEN"),
        Tokens("hunter2222", "hunter2222", None),
        Grant("hunter2222", 1, "hunter2222"),
        store,
        store.tokens,
        Answer(200, {"set-cookie": "hunter2222"}, b"hunter2222", record, "GET /x", None),
        Failure("1", "parse", "odd", None, record, None),
    ]
    text = " ".join(f"{one!r} {one}" for one in shown)
    assert "hunter2222" not in text
    assert keys not in text
    assert SAID.tag not in text.lower()
