"""What a CRM has no such thing as is said, and why; nothing is left out in silence."""

from __future__ import annotations

from typing import get_args

import pytest

from crm_sync_assets.declarations import registry
from crm_sync_assets_tests.promises.crms import SUBJECTS
from crm_sync_assets_tests.promises.driver import METHODS, NOON, Ability, Subject

EVERY = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


@EVERY
@pytest.mark.parametrize("ability", get_args(Ability))
def test_a_subject_is_able_or_says_why_not(subject: type[Subject], ability: Ability) -> None:
    entity = registry.entity(f"{subject.crm}.{subject.entity}")
    if ability == "delta":
        able = entity.tracks_changes
    elif ability == "versions":
        source = entity.source
        able = entity.modified is not None and source.windowed_by in (None, source.modified)
    elif ability == "compare":
        able = entity.tracks_changes and entity.tombstones == "found"
    else:
        able = getattr(subject, METHODS[ability]) is not getattr(Subject, METHODS[ability])
    assert able == (ability not in subject.lacks), f"{ability}: either it can, or it says why not"
    assert len(subject.lacks.get(ability, "").split()) >= 5 or able, "a reason is a sentence"


@EVERY
def test_a_subject_says_in_which_ways(subject: type[Subject]) -> None:
    assert bool(subject.merges) == ("merge" not in subject.lacks)
    assert bool(subject.restores) == ("restore" not in subject.lacks)
    assert any(fault.retried for fault in subject.faults.values())
    assert not all(fault.retried for fault in subject.faults.values())


def test_every_crm_is_held_to_the_promises() -> None:
    assert {subject.crm for subject in SUBJECTS.values()} == set(registry.crms())


def test_the_source_is_as_the_promises_need_it(crm: Subject) -> None:
    """Several pages of live records, a clock that stands, and a truth that notices."""
    assert len(crm.keys()) == crm.count
    assert crm.now() == NOON
    crm.sync()
    assert crm.wrong() == []
    crm.query(f"UPDATE {crm.declared.table} SET {crm.column} = 'changed by hand' WHERE true")  # noqa: S608
    assert len(crm.wrong()) >= crm.count
