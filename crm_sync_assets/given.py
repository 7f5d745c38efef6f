"""What a person wrote for us: the file `.env`, files that hold a secret, values pasted from a page.

Text is UTF-8. A setting that cannot be read as it was meant is refused by its name, never guessed
and never left out.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

from crm_sync_assets.errors import UsageError

_AROUND = " \t\r\n\v\f\0\u00a0\u200b\u2060\ufeff"
"""White space, and what cannot be seen but is copied with a text: NUL, BOM, zero-width blanks."""
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_BEARER = re.compile(r"(?i)^(?:authorization:\s*)?bearer\s+")
_SINGLE_QUOTED = re.compile(r"\s*(?:export\s+)?(?:'[^']+'|[^=#\s]+)\s*=\s*'")
_OF_A_HEADER = ("_TOKEN", "_KEY", "_CLIENT_ID")
IN_PEM = "_PRIVATE_KEY"
"""The end of the names of keys that sign and never travel: lines with blanks in them."""


def env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file; none where there is no such file.

    ${NAME} stands for another variable, but not in single quotes: there every character means
    itself. Raises UsageError naming the file and the line that cannot be read.
    """
    if (path / "pyvenv.cfg").exists() or not (path.exists() or path.is_symlink()):
        # A virtual environment may be called .env as well.
        return {}
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text_of(path, str(path)))):
        # A binding's text begins with the blank lines before it.
        text = binding.original.string
        line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        where = f"{path}, line {line}"
        if binding.error:
            raise UsageError(f"{where} is not NAME=value, with its quotes closed")
        if binding.key is not None and binding.value is not None:
            values[binding.key] = _meant(binding, values, where)
    return values


def _meant(binding: Binding, before: Mapping[str, str], where: str) -> str:
    value = binding.value or ""
    if _SINGLE_QUOTED.match(binding.original.string):
        return value
    known = {**os.environ, **before}
    atoms = list(parse_variables(value))
    for atom in atoms:
        if isinstance(atom, Variable) and atom.default is None and atom.name not in known:
            raise UsageError(
                f"{where}: {binding.key} refers to ${{{atom.name}}}, which is not set. In single "
                "quotes $ means itself"
            )
    return "".join(atom.resolve(known) for atom in atoms)


def text_of(path: Path, name: str) -> str:
    """The text of a file that `name` stands for. Raises UsageError when it is not UTF-8."""
    try:
        octets = path.read_bytes()
    except IsADirectoryError:
        raise UsageError(f"{name} is a folder, not a file") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name} is not UTF-8 text (line {line}): save it as UTF-8") from None
    if "\0" in text:
        raise UsageError(f"{name} is not UTF-8 text (UTF-16, it seems): save it as UTF-8")
    return text


def cleaned(name: str, value: str) -> str:
    """The value of a variable without what copying adds to it.

    Of a password only line ends; a key that travels in a header must be visible ASCII, so that
    UsageError names it before anything is asked. A client's secret travels in a body.
    """
    if name.endswith("_PASSWORD"):
        return value.strip("\r\n\ufeff")
    value = value.strip(_AROUND)
    if name.endswith(IN_PEM) or not name.endswith(_OF_A_HEADER):
        return value
    value = _bare(value)
    odd = next((at for at, one in enumerate(value) if not "!" <= one <= "~"), None)
    if odd is not None:
        raise UsageError(
            f"{name} holds {_kind(value[odd])} as its character {odd + 1} of {len(value)}, which "
            "no key has: copy it again"
        )
    return value


def _bare(value: str) -> str:
    while True:
        found = value
        if len(value) > 1 and _QUOTES.get(value[0]) == value[-1]:
            found = value[1:-1]
        found = _BEARER.sub("", found.strip(_AROUND), count=1).strip(_AROUND)
        if found == value:
            return value
        value = found


def _kind(character: str) -> str:
    if character in "\r\n":
        return "a line end"
    if character.isspace():
        return "a blank"
    return "a control character" if character < "\x80" else "a character that is not ASCII"
