"""The part of SOQL that the sandbox understands; whatever else there is, it calls malformed.

One object; AND, OR and parentheses; `= != < <= > >= IN LIKE`; ORDER BY, LIMIT, OFFSET; COUNT() and
FIELDS(…). https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal as OneOf

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))
      | (?P<date>\d{4}-\d\d-\d\d)(?![\w:])
      | (?P<number>[+-]?\d+(?:\.\d+)?)(?![\w-])
      | (?P<word>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)
      | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WORDS = """
    AND ASC BY DESC FOR FROM GROUP HAVING IN LIKE LIMIT NOT NULLS OFFSET OR ORDER SELECT USING WHERE
    WITH
"""
_RESERVED = frozenset(_WORDS.split())
Kind = OneOf["text", "number", "boolean", "null", "date", "datetime"]
ALL_FIELDS = ("ALL", "STANDARD", "CUSTOM")


class Malformed(ValueError):
    """What is no query, in words."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written; a datetime is in UTC and in the words of JSON answers."""

    kind: Kind
    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator in capitals, and what it is compared with: several only after IN."""

    field: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions, of which all or any must hold."""

    all: bool
    parts: tuple["Condition", ...]


Condition = Comparison | Group


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are sorted by."""

    field: str
    descending: bool = False
    nulls_first: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """A query. `fields` is empty where rows are counted; `every` is the word within FIELDS(…)."""

    object: str
    fields: tuple[str, ...]
    every: str = ""
    counts: bool = False
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None


def parse(text: str) -> Query:
    """The query. Raises Malformed."""
    return _Parser(text).query()


def wire_moment(text: str) -> str:
    """A datetime with a zone as answers have it: 2026-11-20T08:01:12.000+0000. ValueError."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


class _Parser:
    """One query, from the left to the right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place, text = 0, text.rstrip()
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise Malformed(f"unexpected token: {text[place:].strip()[:20]!r}")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            place = found.end()
        self._place = 0

    # -- tokens ----------------------------------------------------------------------------------

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("", "<EOF>")

    def _take(self) -> tuple[str, str]:
        found = self._peek()
        self._place += 1
        return found

    def _is(self, *words: str) -> bool:
        """Whether these words or signs come next; then they are taken."""
        coming = [t.upper() for _, t in self._tokens[self._place : self._place + len(words)]]
        if coming != list(words):
            return False
        self._place += len(words)
        return True

    def _must(self, word: str) -> None:
        if not self._is(word):
            raise self._unexpected()

    def _unexpected(self) -> Malformed:
        return Malformed(f"unexpected token: '{self._peek()[1]}'")

    def _name(self) -> str:
        kind, text = self._peek()
        if kind != "word" or text.upper() in _RESERVED:
            raise self._unexpected()
        self._place += 1
        return text

    def _whole(self) -> int:
        kind, text = self._peek()
        if kind != "number" or not text.isdigit():
            raise self._unexpected()
        self._place += 1
        return int(text)

    # -- the query -------------------------------------------------------------------------------

    def query(self) -> Query:
        self._must("SELECT")
        every, counts = "", False
        fields: tuple[str, ...] = ()
        if self._is("COUNT", "(", ")"):
            counts = True
        elif self._is("FIELDS", "("):
            every = self._name().upper()
            if every not in ALL_FIELDS:
                raise Malformed(f"unknown FIELDS({every})")
            self._must(")")
        else:
            fields = self._names()
        self._must("FROM")
        name = self._name()
        if "." in name:
            raise self._unexpected()
        where = self._condition() if self._is("WHERE") else None
        order = self._orders() if self._is("ORDER", "BY") else ()
        limit = self._whole() if self._is("LIMIT") else None
        offset = self._whole() if self._is("OFFSET") else None
        if self._peek()[0]:
            raise self._unexpected()
        return Query(name, fields, every, counts, where, order, limit, offset)

    def _names(self) -> tuple[str, ...]:
        found = [self._name()]
        while self._is(","):
            found.append(self._name())
        return tuple(found)

    def _orders(self) -> tuple[Order, ...]:
        found = [self._ordered()]
        while self._is(","):
            found.append(self._ordered())
        return tuple(found)

    def _ordered(self) -> Order:
        field = self._name()
        descending = self._is("DESC") or (self._is("ASC") and False)
        last = self._is("NULLS", "LAST")
        if not last:
            self._is("NULLS", "FIRST")
        return Order(field, descending, not last)

    def _condition(self) -> Condition:
        """Without parentheses it is all AND or all OR."""
        parts, word = [self._single()], ""
        while self._peek()[1].upper() in ("AND", "OR") and word in ("", self._peek()[1].upper()):
            word = self._take()[1].upper()
            parts.append(self._single())
        if self._peek()[1].upper() in ("AND", "OR"):
            raise self._unexpected()
        return parts[0] if len(parts) == 1 else Group(word == "AND", tuple(parts))

    def _single(self) -> Condition:
        if self._is("("):
            found = self._condition()
            self._must(")")
            return found
        field = self._name()
        kind, operator = self._take()
        if operator.upper() == "IN":
            self._must("(")
            values = [self._literal()]
            while self._is(","):
                values.append(self._literal())
            self._must(")")
            return Comparison(field, "IN", tuple(values))
        if (kind != "sign" and operator.upper() != "LIKE") or operator in ("(", ")", ","):
            self._place -= 1
            raise self._unexpected()
        operator = "!=" if operator == "<>" else operator.upper()
        return Comparison(field, operator, (self._literal(),))

    def _literal(self) -> Literal:
        kind, text = self._take()
        try:
            if kind == "text":
                return Literal("text", _unescaped(text[1:-1]))
            if kind == "number":
                return Literal("number", float(text))
            if kind == "datetime":
                return Literal("datetime", wire_moment(text))
            if kind == "date":
                return Literal("date", date.fromisoformat(text).isoformat())
        except ValueError:
            raise Malformed(f"line 1: {text!r} is no {kind}") from None
        if text.upper() in ("TRUE", "FALSE"):
            return Literal("boolean", text.upper() == "TRUE")
        if text.upper() == "NULL":
            return Literal("null", None)
        self._place -= 1
        raise self._unexpected()


def _unescaped(text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter not in "\\'\"_%":
            raise Malformed(f"Illegal string literal escape: \\{letter}")
        return str(letter)

    return re.sub(r"\\(.)", meant, text, flags=re.DOTALL)
