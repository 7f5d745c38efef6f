from __future__ import annotations

import math

import pytest

from crm_sync_assets.clients.decoding import dumps, loads


def test_a_clean_page_is_read() -> None:
    assert loads(b'{"results": [{"id": "1"}]}') == {"results": [{"id": "1"}]}
    assert loads(dumps({"n": 2**70})) == {"n": 2**70}


@pytest.mark.parametrize(
    "poison",
    [b'"\\ud800"', b"NaN", b"-Infinity", b"1e400", b'"\xff"', b"[" * 10_000 + b"]" * 10_000],
    ids=["surrogate", "nan", "infinity", "huge", "no utf-8", "deep"],
)
def test_one_poisonous_value_does_not_lose_its_neighbours(poison: bytes) -> None:
    page = loads(b'[{"id": "1"}, {"id": "2", "value": ' + poison + b'}, {"id": "3"}]')
    assert [record["id"] for record in page] == ["1", "2", "3"]


def test_numbers_beyond_floats_stay_recognisable() -> None:
    assert math.isinf(loads(b"[1e400, 1]")[0])


def test_of_duplicate_keys_the_last_wins() -> None:
    assert loads(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize("body", [b"", b"[1, 2", b'{"a": ', b"<html>", b"[" * 200_000])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(body)
