"""What follows from the subscriptions that there are and those that there should be; addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.subscriptions import Found, Standing, Wanted, standing
from crm_sync_assets.errors import UsageError
from crm_sync_assets.operations import addresses
from crm_sync_assets.operations.subscriptions import Outcome, Place
from crm_sync_assets.operations.webhook_report import Row, of_hand_made, rows
from crm_sync_assets.warehouse.webhook_silence import Heard

BASE = "https://hooks.example.com/crm"
HERE = f"{BASE}/webhooks/pipedrive"
OTHER = "https://hooks.zapier.com/hooks/catch/123/secret"
PLACE = Place(BASE, ("https://old.example.com",))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=1)


def stand(
    found: Sequence[Found], *, target: str | None = None, wanted: Sequence[Wanted] | None = None
) -> list[Standing]:
    return standing(
        wanted or [Wanted("deal", ("deals",), HERE)],
        found,
        target=target,
        tells=lambda has, wants: (has.name, has.of) == (wants.name, wants.of),
        is_ours=PLACE.is_ours,
    )


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param([], "missing", id="none"),
        pytest.param([Found("deal", HERE)], "ok", id="right"),
        pytest.param([Found("lead", HERE)], "missing", id="of another thing"),
        pytest.param([Found("deal", HERE, of="7")], "missing", id="of another part"),
        pytest.param([Found("deal", HERE, trouble="off")], "off", id="off"),
        pytest.param([Found("deal", HERE, trouble="failing")], "failing", id="failing"),
        pytest.param([Found("deal", HERE, trouble="secret")], "secret", id="another secret"),
        pytest.param(
            [Found("deal", HERE, trouble="off"), Found("deal", HERE)], "ok", id="one of two"
        ),
        pytest.param([Found("deal", f"{HERE}/deals")], "elsewhere", id="another path"),
        pytest.param([Found("deal", HERE.replace("https", "http"))], "elsewhere", id="without TLS"),
        pytest.param(
            [Found("deal", "https://old.example.com/webhooks/pipedrive")], "elsewhere", id="moved"
        ),
    ],
)
def test_a_subscription_stands_as_the_best_that_there_is(found: list[Found], state: str) -> None:
    (one,) = stand(found)
    assert one.state == state
    assert one.is_wrong == one.is_mendable == (state != "ok")


@pytest.mark.parametrize(
    "address",
    [
        OTHER,
        "https://hooks.example.com/other/webhooks/pipedrive",
        "https://hooks.example.com:8443/crm/webhooks/pipedrive",
        "https://hooks.example.com.evil.org/crm/webhooks/pipedrive",
        "https://hooks.example.com/crm/webhooksother",
        "http://[broken",
    ],
)
def test_what_leads_to_others_is_left_alone(address: str) -> None:
    wanted, foreign = stand([Found("deal", address)])
    assert wanted.state == "missing"
    assert (foreign.state, foreign.is_wrong, foreign.is_mendable) == ("foreign", False, False)


def test_where_there_is_one_address_for_all_that_of_others_is_not_taken() -> None:
    """A second installation with the same app must not draw the first one's deliveries away."""
    wanted, foreign = stand([Found("deal", OTHER)], target=OTHER)
    assert (wanted.state, wanted.is_wrong, wanted.is_mendable) == ("taken", True, False)
    assert foreign.state == "foreign"
    assert [one.state for one in stand([Found("deal", "")], target="")] == ["elsewhere"]


def test_what_only_people_can_mend_is_wrong_and_not_mendable() -> None:
    (one,) = stand([Found("deal", HERE, trouble="secret", by_hand=True)])
    assert (one.is_wrong, one.is_mendable) == (True, False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://hooks.example.com", "does not begin with https://"),
        ("https://me:secret@hooks.example.com", "more than a host"),
        ("https://hooks.example.com?token=secret", "more than a host"),
        ("ftp://hooks.example.com", "no address"),
        ("https://hooks.example.com:port", "no address"),
    ],
)
def test_an_address_that_no_sender_can_use_is_refused_and_not_repeated(
    given: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        addresses.checked(given, "CRM_SYNC_WEBHOOKS_URL")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("given", ["http://localhost:3200/", "http://127.0.0.1", f"{BASE}/"])
def test_https_is_for_what_is_not_of_this_machine(given: str) -> None:
    assert addresses.checked(given, "x") == given.rstrip("/")


def test_of_the_addresses_of_others_the_host_alone_is_shown() -> None:
    """Whoever has such an address can post to it: its path and query are a secret."""
    assert addresses.shown(OTHER, PLACE.bases) == "https://hooks.zapier.com/…"
    assert addresses.shown("https://u:pw@x.org/a?token=b", PLACE.bases) == "https://x.org/…"
    assert addresses.shown(f"{HERE}?token=b", PLACE.bases) == HERE


# What was heard


def report(heard: Heard, made: datetime | None = None) -> Row:
    outcome = Outcome(stand([Found("deal", HERE, since=made)]))
    known = {("pipedrive", "deals"): heard}
    (found,) = rows(registry.crm("pipedrive"), outcome, PLACE, known, CUTOFF)
    return found


LONG_AGO, OF_LATE = NOW - timedelta(days=3), NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("heard", "made", "state"),
    [
        pytest.param(Heard(LONG_AGO, 5), None, "silent", id="deltas find what is not told"),
        pytest.param(Heard(None, 5), LONG_AGO, "silent", id="never told, though it is old"),
        pytest.param(Heard(None, 5), OF_LATE, "ok", id="it is new"),
        pytest.param(Heard(None, 5), None, "ok", id="how old it is nobody says"),
        pytest.param(Heard(OF_LATE, 5), LONG_AGO, "ok", id="told of late"),
        pytest.param(Heard(LONG_AGO, 0), None, "ok", id="nothing has changed"),
    ],
)
def test_who_says_nothing_while_deltas_find_changes_is_silent(
    heard: Heard, made: datetime | None, state: str
) -> None:
    row = report(heard, made)
    assert (row.state, row.is_wrong) == (state, state == "silent")
    assert row.last_received == heard.at
    if state == "silent":
        assert "nothing received since 2026-11-17 12:00 UTC" in row.detail


@pytest.mark.parametrize(
    ("heard", "state"),
    [
        (Heard(LONG_AGO, created=5), "silent"),
        (Heard(LONG_AGO, updated=5), "by hand"),
        (Heard(OF_LATE, created=5), "by hand"),
    ],
    ids=["it tells of each new one", "it does not tell of each edit", "told of late"],
)
def test_of_what_is_set_up_by_hand_what_is_always_told_is_missed_alone(
    heard: Heard, state: str
) -> None:
    known = {("arrivy", "tasks"): heard}
    (row,) = of_hand_made(registry.crm("arrivy"), "in its settings", known, CUTOFF)
    assert (row.state, row.is_wrong) == (state, state == "silent")
