"""Everything about the sandbox's behaviour that can be turned while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Knobs:
    """Plain attributes; the defaults are a healthy, fast, unlimited API.

    index_lag            seconds until search sees a write (lists and single reads see it at once)
    commit_delay         a write keeps its timestamp but shows up anywhere only 0..N seconds later
    latency              seconds before every answer
    search_cap           results one search can page through; beyond: 400
    short_total          search reports this many results more than it delivers
    page_shrink          lists and searches return this many records less than `limit`, at least one
    empty_pages          this many empty pages with a next cursor come before each list page
    repeat_page          each list page comes twice (own cursor each); search pages overlap by half
    stuck_cursor         a page's next cursor is the one it was asked with
    association_page_size  associated ids per page of one record
    max_url              characters of path and query before 414
    limits               enforce the rate limits below (counted in real time, whatever the clock)
    burst_limit          requests per 10 s and token, search excluded
    search_limit         searches per second and account
    daily_limit          requests per day of the account's time zone
    github_limit         requests per hour and GitHub token
    retry_after          value of Retry-After on 429s of the limits; None leaves the header out
    missing_scopes       scopes the app was not granted: 403 where they are needed
    unlisted_properties  names of properties that answer when asked for, but are in no list
    sensitive_properties names of properties that are highly sensitive: in the list of those only,
                         and 403 to who asks for one without its scope
    most_properties      properties one batch read may ask for; beyond: 400; 0 for any number
    moving               the account moves to another data centre: seconds of Retry-After of 477s
    token_lifetime       seconds an OAuth access token lives, by the sandbox clock
    rotating_refresh_tokens  a refresh token works once; reuse revokes its whole family
    restore_bumps_modified   restoring sets the modified date
    preserve_primary_id  the primary keeps its id in a merge; otherwise the survivor gets a new one
    merged_in_batch_read "absent", "survivor" or "error": what batch/read makes of a merged id
    github_private       the repository needs a token: 404 without
    zip_bom, zip_crlf, zip_cp1252, zip_lfs, zip_duplicates, zip_blank_lines  shape of the CSV file
    """

    index_lag: float = 0
    commit_delay: float = 0
    latency: float = 0
    search_cap: int = 10_000
    short_total: int = 0
    page_shrink: int = 0
    empty_pages: int = 0
    repeat_page: bool = False
    stuck_cursor: bool = False
    association_page_size: int = 500
    max_url: int = 8_192
    limits: bool = False
    burst_limit: int = 190
    search_limit: int = 5
    daily_limit: int = 650_000
    github_limit: int = 5_000
    retry_after: str | None = None
    missing_scopes: set[str] = field(default_factory=set)
    unlisted_properties: set[str] = field(default_factory=set)
    sensitive_properties: set[str] = field(default_factory=set)
    most_properties: int = 0
    moving: int | None = None
    token_lifetime: float = 1_800
    rotating_refresh_tokens: bool = False
    restore_bumps_modified: bool = False
    preserve_primary_id: bool = False
    merged_in_batch_read: str = "absent"
    github_private: bool = True
    zip_bom: bool = False
    zip_crlf: bool = False
    zip_cp1252: bool = False
    zip_lfs: bool = False
    zip_duplicates: int = 0
    zip_blank_lines: bool = False

    def turn(self, values: Mapping[str, Any]) -> None:
        """Set several by name. ValueError on an unknown name, before anything is set."""
        known = {knob.name for knob in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown knobs {unknown}, known are {sorted(known)}")
        for name, value in values.items():
            setattr(self, name, set(value) if isinstance(getattr(self, name), set) else value)

    def reset(self) -> None:
        """All back to the defaults."""
        fresh = Knobs()
        self.turn(fresh.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Name to value, JSON-able."""
        values = {knob.name: getattr(self, knob.name) for knob in fields(self)}
        return {n: sorted(v) if isinstance(v, set) else v for n, v in values.items()}
