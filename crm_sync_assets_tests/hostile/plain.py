"""Texts that mean harm, and a screen that shows them and obeys none."""

from __future__ import annotations

LOG_LINE = "x\n2026-01-01 CRITICAL all is lost \x1b[31m%s {} [red]red[/red] [link=file:///]"

STATEMENT = "'); DROP TABLE hubspot_contact; --"


def assert_plain(screen: str) -> None:
    """Nothing in it that a terminal would obey."""
    odd = {c for c in screen if c != "\n" and (not c.isprintable() and c != "\u00ad")}
    assert odd == set()
    assert "\n2026-01-01 CRITICAL" not in screen
