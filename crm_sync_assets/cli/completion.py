"""`crm-sync completion`: a script with which a shell completes commands, entities and flags.

It is made of the parsers that read the words, by shtab. https://docs.iterative.ai/shtab/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import Any

from crm_sync_assets.cli import COMMANDS, exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.declarations import registry

SHELLS = ("bash", "zsh", "fish")
NAME = "crm-sync"


def parser() -> Parser:
    found = Parser(
        prog="crm-sync completion",
        description="Print what a shell completes words of crm-sync with. It is read anew by:\n"
        '  bash  eval "$(crm-sync completion bash)"            in ~/.bashrc\n'
        '  zsh   eval "$(crm-sync completion zsh)"             in ~/.zshrc, after compinit\n'
        "  fish  crm-sync completion fish > ~/.config/fish/completions/crm-sync.fish",
    )
    found.add_argument("shell", choices=SHELLS)
    return found


def run(words: Sequence[str]) -> int:
    shell = parser().parse(words).shell
    import shtab

    print(shtab.complete(whole(), shell=shell))
    return exits.SUCCESS


def whole() -> argparse.ArgumentParser:
    """All commands as one parser, with the names that each may be given as choices."""
    from crm_sync_assets.cli import prune, sync

    root = argparse.ArgumentParser(prog=NAME)
    root.add_argument("--version", action="version", version="", help="the version")
    commands = root.add_subparsers(dest="command")
    for crm in registry.crms().values():
        asked = _named(sync.parser(crm), {"entities": [*registry.selectable(crm.name), "all"]})
        _add(commands, crm.name, f"sync {crm.title}", asked)
    _add(commands, registry.ALL, "sync every CRM the environment names", sync.parser_of_all())
    for name, (module, about) in COMMANDS.items():
        of_command = import_module(f"{__package__}.{module}").parser()
        added = _add(commands, name, about, _by_crm(of_command))
        if name == "history":
            _add(added.add_subparsers(), "prune", "remove what is old", prune.parser())
    return root


def _add(commands: Any, name: str, about: str, parser: argparse.ArgumentParser) -> Parser:
    """The parser, as the command of this name."""
    added: Parser = commands.add_parser(name, help=about, parents=[parser], add_help=False)
    return added


def _by_crm(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser; if it takes an entity after a CRM, with a command for each CRM instead."""
    entities = [e.sync_type for e in registry.all_entities().values()]
    every = {"crm": registry.names(), "entity": sorted(set(entities))}
    taken = {action.dest for action in parser._actions if not action.option_strings}
    if not {"crm"} < taken:
        return _named(parser, every)
    found = argparse.ArgumentParser(prog=parser.prog, add_help=False)
    crms = found.add_subparsers(dest="crm")
    for crm in registry.names():
        names = {"entities": [*registry.selectable(crm), registry.ALL]}
        names["entity"] = [entity.sync_type for entity in registry.entities(crm)]
        of_crm = argparse.ArgumentParser(prog=f"{parser.prog} {crm}", add_help=False)
        for action in parser._actions:
            if action.dest != "crm":
                of_crm._add_action(copy(action))
        _add(crms, crm, "", _named(of_crm, names))
    return found


def _named(parser: argparse.ArgumentParser, names: dict[str, Any]) -> argparse.ArgumentParser:
    """The parser, with these names as the choices of what is called so, in its commands too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _named(one, names)
        elif action.dest in names:
            action.choices = names[action.dest]
    return parser
