"""What can be turned about MarketSharp alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class MarketSharpKnobs:
    """marketsharp_at_once      more requests than this at the same time are answered 503; 0: any
    marketsharp_page_cap        a page has so many records at most, and a link to the rest; 0: any
    marketsharp_hours           how far the clock of moments is ahead of UTC
    marketsharp_skew            seconds that the server's clock is ahead, for signatures
    marketsharp_rounds          moments are shown rounded, and compared as they are stored
    marketsharp_guid_company    a company's id is a GUID and no number
    marketsharp_plain_names     properties are spelled as if nobody had made a mistake
    marketsharp_hides_schema    there is no $metadata
    """

    marketsharp_at_once: int = 0
    marketsharp_page_cap: int = 0
    marketsharp_hours: float = 0
    marketsharp_skew: float = 0
    marketsharp_rounds: bool = False
    marketsharp_guid_company: bool = False
    marketsharp_plain_names: bool = False
    marketsharp_hides_schema: bool = False
