"""What can be turned about Pipedrive alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class PipedriveKnobs:
    """The defaults are a healthy, fast, unlimited company.

    pipedrive_burst            requests per 2 s and access token
    pipedrive_daily            tokens per day and company
    pipedrive_daily_headers    answers say how many of the day's tokens are left
    pipedrive_block_after      429s in a row after which a firewall answers 403 in HTML; 0: never
    pipedrive_blocked          it does so already
    pipedrive_archive_is_change  archiving and its reverse move `update_time`
    pipedrive_null_lists       an empty list is null
    pipedrive_flat_pagination  `additional_data` of leads has what notes have in `pagination`
    pipedrive_silent_pagination  and of neither says anything
    pipedrive_until_refused    products refuse `updated_until`; else they ignore it
    pipedrive_deleted_status   what the address of a deleted record answers: 200, 404 or 410
    pipedrive_hidden_status    and of one that the token's user may not see: 403 or 404
    pipedrive_deleted_notes    notes that were deleted are listed, with `active_flag` false
    pipedrive_fields_closed    definitions of fields answer 403
    """

    pipedrive_burst: int = 20
    pipedrive_daily: int = 30_000
    pipedrive_daily_headers: bool = True
    pipedrive_block_after: int = 0
    pipedrive_blocked: bool = False
    pipedrive_archive_is_change: bool = True
    pipedrive_null_lists: bool = True
    pipedrive_flat_pagination: bool = True
    pipedrive_silent_pagination: bool = False
    pipedrive_until_refused: bool = False
    pipedrive_deleted_status: int = 200
    pipedrive_hidden_status: int = 403
    pipedrive_deleted_notes: bool = True
    pipedrive_fields_closed: bool = False
