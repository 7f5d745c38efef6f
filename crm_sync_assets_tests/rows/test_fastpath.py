"""The compiled row function and the careful reading agree on every form a value may have."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync_assets.crms.hubspot.sources import Objects
from crm_sync_assets.declarations import columns
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.rows.processor import Batch, Processor

KINDS = (
    "text", "email", "phone", "url", "zip_code", "state", "object_id", "timestamp", "date", "time",
    "interval", "decimal", "integer", "reference", "boolean", "json", "id_list",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, "", " ", "\t", "\u00a0", "null", " null ", "Ana", " Ana", "Ana ", "Zoë", "a\0b",
    "\ud800", "\ud83d\ude00", True, False, 0, 1, -1, 2**62, 2**63, 2**70, 1.5, float("nan"),
    1e300, "true", "TRUE", "t", "no", "0", "1", "007", "-5", "--5", "-", ".", "1-2", "1.5", "1e5",
    "1,234.50", "$5", "(12.00)", "٣", "9" * 18, "9" * 19, "9" * 120, Decimal("1.50"),
    Decimal("NaN"), "2026-11-20T08:01:12Z", "2026-11-20T08:01:12.123Z", "2026-11-20",
    "2026-11-00T00:00:00Z", "2026-W01-1Z", "2026-11-20T08:01:12+02:00", "2026-11-20T23:59:60Z",
    "2026-1120Z", "1763625672000", "1763625672", 1763625672000, "0000-00-00",
    "20000-01-01T00:00:00Z", "11/5/25 3:30 PM EDT", datetime(2026, 11, 20, 8, 1, tzinfo=UTC),
    datetime(2026, 11, 20, 8, 1),
    datetime(2026, 11, 20, 8, 1, tzinfo=timezone(timedelta(hours=2))), date(2026, 11, 20),
    timedelta(hours=30), "12:30", "838:59:59", b"\x01", b"\xff", [], ["1"], {}, {"a": "b"}, "1;2",
    "ana@example.com", "ana@example.com ", "a..b@example.com", ".a@example.com", "a.@example.com",
    "a.b+c@example.com", "a b@example.com", "@example.com", f"{'a' * 65}@example.com",
    "ä@example.com", "a@b@example.com", "ana@nowhere", "+14105550147", "(410) 555-0147", "12",
    "+49 30 901820", "https://example.com/a?b", "www.example.com", "21201", "21201-1234", "2120",
    "K1A 0B1", "MD", "Maryland", "Marland", "12345678901",
)  # fmt: skip


def processors(kind: str) -> list[Processor]:
    entity = Entity(
        "hubspot.things",
        about="Things.",
        source=Objects("things"),
        table="things",
        columns=(
            columns.text("id", at="id", key=True),
            getattr(columns, kind)("value"),
            columns.rest(),
        ),
    )
    return [
        Processor(entity, validate=validate, strict=strict)
        for validate in (True, False)
        for strict in (True, False)
    ]


def same(kind: str, value: Any) -> None:
    sent = {"id": "1", "properties": {"value": value}}
    for processor in processors(kind):
        quick = processor.process([sent])
        careful = processor._carefully(sent)
        expected = Batch([], [careful], 0, 0) if not isinstance(careful, tuple) else None
        if expected is None:
            issues = len(careful[-1] or ())
            expected = Batch([careful], [], issues, 0)
        assert repr(quick) == repr(expected)
        for left, right in zip(quick.rows, expected.rows, strict=True):
            assert [type(one) for one in left] == [type(one) for one in right]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_a_value_is_read_as_by_the_careful_path(kind: str) -> None:
    # An address of this domain first, so that the domain is known by the time the odd ones come.
    for value in ("ana@example.com", *VALUES):
        same(kind, value)


@given(st.sampled_from(KINDS), st.text(max_size=30) | st.integers() | st.floats())
def test_anything_is_read_as_by_the_careful_path(kind: str, value: Any) -> None:
    same(kind, value)


def test_what_a_clean_record_holds_is_read_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The careful path is a hundred times as slow: no ordinary value may end there."""
    ordinary = {
        "text": "Ana", "email": "ana@example.com", "phone": "(410) 555-0147",
        "url": "https://example.com", "zip_code": "21201", "state": "MD", "object_id": "12",
        "timestamp": "2026-11-20T08:01:12.123Z", "date": "2026-11-20", "decimal": "12.50",
        "integer": "12", "reference": 12, "boolean": "true", "id_list": "1;2", "json": "{}",
    }  # fmt: skip
    for kind, value in ordinary.items():
        for processor in processors(kind):
            monkeypatch.setattr(processor, "_carefully", pytest.fail)
            sent = {"id": "1", "properties": {"value": value, "another": "of the rest"}}
            assert len(processor.process([sent]).rows) == 1
