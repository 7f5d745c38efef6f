"""Statements as Athena reads them, answered by SQLite: types are told apart, as Trino does.

A statement is cut into words first. Names have to be columns of the table; a moment is compared
with a moment, a text with a text. What is left is SQL that both understand.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_sync_assets.sandbox.crms.salespro.schema import STAMP, TABLES, TEXT

MOST_BYTES = 262_144
Cells = tuple[str | None, ...]
_WORD = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|"(?P<quoted>[^"]+)"|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<number>\d+)|(?P<sign><=|>=|<>|!=|[=<>(),.*]))"""
)
_COMPARE = ("=", "<>", "!=", "<", ">", "<=", ">=", "IN")
_MOMENT = re.compile(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,3})?'")
KEYWORDS = frozenset(
    [
        *("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IS", "IN", "AS", "TIMESTAMP", "LIMIT"),
        *("ORDER", "BY", "ASC", "DESC", "NULL", "NULLS", "FIRST", "LAST"),
    ]
)


class Failed(Exception):
    """A query that fails; the text begins with Trino's name for the reason."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a query found."""

    columns: Sequence[Column]
    rows: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class _Word:
    kind: str
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper() if self.kind == "name" else ""


def answer(
    statement: str, database: str, tables: Mapping[str, Sequence[Mapping[str, str | None]]]
) -> tuple[Result, str | None]:
    """The result, and the table that was read. Failed for what Trino refuses."""
    words = _words(statement.strip().rstrip(";"))
    if not words or words[0].upper != "SELECT":
        raise Failed("SYNTAX_ERROR: line 1:1: only SELECT is played")
    table = _table_of(words, database)
    known = TABLES.get(table or "", {})
    _check(words, known)
    shown = _shown(words, known)
    memory = sqlite3.connect(":memory:")
    try:
        if table is not None:
            names = list(known)
            quoted = ", ".join(f'"{name}"' for name in names)
            memory.execute(f'CREATE TABLE "{table}" ({quoted})')
            places = ", ".join("?" * len(names))
            memory.executemany(
                f'INSERT INTO "{table}" VALUES ({places})',  # noqa: S608  of our own schema
                [[row[name] for name in names] for row in tables[table]],
            )
        found = memory.execute(_sqlite(words, table, database)).fetchall()
    except sqlite3.Error as error:
        raise Failed(f"SYNTAX_ERROR: line 1:1: {error}") from None
    finally:
        memory.close()
    rows = [tuple(None if cell is None else str(cell) for cell in row) for row in found]
    return Result(shown, rows), table


def _words(statement: str) -> list[_Word]:
    found, place = [], 0
    while place < len(statement):
        match = _WORD.match(statement, place)
        if match is None:
            raise Failed(f"SYNTAX_ERROR: line 1:{place + 1}: mismatched input")
        kind = str(match.lastgroup)
        found.append(_Word(kind, match[kind]))
        place = match.end()
        if not statement[place:].strip():
            break
    return found


def _table_of(words: Sequence[_Word], database: str) -> str | None:
    places = [place for place, word in enumerate(words) if word.upper == "FROM"]
    if not places:
        return None
    names = [words[places[0] + 1].text]
    if len(words) > places[0] + 3 and words[places[0] + 2].text == ".":
        names.append(words[places[0] + 3].text)
    if len(names) == 2 and names[0] != database:
        raise Failed(f"SCHEMA_NOT_FOUND: line 1:1: Schema '{names[0]}' does not exist")
    if names[-1] not in TABLES:
        full = f"awsdatacatalog.{database}.{names[-1]}"
        raise Failed(f"TABLE_NOT_FOUND: line 1:1: Table '{full}' does not exist")
    return names[-1]


def _check(words: Sequence[_Word], known: Mapping[str, str]) -> None:
    """Every name is a column, or one that the statement gives, and is compared with its like."""
    given = {words[i + 1].text for i, word in enumerate(words[:-1]) if word.upper == "AS"}
    after_from = False
    for place, word in enumerate(words):
        if word.upper == "FROM":
            after_from = True
        elif word.upper in ("WHERE", "ORDER", "LIMIT"):
            after_from = False
        elif word.kind in ("quoted", "name") and word.upper not in KEYWORDS and not after_from:
            if word.text not in known and word.text not in given:
                raise Failed(f"COLUMN_NOT_FOUND: line 1:1: Column '{word.text}' cannot be resolved")
            _check_types(words, place, known)
        if word.upper == "TIMESTAMP" and not _MOMENT.fullmatch(words[place + 1].text):
            raise Failed(f"INVALID_LITERAL: line 1:1: {words[place + 1].text} is no timestamp")


def _check_types(words: Sequence[_Word], place: int, known: Mapping[str, str]) -> None:
    following = words[place + 1 : place + 4]
    if not following or following[0].text.upper() not in _COMPARE:
        return
    kind = known.get(words[place].text)
    operand = following[2] if following[0].upper == "IN" else following[1]
    is_moment = operand.upper == "TIMESTAMP"
    if (kind == STAMP) != is_moment or (kind == TEXT) != (operand.kind == "text"):
        name = words[place].text
        raise Failed(f"TYPE_MISMATCH: line 1:1: Cannot compare {name}, which is {kind}")


def _shown(words: Sequence[_Word], known: Mapping[str, str]) -> list[Column]:
    ends = [place for place, word in enumerate(words) if word.upper == "FROM"]
    chosen, found = words[1 : ends[0] if ends else len(words)], []
    for part in _split(chosen):
        if part[0].text == "*":
            found += [Column(name, kind) for name, kind in known.items()]
        else:
            kind = known.get(part[0].text, "integer" if part[0].kind == "number" else TEXT)
            found.append(Column(part[-1].text if len(part) > 1 else part[0].text, kind))
    return found


def _split(words: Sequence[_Word]) -> list[list[_Word]]:
    parts: list[list[_Word]] = [[]]
    for word in words:
        if word.text == "," and word.kind == "sign":
            parts.append([])
        else:
            parts[-1].append(word)
    if not all(parts):
        raise Failed("SYNTAX_ERROR: line 1:8: mismatched input ','")
    return parts


def _sqlite(words: Sequence[_Word], table: str | None, database: str) -> str:
    """The statement as SQLite reads it: moments are texts, which are in the same order."""
    kept: list[str] = []
    skip = 0
    for place, word in enumerate(words):
        if skip:
            skip -= 1
            continue
        if word.upper == "TIMESTAMP":
            continue
        if (
            table
            and word.text == database
            and place + 1 < len(words)
            and words[place + 1].text == "."
        ):
            skip = 1
            continue
        if word.kind == "text" and words[place - 1].upper == "TIMESTAMP":
            text = word.text.strip("'")
            kept.append(f"'{text if '.' in text else text + '.000'}'")
        else:
            kept.append(f'"{word.text}"' if word.kind == "quoted" else word.text)
    return " ".join(kept)
