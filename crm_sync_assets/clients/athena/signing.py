"""What authorises a request to AWS: its signature, Version 4, made by botocore.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from crm_sync_assets.clients.auth import Proof, Request
from crm_sync_assets.errors import NotSet, Unauthorized, UsageError

SERVICE: Final = "athena"
SIGNED: Final = ("Content-Type", "X-Amz-Target")
"""Headers that are signed, with the host and what botocore adds."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials as they are given: an access key, its secret, and a session's token if any."""

    access_key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """Requests signed for one region. `variable` is the one to look at when they are refused.

    Without `keys` they are those that botocore finds: in the environment, in AWS's own files, of
    the role of this machine. Such are renewed by botocore, so that another try may succeed.
    """

    region: str
    variable: str
    keys: Keys | None = None
    credentials: Any = field(default=None, repr=False)

    @classmethod
    def with_credentials(cls, region: str, variable: str, keys: Keys | None) -> Signed:
        """Raises UsageError where botocore is not installed, NotSet where there are no keys."""
        try:
            from botocore.credentials import Credentials
            from botocore.exceptions import BotoCoreError
            from botocore.session import Session
        except ImportError:
            raise UsageError(
                "Athena is asked by means of botocore, which is not installed: "
                "pip install 'crm_sync_assets[athena]'"
            ) from None
        if keys is not None:
            found: Any = Credentials(keys.access_key, keys.secret, keys.token)
        else:
            try:
                found = Session().get_credentials()
            except BotoCoreError as error:
                raise UsageError(f"AWS's own ways to find credentials failed: {error}") from None
        if found is None:
            raise NotSet(
                f"{variable} is not set, and AWS's own ways to find credentials have none: give "
                "the access key of a user who may query Athena, in the environment or in .env"
            )
        return cls(region, variable, keys, found)

    def proof(self, request: Request) -> Proof:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        try:
            frozen = self.credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Unauthorized(f"AWS's credentials could not be renewed: {error}") from None
        sent = {name: request.headers[name] for name in SIGNED if name in request.headers}
        ready = AWSRequest(
            method=request.method,
            url=f"https://{request.host}{request.target}",
            headers={**sent, "Host": request.host},
            data=request.body or b"",
        )
        SigV4Auth(frozen, SERVICE, self.region).add_auth(ready)
        names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
        headers: Mapping[str, str] = {n: ready.headers[n] for n in names if n in ready.headers}
        secrets = (frozen.secret_key, frozen.token or "", headers["Authorization"])
        return Proof(headers, frozen.access_key, tuple(filter(None, secrets)))

    def refresh(self, refused: str) -> bool:
        """Whether botocore has other credentials by now."""
        return self.keys is None and self.credentials.get_frozen_credentials().access_key != refused
