"""What a source refuses is told by the error's class, for SyncHistory and alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crm_sync_assets.clients.auth import Proof, Request, bearer
from crm_sync_assets.errors import (
    Closed,
    Deferred,
    FatalError,
    Forbidden,
    Gone,
    TooLong,
    Unauthorized,
)
from crm_sync_assets_tests.clients.conftest import Wire, reply

MakeWire = Callable[..., Wire]


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, Unauthorized, "auth"),
        (403, Forbidden, "scope"),
        (404, Closed, "other"),
        (410, Gone, "other"),
        (414, TooLong, "other"),
    ],
)
def test_a_status_has_its_class(
    wire: MakeWire, status: int, kind: type[FatalError], reason: str
) -> None:
    with pytest.raises(kind, match=f"answered {status}") as caught:
        wire(reply(status)).session().get("/things")
    assert type(caught.value) is kind
    assert caught.value.reason == reason


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_a_source_says_in_a_sentence_ends_once(wire: MakeWire, status: int) -> None:
    answer = reply(status, text="This is not for you.")
    with pytest.raises(FatalError, match="This is not for you") as caught:
        wire(answer).session().get("/things")
    assert ".." not in str(caught.value)
    assert not str(caught.value).endswith(". ")


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized("refused to refresh"),
        Deferred("the token endpoint is closed", until=datetime.now(UTC) + timedelta(hours=1)),
    ],
    ids=repr,
)
def test_an_error_on_the_way_keeps_its_class_and_gains_the_subject(
    wire: MakeWire, error: FatalError
) -> None:
    """A refused OAuth token once came out as an error of no kind."""

    class Refusing:
        variable = "TOKEN"

        def proof(self, request: Request) -> Proof:
            return bearer("t")

        def refresh(self, refused: str) -> bool:
            raise error

    session = wire(reply(401)).session(auth=Refusing())
    with pytest.raises(type(error), match=r"crm\.things: ") as caught:
        session.get("/things")
    assert caught.value is error
