"""What can be turned about GitHub alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class GitHubKnobs:
    """github_limit   requests per hour and token
    github_private the repository needs a token: 404 without
    zip_bom, zip_crlf, zip_cp1252, zip_lfs, zip_duplicates, zip_blank_lines  shape of the CSV file
    """

    github_limit: int = 5_000
    github_private: bool = True
    zip_bom: bool = False
    zip_crlf: bool = False
    zip_cp1252: bool = False
    zip_lfs: bool = False
    zip_duplicates: int = 0
    zip_blank_lines: bool = False
