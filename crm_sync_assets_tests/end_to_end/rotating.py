"""A process that rotates the keys of one database, and may kill itself after so many batches.

python -m crm_sync_assets_tests.end_to_end.rotating <url> <keys> <batches until death, or 0>
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from crm_sync_assets.errors import SyncError
from crm_sync_assets.operations import encrypted_places, rotation
from crm_sync_assets.warehouse.connection import Warehouse
from crm_sync_assets_tests.encrypted import CLIENTS


def main(url: str, keys: str, batches: int) -> int:
    encrypted_places.BATCH = 5
    original = encrypted_places.EncryptedRows._encrypt_some
    done = 0

    def encrypt_some(self: Any, *given: Any) -> Any:
        nonlocal done
        found = original(self, *given)
        done += 1
        if done == batches:
            # Its batches are committed but for this one.
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    encrypted_places.EncryptedRows._encrypt_some = encrypt_some  # type: ignore[method-assign]
    try:
        rotated = rotation.rotate(Warehouse(url, keys.split(",")), [CLIENTS])
    except SyncError as error:
        print(error, flush=True)
        return 1
    print(sum(place.encrypted for place in rotated.places), rotated.left, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
