"""What can be turned about HubSpot alone."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class HubSpotKnobs:
    """The defaults are a healthy, fast, unlimited portal.

    search_cap           results one search can page through; beyond: 400
    association_page_size  associated ids per page of one record
    burst_limit          requests per 10 s and token, search excluded
    search_limit         searches per second and account
    daily_limit          requests per day of the account's time zone
    missing_scopes       scopes the app was not granted: 403 where they are needed
    missing_types        names of object types that this account has not
    missing_type_status  what is answered where one of them is asked for: 400 or 404
    unlisted_properties  names of properties that answer when asked for, but are in no list
    sensitive_properties names of properties that are highly sensitive: in the list of those only,
                         and 403 to who asks for one without its scope
    most_properties      properties one batch read may ask for; beyond: 400; 0 for any number
    moving               the account moves to another data centre: seconds of Retry-After of 477s
    restore_bumps_modified   restoring sets the modified date
    preserve_primary_id  the primary keeps its id in a merge; otherwise the survivor gets a new one
    merged_in_batch_read "absent", "survivor" or "error": what batch/read makes of a merged id
    """

    search_cap: int = 10_000
    association_page_size: int = 500
    burst_limit: int = 190
    search_limit: int = 5
    daily_limit: int = 650_000
    missing_scopes: set[str] = field(default_factory=set)
    missing_types: set[str] = field(default_factory=set)
    missing_type_status: int = 400
    unlisted_properties: set[str] = field(default_factory=set)
    sensitive_properties: set[str] = field(default_factory=set)
    most_properties: int = 0
    moving: int | None = None
    restore_bumps_modified: bool = False
    preserve_primary_id: bool = False
    merged_in_batch_read: str = "absent"
