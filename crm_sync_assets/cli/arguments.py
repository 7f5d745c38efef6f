"""Command-line arguments: the flags of `Flags`, and errors that are one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, TypeVar, get_args

from crm_sync_assets.declarations.flags import OLD_NAMES, Flags
from crm_sync_assets.errors import UsageError
from crm_sync_assets.nearest import nearest

Kind = TypeVar("Kind", bound=Flags)

MOST_PORT = 65_535

_METAVARS = {"start_date": "YYYY-MM-DD", "end_date": "YYYY-MM-DD"}


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of printing the usage and leaving."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')} (`{self.prog} --help` lists all)")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments. Raises UsageError naming the flag that was probably meant."""
        found, unknown = self.parse_known_args(words)
        if unknown:
            word = unknown[0].partition("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            close = nearest(word, known)
            meant = f"; did you mean {close}?" if close else ""
            what = "flag" if word.startswith("-") else "argument"
            self.error(f"there is no {what} '{word}' here{meant}")
        return found


def whole_number(text: str) -> int:
    """For argparse: an int, whatever its sign."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None


def positive(text: str) -> int:
    """For argparse: an int of at least 1."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def port_number(text: str) -> int:
    """For argparse: a port to listen on, 0 for a free one."""
    number = whole_number(text)
    if not 0 <= number <= MOST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text} is no port: give one up to {MOST_PORT}, 0 takes a free one"
        )
    return number


def add_flags(parser: argparse.ArgumentParser, kind: type[Flags]) -> None:
    """One option per flag, and the hidden old names."""
    group = parser.add_argument_group("flags")
    for name, field in kind.model_fields.items():
        option = "--" + name.replace("_", "-")
        if field.annotation is bool:
            group.add_argument(option, action="store_true", help=field.description)
        else:
            group.add_argument(
                option,
                default=None,
                type=whole_number if _is_number(field.annotation) else str,
                metavar=_METAVARS.get(name, "N" if _is_number(field.annotation) else "TEXT"),
                help=f"{field.description} [{field.default}]"
                if field.default is not None
                else field.description,
            )
    for old, new in OLD_NAMES.items():
        takes_value = kind.model_fields[new].annotation is not bool
        group.add_argument(
            "--" + old.replace("_", "-"),
            dest=f"old_{old}",
            help=argparse.SUPPRESS,
            **({"default": None} if takes_value else {"action": "store_true"}),
        )


def _is_number(annotation: Any) -> bool:
    return annotation is int or int in get_args(annotation)


def flags(given: argparse.Namespace, kind: type[Kind]) -> tuple[Kind, list[str]]:
    """The flags, and a warning for every old name among them."""
    values = {
        name: value
        for name in kind.model_fields
        if (value := getattr(given, name)) is not None and value is not False
    }
    warnings = []
    for old, new in OLD_NAMES.items():
        value = getattr(given, f"old_{old}")
        if not value:
            continue
        was, now = "--" + old.replace("_", "-"), "--" + new.replace("_", "-")
        if values.get(new, value) != value:
            raise UsageError(f"{was} is the old name of {now}: give one of them, not both")
        warnings.append(f"{was} is now called {now}; please use that name")
        values[new] = value
    return kind(**values), warnings
