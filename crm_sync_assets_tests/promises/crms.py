"""The CRMs that are held to the promises. Whoever moves in is named here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from crm_sync_assets_tests.promises.arrivy import Entities, Tasks
from crm_sync_assets_tests.promises.callrail import Calls, Tags
from crm_sync_assets_tests.promises.driver import Ability, Reading, Subject
from crm_sync_assets_tests.promises.five9 import CalledContacts
from crm_sync_assets_tests.promises.genius import JobStatuses, Leads
from crm_sync_assets_tests.promises.gsheet import YearsOfLeads
from crm_sync_assets_tests.promises.hubspot import Contacts
from crm_sync_assets_tests.promises.leadconduit import Submissions
from crm_sync_assets_tests.promises.marketsharp import MarketSharpContacts, MarketSharpFields
from crm_sync_assets_tests.promises.pipedrive import Deals, Notes, Stages
from crm_sync_assets_tests.promises.salesforce import SalesforceContacts
from crm_sync_assets_tests.promises.salespro import Estimates
from crm_sync_assets_tests.promises.salesrabbit import Leads as Doors

SUBJECTS: Mapping[str, type[Subject]] = {
    f"{subject.crm}.{subject.entity}": subject
    for subject in (
        Contacts,
        Leads,
        JobStatuses,
        Calls,
        Tags,
        Deals,
        Notes,
        Stages,
        Tasks,
        Entities,
        Doors,
        Submissions,
        YearsOfLeads,
        SalesforceContacts,
        Estimates,
        MarketSharpContacts,
        MarketSharpFields,
        CalledContacts,
    )
}


def who_can(*abilities: Ability) -> pytest.MarkDecorator:
    """Each subject; skipped with its own reason where it lacks one of these."""
    return pytest.mark.parametrize(
        "crm", [_named(name, abilities) for name in SUBJECTS], indirect=True
    )


def with_each(attribute: str, *abilities: Ability) -> pytest.MarkDecorator:
    """Each subject, and `how`: each of what it has of these, such as its `faults`."""
    return pytest.mark.parametrize(
        ("crm", "how"),
        [
            pytest.param(name, how, id=f"{name}-{how}", marks=_skipped(name, abilities))
            for name, subject in SUBJECTS.items()
            for how in (getattr(subject, attribute) or [None])
        ],
        indirect=["crm"],
    )


def with_each_fault_of_each_reading() -> pytest.MarkDecorator:
    """Each subject, `reading`, and `how` its pages fail."""
    return pytest.mark.parametrize(
        ("crm", "reading", "how"),
        [
            pytest.param(name, reading, how, id=f"{name}-{reading}-{how}")
            for name, subject in SUBJECTS.items()
            for reading, needed in _readings(())
            for how in subject.faults
            if not subject.lacks.keys() & needed
        ],
        indirect=["crm"],
    )


def with_each_reading(*abilities: Ability) -> pytest.MarkDecorator:
    """Each subject, and `reading`: full, and delta where there is one."""
    return pytest.mark.parametrize(
        ("crm", "reading"),
        [
            pytest.param(name, reading, id=f"{name}-{reading}", marks=_skipped(name, needed))
            for name in SUBJECTS
            for reading, needed in _readings(abilities)
        ],
        indirect=["crm"],
    )


def _readings(
    abilities: tuple[Ability, ...],
) -> Iterator[tuple[Reading, tuple[Ability, ...]]]:
    yield "full", abilities
    yield "delta", (*abilities, "delta")


def _named(name: str, abilities: tuple[Ability, ...]) -> object:
    return pytest.param(name, id=name, marks=_skipped(name, abilities))


def _skipped(name: str, abilities: tuple[Ability, ...]) -> list[pytest.MarkDecorator]:
    lacks = SUBJECTS[name].lacks
    return [pytest.mark.skip(reason=f"{name}: {lacks[one]}") for one in abilities if one in lacks]
