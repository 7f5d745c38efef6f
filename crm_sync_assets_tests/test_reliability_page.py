"""docs/reliability.md names a test for every fault, and every test it names is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "reliability.md"
PROOFS = ("canaries", "end_to_end", "faults", "hostile", "oracle", "promises")
"""Folders whose every test file stands for a fault: the page names each at least once."""

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> Iterator[tuple[str, str, str]]:
    """(fault, what happens, tests) of every table on the page."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and not set(cells[0]) <= {"-", ":"} and cells[0] != "fault":
            yield cells[0], cells[1], cells[2]


@cache
def functions(file: str) -> dict[str, bool]:
    """The tests of a file, and whether each runs by default (is not marked slow or live)."""
    path = TESTS / file
    assert path.exists(), f"docs/reliability.md names {file}, which does not exist"
    tree = ast.parse(path.read_text())
    marks = {
        target.id: ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    everywhere = _is_left_out(marks.get("pytestmark", ""))
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            left_out = any(_is_left_out(ast.unparse(mark)) for mark in node.decorator_list)
            found[node.name] = not (left_out or everywhere)
    # A state machine becomes a test by assignment: TestHubSpot = Machine.TestCase.
    return found | dict.fromkeys(marks.keys() - found.keys(), not everywhere)


def _is_left_out(mark: str) -> bool:
    return "mark.slow" in mark or "mark.live" in mark


ROWS = list(rows())


def test_the_page_has_its_faults() -> None:
    assert len(ROWS) > 60


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_every_fault_has_a_test_that_exists_and_runs(row: tuple[str, str, str]) -> None:
    fault, behaviour, tests = row
    named = NAMED.findall(tests)
    assert behaviour, f"what happens with '{fault}'?"
    assert named, f"no test is named for '{fault}'"
    missing = [f"{file}::{name}" for file, name in named if name not in functions(file)]
    assert missing == [], f"'{fault}' is said to be proven by tests that do not exist"
    assert any(functions(file)[name] for file, name in named), f"'{fault}': none of them runs in CI"


@pytest.mark.parametrize("folder", PROOFS)
def test_every_file_of_proofs_is_on_the_page(folder: str) -> None:
    named = {file for _, _, tests in ROWS for file, _ in NAMED.findall(tests)}
    files = {f"{folder}/{path.name}" for path in (TESTS / folder).glob("test_*.py")}
    assert files
    assert files - named == set(), "these tests prove something that the page does not tell"
