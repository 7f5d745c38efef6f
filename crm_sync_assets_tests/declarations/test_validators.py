"""What each check lets through, and what it says of the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync_assets.declarations import validators as valid

GOOD = {
    "email": [
        "ana.reyes@example.com", "o'neil+x@sub.example.co.uk", "josé@exämple.de",
        '"quoted"@example.com', " ana@example.com ", "a@b.c", f"{'a' * 64}@example.com",
    ],
    "phone": [
        "+14105550147", "4105550147", "(410) 555-0147", "410.555.0147", "1-410-555-0147",
        "410-555-0147 x12", "(410) 555-0147 ext. 5", "+44 20 7946 0958",
    ],
    "url": [
        "https://example.com", "http://example.com:8080/a?b=c#d", "www.example.com",
        "HTTPS://EXAMPLE.COM/x", "http://exämple.de/ü", "http://[::1]:80/", "ftp://example.com/x",
        "https://localhost/x", "s3://bucket/key",
    ],
    "zip_code": ["21230", "21230-1234", "212301234", "K1A 0B6", "k1a0b6", " 21230 "],
    "state": ["MD", "md", "Maryland", "new  york", "Puerto Rico", "DC", "ON", "British Columbia"],
    "object_id": ["90210000017", "0"],
}  # fmt: skip

BAD = {
    "email": {
        "ana": "no @",
        "@example.com": "before",
        "ana@": "after the @",
        "ana@example": "no dot",
        "a..b@example.com": "not an e-mail",
        "a b@example.com": "not an e-mail",
        "a@-example.com": "not an e-mail",
        "a@b@example.com": "not an e-mail",
        f"{'a' * 250}@example.com": "longer",
    },
    "phone": {
        "n/a": "no digits",
        "12": "too few",
        "41055501471234567": "too many",
        "+999123456789": "not a phone",
        "1" * 101: "too long",
    },
    "url": {
        "example.com/x": "scheme",
        "javascript:alert(1)": "scheme",
        "mailto:a@b.com": "scheme",
        "https://": "no host",
        "https://exa mple.com": "white space",
        "https://example": "without a dot",
        "https://a..b": "impossible",
        "http://example.com:99999": "not a URL",
    },
    "zip_code": {
        "2123": "neither",
        "abcde": "postal",
        "21230-12": "postal",
        "２１２３０": "postal",
    },
    "state": {"Marylnd": "state", "XX": "state", "24": "state", "": "state"},
    "object_id": {"12a": "digits", "-1": "digits", "٣": "digits"},
}


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in GOOD.items() for v in vs])
def test_a_good_value_passes(kind: str, value: str) -> None:
    assert getattr(valid, kind)(value) is None


@pytest.mark.parametrize(
    ("kind", "value", "reason"), [(k, v, r) for k, vs in BAD.items() for v, r in vs.items()]
)
def test_a_bad_value_gets_a_reason(kind: str, value: str, reason: str) -> None:
    assert reason in getattr(valid, kind)(value)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in BAD.items() for v in vs])
def test_the_quick_test_lets_no_bad_value_through(kind: str, value: str) -> None:
    assert not valid.FAST[getattr(valid, kind)](value)


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, vs in BAD.items() for v in vs if v])
def test_a_reason_does_not_quote_the_value(kind: str, value: str) -> None:
    assert len(value) < 3 or value not in getattr(valid, kind)(value)


@pytest.mark.parametrize("kind", GOOD)
@settings(max_examples=60)
@given(value=st.text(max_size=40) | st.text("a1@.:/+-() x", max_size=30))
def test_a_check_never_raises(kind: str, value: str) -> None:
    assert isinstance(getattr(valid, kind)(value), str | None)


def test_the_slow_libraries_wait_until_they_are_needed() -> None:
    code = (
        "import sys; import crm_sync_assets.declarations.validators as v; "
        "v.email('a@example.com'); v.phone('4105550147'); v.state('MD'); "
        "v.url('https://example.com'); "
        "print([m for m in ('phonenumbers', 'email_validator', 'us') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
