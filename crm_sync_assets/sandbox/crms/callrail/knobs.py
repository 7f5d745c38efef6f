"""What can be turned about CallRail alone."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class CallRailKnobs:
    """callrail_hourly          requests per hour and key
    callrail_daily              requests per day and key
    callrail_no_totals          lists of trackers, tags and users say no totals
    callrail_clamps             a per_page that is out of bounds is cut instead of refused
    callrail_range_status       of the refusal of a range beyond 25 months
    callrail_utc_offset         hours: in which zone a bare date is read
    callrail_messages           where a single conversation has its messages
    callrail_hidden_accounts    ids that the key does not see
    callrail_hidden_companies   ids that the key does not see, and nothing that belongs to them
    callrail_hidden_fields      fields that the account does not have
    callrail_plain_errors       refusals are plain text
    """

    callrail_hourly: int = 1_000
    callrail_daily: int = 10_000
    callrail_no_totals: bool = False
    callrail_clamps: bool = False
    callrail_range_status: int = 400
    callrail_utc_offset: int = -5
    callrail_messages: str = "messages"
    callrail_hidden_accounts: set[str] = field(default_factory=set)
    callrail_hidden_companies: set[str] = field(default_factory=set)
    callrail_hidden_fields: set[str] = field(default_factory=set)
    callrail_plain_errors: bool = False
