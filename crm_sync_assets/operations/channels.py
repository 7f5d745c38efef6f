"""Where alerts go: apprise URLs in groups, tried in order, and an external dead-man service.

CRM_SYNC_ALERT_URLS holds URLs separated by commas, groups by semicolons (or lines, in a file). All
of a group are told; the next group is tried when nobody of the one before took the message.
"""

from __future__ import annotations

import logging
import re
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from crm_sync_assets.errors import UsageError
from crm_sync_assets.log import Redactor, logger
from crm_sync_assets.redaction import redact, register_secret
from crm_sync_assets.settings import Environment, variables

log = logger(__name__)

URLS = "CRM_SYNC_ALERT_URLS"
HEARTBEAT_URL = "CRM_SYNC_HEARTBEAT_URL"
HEARTBEAT_SECONDS = 10.0

_URL = r"[A-Za-z][A-Za-z0-9+]*://"
_redactor = Redactor()


@dataclass(frozen=True, slots=True)
class Channel:
    """One apprise URL; `name` shows its place and kind, and no more."""

    name: str
    url: str

    def sender(self) -> Any:
        """What sends there. Raises UsageError for a URL that apprise does not know."""
        # It talks about hosts and answers of its own accord.
        logging.getLogger("apprise").addFilter(_redactor)  # noqa: TID251  a library's
        with warnings.catch_warnings():
            # imghdr, which leaves the standard library with Python 3.13.
            warnings.simplefilter("ignore", DeprecationWarning)
            import apprise

            sender = apprise.Apprise()
            if not sender.add(self.url):
                raise UsageError(
                    f"{URLS}: {self.name} is no URL that apprise knows; they are listed at "
                    "https://github.com/caronc/apprise/wiki"
                )
        return sender

    def send(self, title: str, body: str, *, is_good: bool) -> bool:
        """Whether the channel took it. Raises what `sender` raises."""
        sender = self.sender()
        return bool(sender.notify(body, title, "success" if is_good else "failure"))


@dataclass(frozen=True, slots=True)
class Channels:
    """Groups in the order they are tried."""

    groups: Sequence[Sequence[Channel]] = ()

    def __bool__(self) -> bool:
        return bool(self.groups)

    def __iter__(self) -> Iterator[Channel]:
        return (channel for group in self.groups for channel in group)

    def send(self, title: str, body: str, *, is_good: bool = False) -> bool:
        """Whether anybody took it; a group that did not is followed by the next one."""
        for group in self.groups:
            took = [
                channel for channel in group if self.try_one(channel, title, body, is_good=is_good)
            ]
            if took:
                return True
        return False

    def try_one(self, channel: Channel, title: str, body: str, *, is_good: bool) -> bool:
        """Whether this channel took it; never raises."""
        try:
            if channel.send(title, body, is_good=is_good):
                return True
            log.warning("alerts: %s did not take the message", channel.name)
        except UsageError as error:
            log.error("alerts: %s", error)
        except Exception as error:  # noqa: BLE001  one plugin's fault must not silence the rest
            log.error("alerts: %s broke: %s", channel.name, redact(repr(error)))
        return False


def configured() -> bool:
    """Whether anybody wants alerts; nothing is read but the variables' names."""
    names = (URLS, f"{URLS}_FILE", HEARTBEAT_URL, f"{HEARTBEAT_URL}_FILE")
    return any(variables().get(name) for name in names)


def channels(environment: Environment) -> Channels:
    """The channels of the environment; their URLs, whole and in parts, are secrets from here on."""
    text = (environment.get("CRM_SYNC_ALERT_URLS") or "").strip()
    if not text:
        return Channels()
    if not re.match(_URL, text):
        raise UsageError(
            f"{URLS} has to begin with a URL, like slack://… or mailto://…; several are separated "
            "by commas, groups of them by semicolons"
        )
    groups, number = [], 0
    for group in re.split(rf"\s*[;\n]\s*(?={_URL})", text):
        found = []
        for url in re.split(rf"\s*,\s*(?={_URL})", group):
            number += 1
            url = url.strip().rstrip(",;").rstrip()
            keep_secret(url)
            found.append(Channel(f"channel {number} ({url.partition('://')[0].lower()})", url))
        groups.append(found)
    return Channels(groups)


def problems(environment: Environment) -> list[str]:
    """What is wrong with the URLs as they are written; nobody is sent anything."""
    found = []
    for channel in channels(environment):
        try:
            channel.sender()
        except UsageError as error:
            found.append(str(error))
    try:
        heartbeat_url(environment)
    except UsageError as error:
        found.append(str(error))
    return found


def heartbeat_url(environment: Environment) -> str | None:
    """What is fetched after each evaluation, if anything. Raises UsageError for what is no URL."""
    url = environment.get("CRM_SYNC_HEARTBEAT_URL")
    if not url:
        return None
    keep_secret(url)
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{HEARTBEAT_URL} has to begin with https://")
    return url


def keep_secret(url: str) -> None:
    """Register the URL and its parts: in one service or another, each of them is the token."""
    register_secret(url)
    rest, _, query = url.partition("://")[2].partition("?")
    place, *path = rest.split("/")
    user, _, host = place.rpartition("@")
    # A host with a dot or a port is an address; without one it is the token of some service.
    tokens = [*user.split(":"), *path, *(value for _, value in parse_qsl(query))]
    if not re.search(r"[.:]", host) and host != "localhost":
        tokens.append(host)
    for token in tokens:
        if len(token) >= 8:
            register_secret(token)
            register_secret(unquote(token))


def beat(environment: Environment) -> bool | None:
    """Tell an external dead-man service that we looked; None where there is none to tell."""
    url = heartbeat_url(environment)
    if url is None:
        return None
    try:
        with urllib.request.urlopen(url, timeout=HEARTBEAT_SECONDS):
            return True
    except (urllib.error.URLError, OSError, ValueError) as error:
        log.warning("alerts: the heartbeat URL did not answer: %s", redact(str(error)))
        return False
