"""What can be turned about Salesforce alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class SalesforceKnobs:
    """salesforce_daily          requests within 24 hours, of the whole org
    salesforce_used              how many of those others have had
    salesforce_per_app           the header about usage has the part of one application, too
    salesforce_api_disabled      the org's edition has no API
    salesforce_no_api_scope      tokens lack the scope: every one of them is no session
    salesforce_password_grant    users may still log in with a password
    salesforce_page_size         the most records of a page, whatever was asked for
    salesforce_locators_once     the locator of a page works once
    salesforce_timeout_rows      a query that finds more rows takes too long; 0: none does
    salesforce_live_pages        rows that match no more when their page is asked for are not in it
    salesforce_multicurrency     records have CurrencyIsoCode
    salesforce_quiet_undelete    what comes out of the recycle bin keeps its stamp
    salesforce_head_bytes        of a request's URL and headers, before 414 and 431
    salesforce_log_hours         after which entries of the log of deletions are purged; 0: never
    salesforce_most_ids          of one answer about what was deleted or updated
    salesforce_daily_jobs        bulk query jobs within a day
    salesforce_job_polls         how often a job says that it is in progress
    salesforce_job_page          the most rows of a page of results, whatever was asked for
    salesforce_jobs_fail         with this message every job that is made ends
    """

    salesforce_daily: int = 105_000
    salesforce_used: int = 0
    salesforce_per_app: bool = False
    salesforce_api_disabled: bool = False
    salesforce_no_api_scope: bool = False
    salesforce_password_grant: bool = False
    salesforce_page_size: int = 2_000
    salesforce_locators_once: bool = False
    salesforce_timeout_rows: int = 0
    salesforce_live_pages: bool = False
    salesforce_multicurrency: bool = False
    salesforce_quiet_undelete: bool = False
    salesforce_head_bytes: int = 16_384
    salesforce_log_hours: float = 0
    salesforce_most_ids: int = 600_000
    salesforce_daily_jobs: int = 10_000
    salesforce_job_polls: int = 1
    salesforce_job_page: int = 250_000
    salesforce_jobs_fail: str = ""
