"""`crm-sync entities`: the catalogue, on the terminal or as docs/entities.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.entity import Entity

PAGE = Path("docs") / "entities.md"


def run(words: Sequence[str]) -> int:
    parser = Parser(prog="crm-sync entities", description="Every entity that can be synced.")
    parser.add_argument("crm", nargs="?", help="only this CRM")
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE} instead")
    given = parser.parse(words)
    if given.markdown:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(markdown(), "utf-8")
        print(f"wrote {PAGE}")
        return exits.SUCCESS
    from crm_sync_assets.cli.tables import print_table

    listed = registry.entities(given.crm) if given.crm else registry.all_entities().values()
    print_table(
        "Entities",
        ["entity", "table", "key", "columns", "changes noticed by", "in all"],
        [
            (e.name, e.table, _key(e), len(e.columns), noticed(e), "yes" if e.in_all else "no")
            for e in listed
        ],
    )
    return exits.SUCCESS


def markdown() -> str:
    """docs/entities.md, from the registry."""
    lines = [
        "# Entities",
        "",
        "Made by `make entities` from the declarations; a test fails when it is stale.",
        "",
    ]
    for crm in registry.crms().values():
        entities = registry.entities(crm.name)
        lines += [f"## {crm.title}", ""]
        lines += [f"{len(entities)} entities; `crm-sync {crm.name} all` takes them in this order."]
        for group, members in crm.groups.items():
            named = ", ".join(f"`{member}`" for member in members)
            lines += ["", f"`crm-sync {crm.name} {group}` means {named}."]
        lines += [
            "",
            "| entity | what it is | table | key | columns | changes noticed by |",
            "|---|---|---|---|---:|---|",
        ]
        lines += [
            f"| `{e.sync_type}` | {_cell(e.about)} | `{e.table}` | {_key(e, '`')} | "
            f"{len(e.columns)} | {noticed(e, '`')} |"
            for e in entities
        ]
        apart = [f"`{entity.sync_type}`" for entity in entities if not entity.in_all]
        if apart:
            lines += ["", f"Not part of `all`: {', '.join(apart)}."]
        lines += again(entities)
        lines.append("")
    return "\n".join(lines)


def again(entities: Sequence[Entity]) -> list[str]:
    """Lines on what is read again at a cadence, whatever the source says of changes."""
    swept = [
        f"- `{entity.sync_type}`: {', '.join(map(str, entity.resweeps))}"
        for entity in entities
        if entity.resweeps
    ]
    return ["", "Read again, by a schedule of its own:", "", *swept] if swept else []


def noticed(entity: Entity, quote: str = "") -> str:
    """How a delta finds what changed."""
    if entity.tombstones_of:
        return f"looking for every row of {quote}{entity.tombstones_of}{quote}"
    if entity.source.windowed_by is None:
        return "comparing everything"
    return f"{quote}{entity.source.windowed_by}{quote}"


def _key(entity: Entity, quote: str = "") -> str:
    return ", ".join(f"{quote}{column.name}{quote}" for column in entity.key)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
