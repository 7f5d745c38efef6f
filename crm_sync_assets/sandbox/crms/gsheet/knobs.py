"""What can be turned about Google Sheets alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class GSheetKnobs:
    """gsheet_reads_per_minute   reads of Sheets per minute and user
    gsheet_drive_refuses_keys    Drive shows no file to an API key
    gsheet_loading               so many of the next reads show Loading... in a cell
    """

    gsheet_reads_per_minute: int = 60
    gsheet_drive_refuses_keys: bool = False
    gsheet_loading: int = 0
