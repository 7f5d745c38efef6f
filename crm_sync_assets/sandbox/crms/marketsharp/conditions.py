"""What $filter and $orderby may say; what is not understood is refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from crm_sync_assets.sandbox.calls import BadRequest

Row = Mapping[str, str | None]
Test = Callable[[Row], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<typed>datetime|guid)'(?P<inner>[^']*)'|'(?P<text>(?:[^']|'')*)'"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w-])|(?P<word>[A-Za-z_][A-Za-z0-9_/]*))"
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?")
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
Token = tuple[str, str]


def key(value: str, kind: str) -> Any:
    """What a value is ordered by; GUIDs as SQL Server does, from their end."""
    match kind:
        case "int" | "decimal":
            return float(value)
        case "guid":
            return tuple(reversed(value.lower().split("-")))
        case "moment":
            whole, _, fraction = value.partition(".")
            return whole, fraction.ljust(7, "0")
        case _:
            return value


class Condition:
    """A $filter, read once; `kinds` are the properties, `stored` what is compared of a moment."""

    def __init__(
        self, text: str, kinds: Mapping[str, str], stored: Callable[[str], str] = str
    ) -> None:
        self._kinds = kinds
        self._stored = stored
        self._tokens = _tokens(text)
        self.test = self._any()
        if self._tokens:
            raise BadRequest(f"Syntax error at '{self._tokens[0][1]}' in $filter.")

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("or"):
            tests.append(self._all())
        return lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                raise BadRequest("Syntax error in $filter: ) is missing.")
            return inner
        what, name = self._next()
        if what != "word" or name not in self._kinds:
            raise BadRequest(f"No property '{name}' exists in type.")
        _, operator = self._next()
        if operator not in _OPERATORS:
            raise BadRequest(f"Operator '{operator}' is not understood.")
        kind, (given, value) = self._kinds[name], self._next()
        if (given, value) == ("word", "null"):
            if operator not in ("eq", "ne"):
                raise BadRequest("null can only be equal or not.")
            return lambda row: (row[name] is None) == (operator == "eq")
        if kind == "guid" and operator not in ("eq", "ne"):
            raise BadRequest(f"Operator '{operator}' is not defined for Edm.Guid.")
        wanted = key(_checked(value, given, kind, name), kind)
        compare = _OPERATORS[operator]

        def test(row: Row) -> bool:
            found = row[name]
            if found in (None, "") and kind != "text":
                return operator == "ne"
            if found is None:
                return operator == "ne"
            return compare(key(self._stored(found) if kind == "moment" else found, kind), wanted)

        return test

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0][1] == word and self._tokens[0][0] in ("word", "paren"):
            self._tokens.pop(0)
            return True
        return False

    def _next(self) -> Token:
        if not self._tokens:
            raise BadRequest("$filter ends too early.")
        return self._tokens.pop(0)


def _checked(value: str, given: str, kind: str, name: str) -> str:
    """The literal. BadRequest for one of another type, as a moment without its quotes."""
    fits = {
        "guid": given == "guid",
        "moment": given == "datetime" and bool(_MOMENT.fullmatch(value)),
        "text": given == "text",
        "int": given == "number",
        "decimal": given == "number",
        "bool": (given, value) in (("word", "true"), ("word", "false")),
    }
    if not fits[kind]:
        raise BadRequest(f"The types of '{name}' and of '{value}' are not compatible.")
    return value


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    place = 0
    text = text.rstrip()
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise BadRequest(f"Syntax error at position {place} in '{text}'.")
        if token["typed"]:
            found.append((token["typed"], token["inner"]))
        else:
            what = next(name for name in ("paren", "text", "number", "word") if token[name])
            found.append((what, token[what].replace("''", "'")))
        place = token.end()
    return found


def ordered(rows: list[Any], text: str, kinds: Mapping[str, str]) -> list[Any]:
    """The rows in the order of an $orderby; null comes first."""
    for part in reversed(text.split(",")):
        name, _, way = part.strip().partition(" ")
        if name not in kinds or way.strip() not in ("", "asc", "desc"):
            raise BadRequest(f"No property '{name}' exists in type, or '{way}' is no order.")
        kind = kinds[name]

        def by(row: Row, name: str = name, kind: str = kind) -> tuple[bool, Any]:
            value = row[name]
            return (False, "") if not value else (True, key(value, kind))

        rows = sorted(rows, key=by, reverse=way.strip() == "desc")
    return rows
