"""Why something failed, as SyncHistory keeps it: the class of the error decides."""

from __future__ import annotations

from typing import get_args

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from dagster._core.errors import DagsterExecutionInterruptedError

from crm_sync_assets import errors
from crm_sync_assets.errors import FatalError, Reason, SyncError, Unauthorized
from crm_sync_assets.told import Withheld, reason_of, safe


def caused_by(cause: BaseException) -> Exception:
    outer = RuntimeError("around it")
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(1), "cancelled"),
        (DagsterExecutionInterruptedError(), "cancelled"),
        (psycopg.OperationalError("gone"), "system"),
        (psycopg.DataError("x"), "system"),
        (sa.exc.OperationalError("SELECT 1", {}, pymysql.OperationalError(2006, "x")), "system"),
        (OSError(28, "no space left"), "system"),
        (MemoryError(), "system"),
        (ValueError("x"), "other"),
        (caused_by(Unauthorized("x")), "auth"),
        (caused_by(caused_by(OSError("x"))), "system"),
        (caused_by(KeyboardInterrupt()), "cancelled"),
    ],
    ids=repr,
)
def test_the_class_of_an_error_is_its_reason(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason


def test_every_error_of_ours_has_a_reason_of_the_closed_set() -> None:
    ours = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SyncError)
    ]
    assert len(ours) > 10
    assert {kind.reason for kind in ours} < set(get_args(Reason))


def test_the_cause_of_our_own_error_does_not_change_its_reason() -> None:
    error = FatalError("the file has no such column")
    error.__cause__ = OSError("x")
    assert reason_of(error) == "other"


def test_what_stands_for_an_error_keeps_its_reason() -> None:
    told = safe(psycopg.OperationalError("FATAL: password=hunter22 refused"))
    assert isinstance(told, Withheld)
    assert reason_of(told) == "system"
