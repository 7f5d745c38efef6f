"""Encrypting, opening and blind indexes, without a database."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from crm_sync_assets.declarations.columns import SqlType
from crm_sync_assets.errors import FatalError, UsageError
from crm_sync_assets.keyring import key_id, new_key, read_keys
from crm_sync_assets.warehouse.vault import (
    TYPES,
    Vault,
    index_column,
    looks_encrypted,
    new_index_key,
    plain,
    unwrap,
    wrap,
)

OLD, NEW = new_key(), new_key()
INDEX_KEY = new_index_key()
VAULT = Vault([NEW], INDEX_KEY)
MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
HERE = ("people", "email", "17")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES: dict[SqlType, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "timestamptz": MOMENTS,
    "date": st.dates(),
    "time": st.times(),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "jsonb": JSON.filter(lambda value: value is not None),
}
TYPED = st.sampled_from(sorted(VALUES)).flatmap(lambda k: st.tuples(st.just(k), VALUES[k]))


def test_every_type_that_can_be_encrypted_is_tried() -> None:
    assert VALUES.keys() == TYPES.keys()


@given(TYPED)
def test_what_is_encrypted_opens_as_what_it_was(typed: tuple[SqlType, Any]) -> None:
    kind, value = typed
    encrypted = VAULT.encrypt(HERE, value)
    opened = VAULT.decrypt(HERE, encrypted, kind)
    assert opened == value
    assert type(opened) is type(value)
    if kind == "numeric":
        assert opened.as_tuple() == value.as_tuple()
    assert looks_encrypted(encrypted)


def same(kind: SqlType, one: Any, other: Any) -> bool:
    """Whether PostgreSQL takes them for the same; in JSON, true is not 1, and 1.0 is."""
    if kind != "jsonb":
        return bool(one == other)
    one, other = (
        json.loads(json.dumps(value), parse_float=Decimal, parse_int=Decimal)
        for value in (one, other)
    )
    return repr_json(one) == repr_json(other)


def repr_json(value: Any) -> Any:
    if isinstance(value, dict):
        return ("object", frozenset((name, repr_json(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ("list", tuple(map(repr_json, value)))
    return (type(value).__name__, value)


PAIRS = st.sampled_from(sorted(VALUES)).flatmap(
    lambda k: st.tuples(st.just(k), st.lists(VALUES[k], min_size=1, max_size=6).flatmap(_two_of))
)


def _two_of(values: list[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(st.sampled_from(values), st.sampled_from(values + list(map(_alike, values))))


def _alike(value: Any) -> Any:
    """Another way of writing the same value."""
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        return Decimal((sign, (*digits, 0), exponent - 1))
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, dict):
        return {name: _alike(value[name]) for name in reversed(value)}
    return list(map(_alike, value)) if isinstance(value, list) else value


@given(PAIRS)
def test_blind_indexes_are_equal_just_where_values_are(pair: Any) -> None:
    kind, (one, other) = pair
    assert (VAULT.index(kind, one) == VAULT.index(kind, other)) == same(kind, one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.5"), Decimal("1.50")),
        (Decimal("15"), Decimal("1.5E+1")),
        (Decimal("0"), Decimal("-0.00")),
        ({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0}),
        (MOMENT, MOMENT.astimezone(timezone(timedelta(hours=1)))),
    ],
    ids=str,
)
def test_one_value_written_twice_has_one_index(one: Any, other: Any) -> None:
    assert VAULT.index("x", one) == VAULT.index("x", other)


def test_decimals_that_differ_in_the_fortieth_digit_differ() -> None:
    digits = "1." + "3" * 40
    assert VAULT.index("x", Decimal(digits)) != VAULT.index("x", Decimal(digits + "1"))


def test_an_index_tells_nothing_without_its_key_and_depends_on_the_kind() -> None:
    assert VAULT.index("email", "a@b.c") != Vault([NEW], new_index_key()).index("email", "a@b.c")
    assert VAULT.index("email", "a@b.c") != VAULT.index("text", "a@b.c")
    assert VAULT.index("email", "a@b.c") == Vault([OLD], INDEX_KEY).index("email", "a@b.c")


def test_two_encryptions_of_a_value_differ() -> None:
    assert VAULT.encrypt(HERE, "a@b.c") != VAULT.encrypt(HERE, "a@b.c")


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("people", "email", "18"),
        ("people", "phone", "17"),
        ("leads", "email", "17"),
        ("people", "email", "1", "7"),
        ("people", "email17", ""),
    ],
    ids=str,
)
def test_a_value_opens_only_where_it_was_encrypted(elsewhere: tuple[str, ...]) -> None:
    encrypted = VAULT.encrypt(HERE, "a@b.c")
    with pytest.raises(FatalError, match="moved there from another row or column"):
        VAULT.decrypt(elsewhere, encrypted, "text")
    with pytest.raises(FatalError, match="moved there"):
        VAULT.reencrypt(elsewhere, encrypted)


def test_a_changed_token_is_noticed() -> None:
    encrypted = VAULT.encrypt(HERE, "a@b.c")
    middle = len(encrypted) // 2
    other = "A" if encrypted[middle] != "A" else "B"
    with pytest.raises(FatalError, match="tampered"):
        VAULT.decrypt(HERE, encrypted[:middle] + other + encrypted[middle + 1 :], "text")


def test_a_value_under_another_key_names_the_key_that_is_missing() -> None:
    encrypted = Vault([OLD], INDEX_KEY).encrypt(HERE, "a@b.c")
    with pytest.raises(FatalError, match=f"encrypted under key {key_id(OLD)}") as caught:
        VAULT.decrypt(HERE, encrypted, "text")
    assert OLD not in str(caught.value)
    with pytest.raises(FatalError, match="tampered"):
        VAULT.decrypt(HERE, f"{key_id(NEW)}:{encrypted.partition(':')[2]}", "text")
    with pytest.raises(FatalError, match="is not encrypted"):
        VAULT.decrypt(HERE, "a@b.c", "text")


def test_reencrypting_changes_the_key_and_not_the_value() -> None:
    encrypted = Vault([OLD], INDEX_KEY).encrypt(HERE, Decimal("1.50"))
    again = Vault([NEW, OLD], INDEX_KEY).reencrypt(HERE, encrypted)
    assert again.startswith(f"{key_id(NEW)}:")
    assert str(VAULT.decrypt(HERE, again, "numeric")) == "1.50"


def test_an_index_key_opens_only_under_the_key_it_was_wrapped_in() -> None:
    assert unwrap(OLD, wrap(OLD, INDEX_KEY)) == INDEX_KEY
    with pytest.raises(FatalError, match="that row was changed"):
        unwrap(NEW, wrap(OLD, INDEX_KEY))


def test_keys_are_read_newest_first() -> None:
    assert read_keys(None) == read_keys("") == read_keys(" , ") == ()
    assert read_keys(f" {NEW} ,{OLD},") == (NEW, OLD)


@pytest.mark.parametrize(
    "wrong", ["hunter2", NEW[:-2], NEW + "AAAA", "é" * 44, NEW.replace("=", "!")], ids=range(5)
)
def test_what_is_no_key_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(UsageError, match="CRM_SYNC_ENCRYPTION_KEYS: key 2 of 2") as caught:
        read_keys(f"{OLD},{wrong}")
    assert wrong not in str(caught.value)


def test_a_new_key_is_a_key_and_its_id_is_not_it() -> None:
    key = new_key()
    Fernet(key)
    assert key != new_key()
    assert key_id(key) not in key
    assert read_keys(key) == (key,)


@pytest.mark.parametrize(
    ("stored", "kind", "value"),
    [
        ('"quoted"', "text", '"quoted"'),
        ('"1980-02-29"', "date", date(1980, 2, 29)),
        ('"07:30:00"', "time", time(7, 30)),
        ("1.50", "numeric", Decimal("1.50")),
        ("9223372036854775807", "bigint", 2**63 - 1),
        ('{"a": [1]}', "jsonb", {"a": [1]}),
        ("true", "boolean", True),
        ('"2026-01-01T12:00:00+00:00"', "timestamptz", datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_a_value_that_waits_to_be_encrypted_is_what_it_was(
    stored: str, kind: SqlType, value: Any
) -> None:
    assert plain(stored, kind) == value


def test_names_of_index_columns_fit_and_differ() -> None:
    assert index_column("email") == "email_bidx"
    long = [index_column("ä" * 29 + tail) for tail in ("xy", "xz", "", "ü")]
    assert len(set(long)) == 4
    assert all(len(name.encode()) <= 63 and name.endswith("_bidx") for name in long)
