"""HubSpot's addresses in the version that one setting chooses.

`v3` paths put the version before the object, dated versions after the API's name:
https://developers.hubspot.com/docs/developer-tooling/platform/versioning
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from crm_sync_assets.errors import UsageError


@dataclass(frozen=True, slots=True)
class Paths:
    """`version` is `v3` (with `v4` for associations) or a date such as `2026-09`."""

    version: str = "v3"

    def __post_init__(self) -> None:
        if self.version != "v3" and not re.fullmatch(r"20\d\d-\d\d", self.version):
            raise UsageError(
                f"HUBSPOT_API_VERSION is '{self.version}': write v3 or a date like 2026-09"
            )

    def objects(self, kind: str) -> str:
        return self._path("crm", "objects", kind)

    def object(self, kind: str, record_id: str) -> str:
        return f"{self.objects(kind)}/{quote(record_id, safe='')}"

    def search(self, kind: str) -> str:
        return f"{self.objects(kind)}/search"

    def batch_read(self, kind: str) -> str:
        return f"{self.objects(kind)}/batch/read"

    def properties(self, kind: str) -> str:
        return self._path("crm", "properties", kind)

    def pipelines(self) -> str:
        """Below it each object type has its own."""
        return self._path("crm", "pipelines", "").rstrip("/")

    def owners(self) -> str:
        return "/crm/v3/owners" if self.version == "v3" else f"/crm/owners/{self.version}"

    def associations(self, of: str, to: str) -> str:
        if self.version == "v3":
            return f"/crm/v4/associations/{of}/{to}/batch/read"
        return f"/crm/associations/{self.version}/{of}/{to}/batch/read"

    def account(self) -> str:
        return "/account-info/v3/details"

    def token(self) -> str:
        return "/oauth/v3/token"

    def _path(self, family: str, name: str, kind: str) -> str:
        if self.version == "v3":
            return f"/{family}/v3/{name}/{kind}"
        return f"/{family}/{name}/{self.version}/{kind}"
