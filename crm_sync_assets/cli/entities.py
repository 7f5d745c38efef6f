"""`crm-sync entities`: the catalogue: on the terminal, as docs/entities.md, as a dictionary."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from crm_sync_assets.cli import exits
from crm_sync_assets.cli.arguments import Parser
from crm_sync_assets.cli.markdown import cell
from crm_sync_assets.declarations import registry
from crm_sync_assets.declarations.crm import Crm
from crm_sync_assets.declarations.entity import Entity
from crm_sync_assets.declarations.variables import Variable
from crm_sync_assets.errors import UsageError
from crm_sync_assets.settings import environment

if TYPE_CHECKING:
    from crm_sync_assets.warehouse.comments import Labels

PAGE = Path("docs") / "entities.md"
EXAMPLE = Path(".env.example")
WIDTH = 98
BEGIN = "# The CRMs: written by `make entities`, from their declarations."
END = "# End of the CRMs."


def parser() -> Parser:
    found = Parser(prog="crm-sync entities", description="Every entity that can be synced.")
    found.add_argument("crm", nargs="?", help="only this CRM")
    found.add_argument("--wide", action="store_true", help="all columns")
    form = found.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help=f"write {PAGE} and {EXAMPLE} instead")
    form.add_argument(
        "--dictionary",
        choices=("markdown", "json"),
        nargs="?",
        const="markdown",
        help="every table and column, what it holds and where it comes from",
    )
    form.add_argument("--dbt", action="store_true", help="a sources.yml for a dbt project")
    found.add_argument(
        "--labels",
        action="store_true",
        help="with what the account calls its fields, as syncs have told the warehouse",
    )
    return found


def run(words: Sequence[str]) -> int:
    given = parser().parse(words)
    if given.markdown:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(markdown(), "utf-8")
        print(f"wrote {PAGE}")
        if EXAMPLE.is_file():
            crms = list(registry.crms().values())
            EXAMPLE.write_text(with_crms(EXAMPLE.read_text("utf-8"), crms), "utf-8")
            print(f"wrote {EXAMPLE}")
        return exits.SUCCESS
    listed = list(registry.entities(given.crm) if given.crm else registry.all_entities().values())
    if given.dictionary or given.dbt:
        labels = _labels(listed) if given.labels else None
        print(_described(listed, "dbt" if given.dbt else given.dictionary, labels), end="")
        return exits.SUCCESS
    if given.labels:
        raise UsageError("--labels goes with --dictionary or --dbt")
    from crm_sync_assets.cli.tables import print_table

    print_table(
        "Entities",
        ["entity", "table", "columns", "changes noticed by", "key", "in all"],
        [(e.name, e.table, len(e.columns), noticed(e), _key(e), e.in_all) for e in listed],
        nothing="no entity is declared",
        wide=given.wide,
    )
    return exits.SUCCESS


def _labels(entities: Sequence[Entity]) -> Labels:
    from crm_sync_assets.cli.tables import open_for_reading
    from crm_sync_assets.warehouse import comments

    with closing(open_for_reading()) as warehouse, warehouse.connection() as connection:
        return comments.labels(connection, [entity.table for entity in entities])


def _described(entities: Sequence[Entity], form: str, labels: Labels | None) -> str:
    from crm_sync_assets.cli import dictionary

    if form == "json":
        return json.dumps(dictionary.tables(entities, labels), indent=2, ensure_ascii=False) + "\n"
    if form == "dbt":
        return dictionary.dbt(entities, environment().data_schema, labels)
    return dictionary.markdown(entities, labels)


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
        number, takes = f"{len(entities)} entities", "them in this order"
        if len(entities) == 1:
            number, takes = "1 entity", "it"
        lines += [f"{number}; `crm-sync {crm.name} all` takes {takes}."]
        for group, members in crm.groups.items():
            named = ", ".join(f"`{member}`" for member in members)
            lines += ["", f"`crm-sync {crm.name} {group}` means {named}."]
        lines += [
            "",
            "| entity | what it is | table | key | columns | changes noticed by |",
            "|---|---|---|---|---:|---|",
        ]
        lines += [
            f"| `{e.sync_type}` | {cell(e.about)} | `{e.table}` | {_key(e, '`')} | "
            f"{len(e.columns)} | {noticed(e, '`')} |"
            for e in entities
        ]
        apart = [f"`{entity.sync_type}`" for entity in entities if not entity.in_all]
        if apart:
            lines += ["", f"Not part of `all`: {', '.join(apart)}."]
        lines += again(entities)
        lines += read_from_environment(crm)
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


def read_from_environment(crm: Crm) -> list[str]:
    """A table of the CRM's variables."""
    if not crm.variables:
        return []
    return [
        "",
        "| variable | what it is | without it |",
        "|---|---|---|",
        *(f"| `{v.name}` | {cell(_sentence(v))} | {_without(v)} |" for v in crm.variables),
    ]


def _sentence(variable: Variable) -> str:
    return variable.about[:1].upper() + variable.about[1:]


def _without(variable: Variable) -> str:
    if not variable.required:
        return f"`{variable.default}`" if variable.default else ""
    return f"required with {variable.way}" if variable.way else "required"


def noticed(entity: Entity, quote: str = "") -> str:
    """How a delta finds what changed."""
    if entity.tombstones_of:
        return f"looking for every row of {quote}{entity.tombstones_of}{quote}"
    if entity.source.windowed_by is None:
        return "comparing everything"
    return f"{quote}{entity.source.windowed_by}{quote}"


def _key(entity: Entity, quote: str = "") -> str:
    return ", ".join(f"{quote}{column.name}{quote}" for column in entity.key)


def with_crms(example: str, crms: Sequence[Crm]) -> str:
    """The text of .env.example with its part on the CRMs as their declarations have it."""
    head, _, rest = example.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + "\n".join([BEGIN, "", *(_section(crm) for crm in crms), END]) + tail


def _section(crm: Crm) -> str:
    lines, said = [f"# {crm.title}"], ""
    for variable in crm.variables:
        about = _sentence(variable)
        if about != said:
            lines += textwrap.wrap(about, WIDTH, initial_indent="# ", subsequent_indent="# ")
            said = about
        lines.append(f"#{variable.name}={variable.example or variable.default or ''}")
    return "\n".join([*lines, ""])
