"""What can be turned about LeadConduit alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class LeadConduitKnobs:
    """leadconduit_per_minute    requests per minute and account
    leadconduit_ignores_type     `type` is a parameter like any that there is not
    leadconduit_refuses_type     `type` is an unknown parameter, and refused
    leadconduit_by_date          a list is in the order of time, also within a second
    leadconduit_recorded_after   seconds after which an event shows up, with an id of before
    leadconduit_keeps_days       after which an event expires
    leadconduit_free             a free account may read no events
    """

    leadconduit_per_minute: int = 100
    leadconduit_ignores_type: bool = False
    leadconduit_refuses_type: bool = False
    leadconduit_by_date: bool = False
    leadconduit_recorded_after: float = 0
    leadconduit_keeps_days: float = 90
    leadconduit_free: bool = False
