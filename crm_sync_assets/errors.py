"""What can go wrong, sorted by what happens next.

The class decides: a `TransientError` is tried again, a `FatalError` ends the sync. It also says
for which reason the sync failed, as SyncHistory keeps it. The message says what was tried, on what,
and what to do about it.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

Reason = Literal["auth", "scope", "quota", "system", "data", "cancelled", "other"]
"""Why a sync failed, for programs: the column `reason` of SyncHistory."""


class SyncError(Exception):
    """Anything this project raises on purpose. The text is meant for the person at the terminal."""

    reason: ClassVar[Reason] = "other"


class TransientError(SyncError):
    """Worth another try: a rate limit, a timeout, a broken connection, a 5xx.

    `retry_after` is the number of seconds the source asked us to wait, if it did.
    """

    reason = "system"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FatalError(SyncError):
    """The sync ends here: credentials, a missing scope, a paging loop, a full disk."""


class Unauthorized(FatalError):
    """The source refuses the credentials: a token, a login, a refresh token."""

    reason = "auth"


class Unavailable(FatalError):
    """The machinery fails: the warehouse, its disk, the network, the source's server."""

    reason = "system"


class Gone(FatalError):
    """The source no longer knows what was asked for (410), such as a cursor that expired."""


class BadRequest(FatalError):
    """The source refuses a request for what it asks (400)."""


class Closed(FatalError):
    """The source does not let this be read, or says that there is no such thing (404)."""


class Unknown(Closed):
    """The account has no such thing: no such object type, table or feature."""


class Forbidden(Closed):
    """The credentials are good, and may not read this (403): a scope or a grant is missing.

    `grants` are what would have to be granted, as the source says it.
    """

    reason = "scope"
    grants: tuple[str, ...] = ()


class NotAvailable(FatalError):
    """The account has no such entity, or may not read it, and this warehouse never had it.

    `answer` is what the source said to it.
    """

    def __init__(self, message: str, answer: FatalError) -> None:
        super().__init__(message)
        self.answer = answer


class TooLong(FatalError):
    """The source takes no address of this length (414)."""


class TooLarge(FatalError):
    """An answer is larger than may be held in memory; fewer records may fit into one."""


class Deferred(FatalError):
    """The source asks for a longer pause than this run may take; the next run resumes.

    `until` is the aware UTC moment from which it makes sense to try again.
    """

    reason = "quota"

    def __init__(self, message: str, *, until: datetime) -> None:
        super().__init__(message)
        self.until = until


class TooCostly(FatalError):
    """What the source charges for is more than a setting allows; what was paid for is kept."""

    reason = "quota"


class Refused(FatalError):
    """The outcome is too odd to be believed (mass deletion, mass failure); nothing to resume."""

    reason: ClassVar[Reason] = "data"


class Incomplete(Refused):
    """Some parts of an entity are closed to us; the others were read and stored."""

    reason = "scope"


class Expired(Refused):
    """The source no longer has what was never read; all that it still has was stored."""


class UsageError(FatalError):
    """A flag, a setting or a name is wrong; nothing was read or written."""


class NotSet(UsageError):
    """A credential, or what goes with it, is given nowhere."""

    reason = "auth"


class AlreadyRunning(FatalError):
    """Another sync of the same entity holds its lock; the message names it."""


class Fenced(FatalError):
    """This sync's history row is no longer `running`: it was declared dead and may not write on."""

    reason = "system"
