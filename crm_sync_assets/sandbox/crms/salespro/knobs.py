"""What can be turned about SalesPro alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class SalesProKnobs:
    """salespro_polls             looks at a query that find it under way before it is over
    salespro_requeued          a query that runs is queued once more
    salespro_failing           so many of the next queries fail
    salespro_failure           of what: internal, flagged, syntax, slow, closed
    salespro_cancelled         so many of the next queries are cancelled by somebody
    salespro_lost              so many of the next pages are of a result that is gone
    salespro_throttled         operation whose calls are throttled, so many as the next says
    salespro_throttles
    salespro_scanned           bytes that a query scans; 0 is what the table has
    salespro_starts_per_second
    salespro_gets_per_second
    salespro_delimiter         between values of the files
    salespro_encoding          of the files
    salespro_moved             so many lines of a file have lost their second value
    """

    salespro_polls: int = 1
    salespro_requeued: bool = False
    salespro_failing: int = 0
    salespro_failure: str = "internal"
    salespro_cancelled: int = 0
    salespro_lost: int = 0
    salespro_throttled: str = "StartQueryExecution"
    salespro_throttles: int = 0
    salespro_scanned: int = 0
    salespro_starts_per_second: int = 20
    salespro_gets_per_second: int = 100
    salespro_delimiter: str = ","
    salespro_encoding: str = "utf-8"
    salespro_moved: int = 0
