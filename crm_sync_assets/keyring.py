"""The encryption keys of the environment: a key ring, the newest first."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet

from crm_sync_assets.errors import UsageError

VARIABLE = "CRM_SYNC_ENCRYPTION_KEYS"

ID_LENGTH = 12


def new_key() -> str:
    """A fresh key, as CRM_SYNC_ENCRYPTION_KEYS takes it."""
    return Fernet.generate_key().decode()


def read_keys(text: str | None) -> tuple[str, ...]:
    """The keys of a comma-separated list, the newest first; none for no text.

    Raises UsageError, without showing it, for one that is no Fernet key.
    """
    keys = tuple(filter(None, (part.strip() for part in (text or "").split(","))))
    for number, key in enumerate(keys, start=1):
        if not _is_key(key):
            raise UsageError(
                f"{VARIABLE}: key {number} of {len(keys)} is no key; it has to be 32 random bytes "
                "in URL-safe base64. `crm-sync rotate-keys --new` prints a fresh one"
            )
    return keys


def _is_key(text: str) -> bool:
    """Decoders forgive much; a key written in two ways would have two ids."""
    try:
        found = base64.urlsafe_b64decode(text)
    except ValueError:
        return False
    return len(found) == 32 and base64.urlsafe_b64encode(found).decode() == text


def key_id(key: str) -> str:
    """What stands for a key where the key itself must not: 12 hex digits."""
    return hashlib.sha256(f"crm_sync_assets key {key}".encode()).hexdigest()[:ID_LENGTH]
