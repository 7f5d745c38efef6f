"""The pages for people who run it: commands, variables and messages are those of the code."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from crm_sync_assets.cli.completion import whole
from crm_sync_assets.declarations import registry

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "deploy" / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("index", "troubleshooting", "upgrading")),
]
SPAN = re.compile(r"(``)(.+?)``|`([^`\n]+)`")
BLOCK = re.compile(r"```(?:bash|text|sql)\n(.*?)```", re.S)


@cache
def told() -> tuple[str, ...]:
    """Every text in the package, with … for what is put into it."""
    found = []
    for path in (ROOT / "crm_sync_assets").rglob("*.py"):
        if "sandbox" not in path.parts:
            nodes = ast.walk(ast.parse(path.read_text()))
            found += [text for node in nodes if (text := _text(node)) is not None]
    return tuple(re.sub(r"%[sd.0f]+|\{[^}]*\}", "…", text) for text in found)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
    return None


def symptoms() -> list[str]:
    """The messages of the page on troubleshooting: the first cells of its tables."""
    lines = (ROOT / "docs" / "troubleshooting.md").read_text().splitlines()
    cells = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| `")]
    return [cell.strip("`") for cell in cells]


def test_the_page_on_troubleshooting_has_its_symptoms() -> None:
    assert len(symptoms()) > 25


@pytest.mark.parametrize("symptom", symptoms())
def test_a_message_on_the_page_is_one_of_the_code(symptom: str) -> None:
    """What a person searches for; each part between … has to stand in one text, in order."""
    parts = [re.escape(part) for part in re.split(r"…+", symptom)]
    wanted = re.compile(".*".join(parts), re.S)
    assert max(map(len, parts)) > 6
    assert any(wanted.search(text) for text in told()), "the message is worded otherwise by now"


def commands() -> Iterator[tuple[str, str]]:
    """(page, words after `crm-sync`) of whatever is written as code."""
    for page in PAGES:
        text = page.read_text()
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        spans = [two or one for _, two, one in SPAN.findall(BLOCK.sub("", text))]
        for code in (*lines, *spans):
            for said in re.findall(r"(?:^|[\s/`])crm-sync ((?:(?!&&|  )[^#`|\n])+)", code):
                yield page.name, said.strip()


def test_commands_on_the_pages_are_taken() -> None:
    """Their first words, and each of their flags."""
    root = whole()
    wrong, seen = [], 0
    for page, said in commands():
        parser: argparse.ArgumentParser = root
        words = [word for word in said.split() if not word.startswith("<")]
        if not words or said.startswith("<"):
            continue
        if re.match(r"sync_|--", words[0]):
            continue
        seen += 1
        for word in words:
            below = _below(parser)
            if word in below:
                parser = below[word]
            elif parser is root:
                wrong.append(f"{page}: {said}")
                break
        flags = {name for action in parser._actions for name in action.option_strings}
        flags |= {f for one in _below(parser).values() for a in one._actions
                  for f in a.option_strings}  # fmt: skip
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        wrong += [f"{page}: {said}: {flag}" for flag in sorted(given - flags)]
    assert seen > 60
    assert wrong == []


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: one for action in actions for name, one in action.choices.items()}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_variables_on_the_pages_are_in_the_example(page: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    heads = "|".join([*(name.upper() for name in registry.names()), "CRM_SYNC", "DAGSTER"])
    named = set(re.findall(rf"\b((?:{heads})_[A-Z][A-Z0-9_]*[A-Z0-9])\b", page.read_text()))
    known = {name.removesuffix("_FILE") for name in named if "__" not in name}
    # Misspelt on purpose, read by Dagster's own configuration, or of a sheet that is an example.
    others = {"HUBSPOT_TOKN", "DAGSTER_POSTGRES_URL", "GSHEET_COSTS_ID"}
    assert sorted(name for name in known - others if name not in example) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = set(re.findall(r"\]\((?!http)([^)#\s]+)(?:#[^)]*)?\)", page.read_text()))
    # The picture is taken from a running UI, not made from the code.
    missing = [link for link in links if not (page.parent / link).exists()]
    assert [link for link in missing if "asset-graph.png" not in link] == []


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert sorted(page for page in pages if f"({page})" not in index) == []
    for other in ("../README.md", "../deploy/README.md", "../CHANGELOG.md", "../.env.example"):
        assert f"]({other})" in index
    assert "docs/index.md" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("crm", registry.crms().values(), ids=lambda crm: crm.name)
def test_the_readme_begins_with_the_tables(crm: registry.Crm) -> None:
    """Of each CRM, how many there are, and some that are there."""
    head = (ROOT / "README.md").read_text().partition("## ")[0]
    tables = {entity.table for entity in registry.entities(crm.name)}
    row = re.search(rf"^\| {crm.title} \| (\d+) \| (.*) \|$", head, re.M)
    assert row, f"give {crm.title} a row among the tables the README begins with"
    assert int(row[1]) == len(tables)
    assert set(re.findall(r"`(\w+)`", row[2])) <= tables


def test_the_readme_and_the_page_of_the_server_agree() -> None:
    """What both speak of is said alike: versions, schedules, what no delta sees."""
    readme, server = ((ROOT / name).read_text() for name in ("README.md", "deploy/README.md"))
    for said in ("Python 3.11 or newer", "CRM_SYNC_SCHEDULES=on", "__FULL_SCHEDULE",
                 "deleted for good", "alerts check", "CRM_SYNC_HEARTBEAT_URL",
                 "--allow-host"):  # fmt: skip
        assert said in readme, said
        assert said in server, said
    assert "14 or newer" in readme
    assert "version 14 or newer" in server
