"""What can be turned about SalesRabbit alone."""

from dataclasses import dataclass


@dataclass(slots=True)
class SalesRabbitKnobs:
    """salesrabbit_per_second      requests per second and token
    salesrabbit_inclusive          what changed at the very moment asked for belongs to it
    salesrabbit_http_dates         moments in headers are understood in HTTP's own form alone
    salesrabbit_shows_deleted      deleted leads are listed, and say when; else they are nowhere
    salesrabbit_status_dates       a change of the status is a change of the lead
    salesrabbit_pages_users        the list of users has pages; else each has all of it
    salesrabbit_silent             no page says whether there is another
    salesrabbit_nested             addresses are in an object
    """

    salesrabbit_per_second: int = 1
    salesrabbit_inclusive: bool = False
    salesrabbit_http_dates: bool = False
    salesrabbit_shows_deleted: bool = False
    salesrabbit_status_dates: bool = False
    salesrabbit_pages_users: bool = False
    salesrabbit_silent: bool = False
    salesrabbit_nested: bool = False
