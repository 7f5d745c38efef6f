"""Whatever has a name in the package is small enough to be read at one go.

Migrations aside, which are read once, and functions that do nothing but describe arguments: a list
of options is as long as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import crm_sync_assets

PACKAGE = Path(crm_sync_assets.__file__).parent

MODULE = 500
CLASS = 250
FUNCTION = 60
"""Lines at most."""


def too_long(source: str, module: str) -> Iterator[str]:
    """What of a module's source is longer than it may be: `module`, or `module: Class.function`."""
    if len(source.splitlines()) > MODULE:
        yield module
    for name, node in named(ast.parse(source)):
        most = CLASS if isinstance(node, ast.ClassDef) else FUNCTION
        length = (node.end_lineno or 0) - node.lineno + 1
        if length > most and not describes_arguments(node):
            yield f"{module}: {name}"


def named(
    tree: ast.AST, within: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every class and function below a node, with the names of those around it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield within + node.name, node
            yield from named(node, f"{within}{node.name}.")
        else:
            yield from named(node, within)


def describes_arguments(node: ast.AST) -> bool:
    """Whether it is a function that makes or fills an argument parser, and nothing else."""
    if not isinstance(node, ast.FunctionDef):
        return False
    fills = node.name.lstrip("_").startswith("add_")
    makes = node.returns is not None and ast.unparse(node.returns).endswith("Parser")
    takes = any(
        argument.annotation is not None and ast.unparse(argument.annotation).endswith("Parser")
        for argument in node.args.args
    )
    return makes or (fills and takes)


def test_no_module_class_or_function_is_too_long() -> None:
    found = [
        each
        for path in sorted(PACKAGE.rglob("*.py"))
        if "migrations" not in path.relative_to(PACKAGE).parts
        for each in too_long(path.read_text(), path.relative_to(PACKAGE).as_posix())
    ]
    assert found == []


def lines(many: int, indent: int) -> str:
    return f"{' ' * indent}x = 1\n" * many


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(lines(MODULE, 0), [], id="a module of all lines"),
        pytest.param(lines(MODULE + 1, 0), ["m.py"], id="a module"),
        pytest.param(f"class A:\n{lines(CLASS - 1, 4)}", [], id="a class of all lines"),
        pytest.param(f"class A:\n{lines(CLASS, 4)}", ["m.py: A"], id="a class"),
        pytest.param(f"def f():\n{lines(FUNCTION - 1, 4)}", [], id="a function of all lines"),
        pytest.param(f"def f():\n{lines(FUNCTION, 4)}", ["m.py: f"], id="a function"),
        pytest.param(
            f"class A:\n  async def f(self):\n{lines(FUNCTION, 4)}",
            ["m.py: A.f"],
            id="an async method",
        ),
        pytest.param(
            f"if True:\n  def f():\n{lines(FUNCTION, 4)}",
            ["m.py: f"],
            id="a function on a condition",
        ),
        pytest.param(f"def parser() -> Parser:\n{lines(FUNCTION, 4)}", [], id="a parser"),
        pytest.param(
            f"def _add_options(parser: argparse.ArgumentParser):\n{lines(FUNCTION, 4)}",
            [],
            id="options",
        ),
        pytest.param(
            f"def run(parser: Parser):\n{lines(FUNCTION, 4)}", ["m.py: run"], id="a command"
        ),
    ],
)
def test_what_is_too_long_is_found(source: str, found: list[str]) -> None:
    assert list(too_long(source, "m.py")) == found
