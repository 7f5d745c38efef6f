"""`crm-sync`: the command line. `main` finds the command; each command is a module beside this.

crm-sync hubspot contacts --start-date=2025-01-01 --dry-run
crm-sync history --crm hubspot
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from crm_sync_assets import __version__, place
from crm_sync_assets.cli import exits, streams

COMMANDS: Mapping[str, tuple[str, str]] = {
    "history": ("history", "what was synced, and how it ended; prune what is old"),
    "health": ("health", "the last day, and whether the history itself is sound"),
    "dashboard": ("dashboard", "one page over it all, served or as a file; /metrics beside it"),
    "verify": ("verify", "compare entities with the source, and repair what differs"),
    "refresh": ("refresh", "store what the source calculates anew, which no delta sees"),
    "alerts": ("alerts", "who is told when something goes wrong: check, list, test"),
    "quarantine": ("quarantine", "records that could not be stored: list, show, replay"),
    "webhooks": ("webhooks", "receive what CRMs tell of changes; list, show, replay"),
    "entities": ("entities", "every entity, its table and how changes are noticed"),
    "sql": ("sql", "a question to the warehouse, in SQL that only reads"),
    "doctor": ("doctor", "check credentials, warehouse, clocks and settings"),
    "migrate": ("migrate", "bring the warehouse's core tables up to date"),
    "rotate-keys": ("rotate_keys", "encrypt what is stored, or move it to the newest key"),
    "blind-index": ("blind_index", "what to search an encrypted column by"),
    "completion": ("completion", "what a shell completes words of this with: bash, zsh, fish"),
    "sandbox": ("sandbox", "the CRMs as a local server, to try things on"),
    "demo": ("demo", "a first sync and a delta against the sandbox, checked against its truth"),
    "dev": ("dev", "Dagster's UI and daemon, with the sandbox or your own account"),
}


REPORTS = (
    *("history", "health", "entities", "alerts", "quarantine", "sql", "doctor", "blind-index"),
    "completion",
)
"""Commands whose work is what they print; the others have done theirs whoever reads of it."""

_AND_THEN = ("prune", "replay", "--markdown", "test", "check")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. Whatever goes wrong is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Looking for plugins of pydantic, which has none here, means reading every package's metadata.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with streams.standard() as output:
        with place.telling_of_new_home(_nothing if "--quiet" in words else _say_where):
            status = _status(words)
        sys.stdout.flush()
        if output is None or output.lost is None or isinstance(output.lost, BrokenPipeError):
            # Whoever read the output may go away (`| head`): that is no failure of ours.
            return status
        exits.say(f"standard output could not be written: {output.lost.strerror}")
        return exits.FAILED if status == exits.SUCCESS and _only_reports(words) else status


def _say_where(home: Path) -> None:
    exits.say(f"first use here: the state folder is {home} (CRM_SYNC_HOME puts it elsewhere)")


def _nothing(_home: Path) -> None:
    """Nothing is said."""


def _only_reports(words: Sequence[str]) -> bool:
    head = words[0] if words else ""
    if head in REPORTS:
        return not set(words) & set(_AND_THEN)
    return (
        head.startswith("-") or head == "help" or bool({"--help", "--json", "--new"} & set(words))
    )


def _status(words: list[str]) -> int:
    debug = "--debug" in words or "--verbose" in words
    try:
        return _dispatch(words)
    except SystemExit as left:
        # argparse leaves by itself after --help.
        return left.code if isinstance(left.code, int) else exits.SUCCESS
    except KeyboardInterrupt:
        exits.say("cancelled")
        return exits.CANCELLED
    except Exception as error:  # noqa: BLE001  the last line of defence: a sentence, no traceback
        return exits.explain(error, debug=debug)


def _dispatch(words: list[str]) -> int:
    _refuse_what_is_no_text(words)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return exits.SUCCESS if words else exits.USAGE
    if words[0] in ("--version", "-V"):
        print(f"crm-sync {__version__}")
        return exits.SUCCESS
    name, rest = words[0], words[1:]
    if name in COMMANDS:
        module = import_module(f"{__name__}.{COMMANDS[name][0]}")
        status: int = module.run(rest)
        return status
    from crm_sync_assets.engine.measures import collecting_nothing

    with collecting_nothing():
        from crm_sync_assets.cli import sync
        from crm_sync_assets.declarations import registry
        from crm_sync_assets.errors import UsageError

    if name == registry.ALL:
        return sync.run_all(rest)
    if name in registry.names():
        return sync.run(registry.crm(name), rest)
    if name.startswith("sync_"):
        crm, selected = registry.command(name)
        print(
            f"crm-sync: {name} is now called `crm-sync {crm.name} {selected}`; please use that",
            file=sys.stderr,
        )
        return sync.run(crm, [selected, *rest])
    raise UsageError(f"'{name}' is neither a CRM nor a command{_meant(name)}")


def _meant(name: str) -> str:
    """What was meant: the commands that sync an entity of this name, else the nearest word."""
    from crm_sync_assets.declarations import registry
    from crm_sync_assets.nearest import meant, nearest

    entity = name.replace("-", "_")
    ways = [(crm, one) for crm in registry.names() for one in registry.selectable(crm)]
    found = [f"`crm-sync {crm} {one}`" for crm, one in ways if one == entity]
    if not found and (dotted := nearest(re.sub(r"[./:]", " ", entity), map(" ".join, ways), 0.9)):
        found = [f"`crm-sync {dotted}`"]
    if found:
        return f": write {' or '.join(found)}"
    known = [*registry.names(), registry.ALL, *COMMANDS]
    if nearest(name, known) is None:
        close = nearest(entity, dict.fromkeys(one for _, one in ways))
        found = [f"`crm-sync {crm} {one}`" for crm, one in ways if one == close]
        if found:
            return f"; did you mean {' or '.join(found)}?"
    return meant(name, known)


def _refuse_what_is_no_text(words: Sequence[str]) -> None:
    """Raises UsageError for an argument whose bytes are no UTF-8: no record has such a name."""
    from crm_sync_assets.errors import UsageError

    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the argument {word!r} is not UTF-8 text") from None


def usage() -> str:
    from crm_sync_assets.declarations import registry

    crms = ", ".join(registry.names())
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {about}" for name, (_, about) in COMMANDS.items())
    return (
        "usage: crm-sync <crm> <entity>... [flags]     sync entities, a group of them, or all\n"
        "       crm-sync all [flags]                   sync every CRM the environment names\n"
        "       crm-sync <command> [options]\n\n"
        f"crms: {crms}   (`crm-sync <crm> --help` lists entities and flags)\n\n"
        f"commands:\n{commands}\n\n"
        f"{exits.MEANINGS}"
    )
