"""What may be asked of a sync, and what may happen to it on the way."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from crm_sync_assets.sandbox.faults import LIES as LIES_OF_A_PAGE

Flags = dict[str, Any]

DAYS = st.sampled_from([0, 1, 2, 30, 400])

_reads = st.one_of(
    st.just({}),
    st.just({}),
    st.just({"full": True}),
    st.just({"force": True}),
    st.just({"full": True, "force": True}),
    st.fixed_dictionaries({"start_date": DAYS}, optional={"force": st.just(True)}),
    st.fixed_dictionaries({"end_date": DAYS}, optional={"force": st.just(True)}),
    st.fixed_dictionaries({"start_date": DAYS, "end_date": DAYS}),
)
_limits = st.one_of(
    st.just({}),
    st.just({}),
    st.just({}),
    st.just({"dry_run": True}),
    st.fixed_dictionaries({"max_records": st.integers(1, 14)}, optional={"dry_run": st.just(True)}),
)
_more = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries({"batch_size": st.integers(1, 9)}),
    st.just({"skip_validation": True}),
)

LASTING: st.SearchStrategy[Flags] = st.builds(lambda a, b: a | b, _reads, _more)
"""Flags of a sync that stores what it reads; dates are days before the source's today."""

FLAGS: st.SearchStrategy[Flags] = st.builds(lambda a, b: a | b, LASTING, _limits)

MOVES = st.builds(
    lambda n, seed: {"op": "move", "n": n, "seed": seed, "types": ["contacts", "deals"]},
    st.integers(1, 4),
    st.integers(0, 10**6),
)
_actions = st.one_of(
    st.sampled_from(["0.01", "1.5", "7", "86400", "Wed, 21 Oct 2015 07:28:00 GMT", None]).map(
        lambda after: {"status": 429, "retry_after": after}
    ),
    st.just({"status": 429, "body": "secondly"}),
    st.just({"status": 200, "body": "ten_secondly"}),
    st.sampled_from([500, 502, 503, 504, 520, 423, 400, 401, 403, 404, 477]).map(
        lambda status: {"status": status}
    ),
    st.just({"drop": True}),
    st.sampled_from([0.0, 0.5, 0.97]).map(lambda share: {"truncate": share}),
    st.sampled_from([10, -10]).map(lambda n: {"content_length": n}),
    st.sampled_from(["html", "empty", "{}", "[]"]).map(lambda body: {"status": 200, "body": body}),
    MOVES.map(lambda move: {"mutate": move}),
    MOVES.map(lambda move: {"mutate": move}),
)
LIES = st.sampled_from(sorted(LIES_OF_A_PAGE)).map(lambda lie: {"lie": lie})
_places = st.one_of(
    st.integers(1, 9), st.sampled_from(["2-", "4-", "3-5", "every 3"]), st.integers(1, 3)
)
_matches = st.sampled_from(["", "", "/search", "archived=true", "/batch/read", "/objects/"])
SCRIPT = st.one_of(
    st.fixed_dictionaries({"match": _matches, "on": _places, "action": _actions}),
    st.fixed_dictionaries({"match": _matches, "on": _places, "action": LIES}),
    # The source's clock is read from the first answers: a jump before those is none to the engine.
    st.fixed_dictionaries(
        {
            "match": st.just(""),
            "on": st.integers(6, 12),
            "action": st.sampled_from([1, 90, 700]).map(lambda seconds: {"advance": seconds}),
        }
    ),
)
"""One line of the sandbox's fault script."""

KNOBS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"short_total": 3},
        {"page_shrink": 2},
        {"empty_pages": 2},
        {"repeat_page": True},
        {"stuck_cursor": True},
        {"missing_scopes": ["crm.objects.contacts.read"]},
        {"missing_scopes": ["crm.objects.deals.read"]},
        {"merged_in_batch_read": "error"},
        {"merged_in_batch_read": "survivor"},
        {"association_page_size": 1},
    ]
)
"""How the source misbehaves for one sync."""
